/** Numbers, times and names as people read them. Pure. */

const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Bytes as file managers show them: 1 kB is 1,000 bytes; two or three digits that count. */
export function bytes(n: number): string {
  let value = Math.max(0, n);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const decimals = unit === 0 || value >= 99.5 ? 0 : unit >= 3 && value < 9.95 ? 2 : value < 9.95 || unit >= 3 ? 1 : 0;
  return `${value.toFixed(decimals).replace(/\.0+$/, "")}\u00a0${units[unit]}`;
}

/** Bytes a second. */
export function rate(bytesPerSecond: number): string {
  return `${bytes(bytesPerSecond)}/s`;
}

/** Seconds to the end, no more exact than such a guess is. */
export function timeLeft(seconds: number): string {
  if (seconds < 8) return "a few seconds left";
  if (seconds < 57.5) return `${Math.round(seconds / 5) * 5}\u00a0sec left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}\u00a0min left`;
  const hours = Math.floor(minutes / 60);
  if (hours < 10 && minutes % 60 > 0) return `${hours}\u00a0h ${minutes % 60}\u00a0min left`;
  if (hours < 48) return `${hours}\u00a0h left`;
  return `${Math.round(hours / 24)}\u00a0days left`;
}

/** A whole percentage that says 100 only for all of it. */
export function percent(part: number, whole: number): number {
  return part >= whole ? 100 : Math.min(99, Math.floor((part / whole) * 100));
}

/** A moment as seen from now; the time of day only where it is near. */
export function when(moment: Date, now: Date): string {
  const time = moment.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit" });
  const midnight = (d: Date): number => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
  const days = Math.round((midnight(now) - midnight(moment)) / 86_400_000);
  if (days === 0) return `today at ${time}`;
  if (days === 1) return `yesterday at ${time}`;
  if (days === -1) return `tomorrow at ${time}`;
  return `on ${moment.toLocaleDateString("en", { day: "numeric", month: "long" })}`;
}

/** Characters of a name's end that stay in sight: the extension and a little before it. */
const tailLength = 9;
const graphemes = new Intl.Segmenter();

/**
 * A long name in two pieces: the first may be cut off by the layout, the second,
 * with the extension, stays. The cut is between characters as people see them.
 */
export function splitName(name: string): [head: string, tail: string] {
  if (name.length <= tailLength + 1) return [name, ""];
  const cut = graphemes.segment(name).containing(name.length - tailLength)?.index ?? name.length;
  return [name.slice(0, cut), name.slice(cut)];
}
