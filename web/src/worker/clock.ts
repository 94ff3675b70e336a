/** Milliseconds since 1970 by the clock with which the worker began: nobody sets it, and it never goes back. */
export const now = (): number => Math.floor(performance.timeOrigin + performance.now());

/** More than this between the two clocks is no drift. */
const tolerance = 2000; // ms

/** Notices when the wall clock has parted from {@link now}: the machine slept, or its clock was set. */
export class Jumps {
  private apart = Date.now() - now();

  /** Whether it has since the last call. */
  look(): boolean {
    const apart = Date.now() - now();
    if (Math.abs(apart - this.apart) <= tolerance) return false;
    this.apart = apart;
    return true;
  }
}
