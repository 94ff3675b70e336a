/** The wasm module `core`: loading it and calling it. wasm/core is the other side. */

import { Go } from "wasm_exec";
import { Reader, Writer } from "./codec.ts";

/** The ops, as in wasm/core/main.go. */
export const op = {
  signerNew: 1,
  signerFree: 2,
  sign: 3,
  presign: 4,
  signChunk: 5,
  poolMax: 6,
  uploadNew: 7,
  uploadRestore: 8,
  step: 9,
  recordRead: 10,
  hashNew: 11,
  hashWrite: 12,
  hashSum: 13,
  poolRate: 14,
} as const;

interface Exports {
  mem?: WebAssembly.Memory; // Go's name
  memory?: WebAssembly.Memory; // TinyGo's
  buffer(n: number): number;
  post(n: number): number;
  output(): number;
  go_scheduler?(): void; // TinyGo
  result?(): number; // TinyGo
}

/** The module trapped or returned. What it knew is lost; a new one can be loaded. */
export class CoreDied extends Error {
  override readonly name = "CoreDied";
}

/** One running instance. Calls are synchronous and take microseconds. */
export class Core {
  private dead: CoreDied | undefined;

  private constructor(
    private readonly go: Go,
    private readonly x: Exports,
  ) {}

  /** Fetches, compiles and starts the module. */
  static async load(url: URL): Promise<Core> {
    const go = new Go();
    const instance = await instantiate(url, go.importObject);
    go.run(instance).catch(() => undefined); // its end shows in go.exited
    return new Core(go, instance.exports as unknown as Exports);
  }

  /** A message of the given op, to which the caller adds the op's fields. */
  message(which: number): Writer {
    return this.writer.reset().u8(which);
  }
  private readonly writer = new Writer();

  /** Sends a message and gives its answer, which the next call overwrites. */
  call(message: Writer): Reader {
    if (this.dead) throw this.dead;
    const bytes = message.done();
    let answer: Uint8Array;
    try {
      const at = this.x.buffer(bytes.length);
      new Uint8Array(this.memory, at, bytes.length).set(bytes);
      const n = this.post(bytes.length);
      answer = new Uint8Array(this.memory, this.x.output(), n);
    } catch (cause) {
      throw (this.dead = new CoreDied(`the wasm module died: ${String(cause)}`, { cause }));
    }
    const r = new Reader(answer);
    if (!r.bool()) throw new TypeError(r.str());
    return r;
  }

  // Memory can grow at any call, which detaches every view of it.
  private get memory(): ArrayBuffer {
    return (this.x.memory ?? this.x.mem)!.buffer as ArrayBuffer;
  }

  private post(n: number): number {
    const { x } = this;
    if (x.go_scheduler && x.result) {
      if (!x.post(n)) throw new Error("busy");
      x.go_scheduler();
      return x.result();
    }
    const length = x.post(n);
    // After a panic Go's exports answer with garbage.
    if (this.go.exited) throw new Error("exited");
    return length;
  }
}

async function instantiate(url: URL, imports: WebAssembly.Imports): Promise<WebAssembly.Instance> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname}: HTTP ${response.status}`);
  // Streaming needs the media type application/wasm, which not every server sends.
  if (response.headers.get("Content-Type") === "application/wasm") {
    return (await WebAssembly.instantiateStreaming(response, imports)).instance;
  }
  return (await WebAssembly.instantiate(await response.arrayBuffer(), imports)).instance;
}
