import { type Core, op } from "../core.ts";

/** Parts above this are hashed piece by piece in Go, so as not to be held in memory whole. */
const wholeAtMost = 64 * 2 ** 20;
const pieceSize = 2 ** 20;

/**
 * Hashes ranges of files with SHA-256. A range is read by a BYOB reader into a
 * buffer that the next range reuses: `slice.arrayBuffer()` leaves a garbage
 * buffer a part behind, and is slower.
 */
export class Hasher {
  private readonly idle: ArrayBuffer[] = [];

  constructor(private readonly core: Core) {}

  /** The signal ends the reading; what comes then is an error. */
  async sha256(slice: Blob, signal?: AbortSignal): Promise<Uint8Array> {
    const { size } = slice;
    if (!globalThis.crypto?.subtle || size > wholeAtMost) return this.inPieces(slice, signal);
    let buffer = this.idle.pop();
    if (!buffer || buffer.byteLength < size) buffer = new ArrayBuffer(size);
    let at = 0;
    await read(
      slice,
      () => new Uint8Array(buffer!, at, size - at),
      (bytes, own) => {
        if (own) buffer = bytes.buffer;
        else new Uint8Array(buffer!).set(bytes, at);
        at += bytes.byteLength;
        return at < size;
      },
      signal,
    );
    if (at !== size) throw new Error(`it ended after ${at} of the part's ${size} bytes`);
    const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(buffer, 0, size));
    this.idle.push(buffer);
    return new Uint8Array(digest);
  }

  /** What the engine knows a file by: a few blocks of it (wasm/upload, SampleBlocks). */
  sample(file: Blob, signal?: AbortSignal): Promise<Uint8Array> {
    const blocks = 16, block = 4096;
    if (file.size <= blocks * block) return this.sha256(file, signal);
    const places = Array.from({ length: blocks }, (_, i) => Math.floor((i * (file.size - block)) / (blocks - 1)));
    return this.sha256(new Blob(places.map((at) => file.slice(at, at + block))), signal);
  }

  /** Frees the buffers, when nothing is being uploaded. */
  rest(): void {
    this.idle.length = 0;
  }

  private async inPieces(slice: Blob, signal?: AbortSignal): Promise<Uint8Array> {
    const { core } = this;
    const hash = core.call(core.message(op.hashNew)).u32();
    let piece = new ArrayBuffer(Math.max(1, Math.min(pieceSize, slice.size)));
    let at = 0;
    try {
      await read(
        slice,
        () => new Uint8Array(piece),
        (bytes, own) => {
          core.call(core.message(op.hashWrite).u32(hash).bytes(bytes));
          if (own) piece = bytes.buffer;
          at += bytes.byteLength;
          return at < slice.size;
        },
        signal,
      );
      if (at !== slice.size) throw new Error(`it ended after ${at} of the part's ${slice.size} bytes`);
    } catch (e) {
      this.sum(hash); // frees it
      throw e;
    }
    return this.sum(hash);
  }

  private sum(hash: number): Uint8Array {
    return this.core.call(this.core.message(op.hashSum).u32(hash)).bytes();
  }
}

/**
 * The readers at work. Chromium lets a blob's stream go as garbage while a read
 * is waited for, which then never ends, unless something else holds it.
 */
const reading = new Set<ReadableStreamReader<unknown>>();

/**
 * Reads a blob into views that `room` gives; `take` gets what was read, whether
 * it stands in such a view, and says whether to go on.
 */
async function read(
  blob: Blob,
  room: () => Uint8Array<ArrayBuffer>,
  take: (bytes: Uint8Array<ArrayBuffer>, own: boolean) => boolean,
  signal?: AbortSignal,
): Promise<void> {
  if (blob.size === 0) return;
  const stream = blob.stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
  let byob: ReadableStreamBYOBReader | undefined;
  try {
    byob = stream.getReader({ mode: "byob" });
  } catch {
    // Not a byte stream in this browser: its own buffers are copied.
  }
  const plain = byob ? undefined : stream.getReader();
  const reader = (byob ?? plain)!;
  const stop = (): void => void reader.cancel();
  reading.add(reader);
  signal?.addEventListener("abort", stop);
  try {
    for (;;) {
      const { value, done } = byob ? await byob.read(room()) : await plain!.read();
      if (!value || done || signal?.aborted || !take(value, byob !== undefined)) break;
    }
    await reader.cancel();
  } finally {
    signal?.removeEventListener("abort", stop);
    reading.delete(reader);
  }
}
