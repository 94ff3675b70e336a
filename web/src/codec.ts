/**
 * The byte format in which the page and the two wasm modules talk:
 * fields in a row, little endian, with no names and no padding.
 * wasm/codec is the other half and says what each field looks like.
 */

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Writes fields into a buffer that grows. */
export class Writer {
  private buf = new Uint8Array(256);
  private view = new DataView(this.buf.buffer);
  private at = 0;

  private room(n: number): number {
    const at = this.at;
    if (at + n > this.buf.length) {
      const grown = new Uint8Array(Math.max(this.buf.length * 2, at + n));
      grown.set(this.buf.subarray(0, at));
      this.buf = grown;
      this.view = new DataView(grown.buffer);
    }
    this.at = at + n;
    return at;
  }

  u8(v: number): this {
    const at = this.room(1); // may replace this.view
    this.view.setUint8(at, v);
    return this;
  }

  bool(v: boolean): this {
    return this.u8(v ? 1 : 0);
  }

  u32(v: number): this {
    const at = this.room(4);
    this.view.setUint32(at, v, true);
    return this;
  }

  /** A whole number, negative or not, whose magnitude is below 2^53. */
  i64(v: number): this {
    const at = this.room(8);
    this.view.setUint32(at, v >>> 0, true);
    this.view.setInt32(at + 4, Math.floor(v / 4294967296), true);
    return this;
  }

  str(v: string): this {
    // Three bytes are the most that one UTF-16 unit becomes.
    const head = this.room(4);
    const at = this.room(v.length * 3);
    const { written } = utf8.encodeInto(v, this.buf.subarray(at));
    this.view.setUint32(head, written, true);
    this.at = at + written;
    return this;
  }

  bytes(v: Uint8Array): this {
    this.u32(v.length);
    const at = this.room(v.length); // may replace this.buf
    this.buf.set(v, at);
    return this;
  }

  /** What was written, as a view that the next write may change. */
  done(): Uint8Array {
    return this.buf.subarray(0, this.at);
  }

  /** Forgets what was written and keeps the memory. */
  reset(): this {
    this.at = 0;
    return this;
  }
}

/** Takes fields off a buffer; throws a RangeError where one does not fit. */
export class Reader {
  private readonly view: DataView;
  private at = 0;

  constructor(private readonly buf: Uint8Array) {
    this.view = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
  }

  get left(): number {
    return this.buf.length - this.at;
  }

  u8(): number {
    return this.view.getUint8(this.at++);
  }

  bool(): boolean {
    return this.u8() !== 0;
  }

  u32(): number {
    const v = this.view.getUint32(this.at, true);
    this.at += 4;
    return v;
  }

  i64(): number {
    const lo = this.view.getUint32(this.at, true);
    const hi = this.view.getInt32(this.at + 4, true);
    this.at += 8;
    return hi * 4294967296 + lo;
  }

  private take(): Uint8Array {
    const n = this.u32();
    if (n > this.left) throw new RangeError(`a field of ${n} bytes in a message with ${this.left} left`);
    const b = this.buf.subarray(this.at, this.at + n);
    this.at += n;
    return b;
  }

  str(): string {
    return text.decode(this.take());
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.take().slice();
  }
}
