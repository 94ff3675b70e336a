/**
 * The journal of unfinished uploads, kept in IndexedDB by the wasm module `keeper`
 * (wasm/keeper is the other side). For a dedicated worker; the module is
 * fetched at the first call.
 *
 * A journal is a hint and never worth an upload: where the browser gives no IndexedDB,
 * a Keeper says so once and from then on keeps and finds nothing. The module may
 * die at any time (TinyGo cannot recover from a panic); what was under way is then
 * done once more on a new instance. TinyGo also never frees a reference to a
 * JavaScript object, so instances are replaced after a number of operations.
 */

import { Go } from "wasm_exec";
import { Reader, Writer } from "./codec.ts";

const op = { open: 1, put: 2, get: 3, list: 4, remove: 5 } as const;
const status = { failed: 0, ok: 1, noRoom: 2 } as const;
const problems = [undefined, "damaged", "newer", "unread"] as const;

export interface KeeperOptions {
  /** Where the module is; the build knows. */
  url?: URL;
  /** The IndexedDB database, "chunksign-journal". */
  database?: string;
  /** Operations on one instance before it is replaced, 100. A list counts as one a record. */
  recycleAfter?: number;
  /** Milliseconds without an answer after which an instance counts as dead, 30,000. */
  patience?: number;
  /** Called at most once: uploads will not be found again, for this reason. */
  onUnavailable?: (reason: string) => void;
}

/** What `list` found. */
export type KeptRecord =
  | { id: string; record: Uint8Array<ArrayBuffer>; problem?: undefined }
  /**
   * `damaged` and `newer` (written by a later version) records have been set aside and are
   * reported this once; an `unread` one could not be read this time.
   */
  | { id: string; record?: undefined; problem: "damaged" | "newer" | "unread"; detail: string };

/** The journal could not do what was asked this time; the message says why. */
export class KeeperError extends Error {
  override readonly name: string = "KeeperError";
}

/** The instance is of no more use, so the request may be tried on another. */
class Died extends KeeperError {
  override readonly name = "KeeperDied";
}

/** There is no journal here, and asking again will not help. */
class NoJournal extends KeeperError {}

/** The browser's quota, or the disk, is full. */
class NoRoom extends KeeperError {}

const startsBeforeGivingUp = 3;
// Linear memory never shrinks. A hundred puts leave it at 6 MB (TinyGo) to 9 MB (Go).
const mostMemory = 32 << 20;

export class Keeper {
  private readonly url: URL;
  private readonly database: string;
  private readonly recycleAfter: number;
  private readonly patience: number;
  private readonly onUnavailable: ((reason: string) => void) | undefined;
  private module: Promise<WebAssembly.Module> | undefined;
  private instance: Instance | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private failedStarts = 0;
  private gone = false;
  private told = false;

  constructor(options: KeeperOptions = {}) {
    this.url = options.url ?? new URL(KEEPER_WASM, import.meta.url);
    this.database = options.database ?? "chunksign-journal";
    this.recycleAfter = options.recycleAfter ?? 100;
    this.patience = options.patience ?? 30_000;
    this.onUnavailable = options.onUnavailable;
  }

  /**
   * Keeps a record under an id (1 to 64 of a-z, 0-9 and "-") in place of any earlier one;
   * false where there is no journal or no room in it.
   */
  async put(id: string, record: Uint8Array): Promise<boolean> {
    try {
      return await this.ask(new Writer().u8(op.put).str(id).bytes(record), () => true, false);
    } catch (err) {
      if (!(err instanceof NoRoom)) throw err;
      // Reading and removing go on, and the next put may find room again.
      this.tell(err.message);
      return false;
    }
  }

  /** The record kept under an id, if any; a damaged one is a KeeperError. */
  get(id: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const read = (r: Reader) => (r.bool() ? r.bytes() : undefined);
    return this.ask(new Writer().u8(op.get).str(id), read, undefined);
  }

  /** Every record, in no certain order. */
  list(): Promise<KeptRecord[]> {
    return this.ask(new Writer().u8(op.list), readList, []);
  }

  /** Forgets the record kept under an id, where there is one. */
  remove(id: string): Promise<void> {
    return this.ask(new Writer().u8(op.remove).str(id), () => undefined, undefined);
  }

  /** Lets go of the module and the database once what was asked is done. Another call starts it again. */
  close(): Promise<void> {
    return this.queue(async () => this.drop());
  }

  /** Runs one thing after another: the module has one message buffer. */
  private queue<T>(run: () => Promise<T>): Promise<T> {
    const result = this.last.then(run);
    this.last = result.catch(() => undefined);
    return result;
  }

  private ask<T>(message: Writer, read: (r: Reader) => T, otherwise: T): Promise<T> {
    return this.queue(async () => {
      for (let again = true; ; again = false) {
        if (this.gone) return otherwise;
        try {
          const instance = (this.instance ??= await this.start());
          const answer = read(await instance.ask(message.done()));
          const done = Array.isArray(answer) ? answer.length + 1 : 1;
          if ((instance.operations += done) >= this.recycleAfter || instance.size > mostMemory) this.drop();
          return answer;
        } catch (err) {
          if (err instanceof NoJournal) {
            this.gone = true;
            this.drop();
            this.tell(err.message);
          } else if (err instanceof Died) {
            this.drop();
            // One that does not start is tried until it counts as none: then that is said, not this.
            if (!again && this.failedStarts === 0) throw err;
          } else {
            throw err;
          }
        }
      }
    });
  }

  private async start(): Promise<Instance> {
    try {
      const module = await (this.module ??= compile(this.url, this.patience));
      const instance = await Instance.start(module, this.database, this.patience);
      this.failedStarts = 0;
      return instance;
    } catch (err) {
      if (err instanceof NoJournal) throw err;
      // Fetched anew next time: the network may be back.
      if (!(err instanceof Died)) this.module = undefined;
      if (++this.failedStarts >= startsBeforeGivingUp) throw new NoJournal(`the journal does not start: ${err}`);
      throw err instanceof KeeperError ? err : new KeeperError(`the journal did not start: ${err}`, { cause: err });
    }
  }

  private drop(): void {
    this.instance?.close();
    this.instance = undefined;
  }

  private tell(reason: string): void {
    if (this.told) return;
    this.told = true;
    this.onUnavailable?.(reason);
  }
}

function readList(r: Reader): KeptRecord[] {
  return Array.from({ length: r.u32() }, () => {
    const id = r.str();
    const problem = problems[r.u8()];
    return problem ? { id, problem, detail: r.str() } : { id, record: r.bytes() };
  });
}

async function compile(url: URL, patience: number): Promise<WebAssembly.Module> {
  const response = await fetch(url, { signal: AbortSignal.timeout(patience) });
  if (!response.ok) throw new Error(`${url.pathname}: HTTP ${response.status}`);
  // Streaming needs the media type application/wasm, which not every server sends.
  if (response.headers.get("Content-Type") === "application/wasm") return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/**
 * Lets TinyGo see which files are folders. hackpadfs keeps a file's mode as a number, with
 * 2^31 for a folder, and reads it as an int. Those have 32 bits in TinyGo, and
 * the conversion saturates instead of giving -2^31, which is the same bits.
 */
function keepModes(gojs: WebAssembly.ModuleImports): void {
  const name = "syscall/js.valueGet"; // of an object and a property's name
  const get = gojs[name] as (...args: unknown[]) => unknown;
  const bits = new DataView(new ArrayBuffer(8));
  gojs[name] = (...args: unknown[]) => {
    const ref = get(...args);
    if (typeof ref !== "bigint") return ref; // Go has it in memory, and ints of 64 bits
    bits.setBigInt64(0, ref); // a float64; an object is a NaN
    const value = bits.getFloat64(0);
    if (!(value >= 2 ** 31 && value < 2 ** 32)) return ref;
    bits.setFloat64(0, value - 2 ** 32);
    return bits.getBigInt64(0);
  };
}

interface Exports {
  mem?: WebAssembly.Memory; // Go's name
  memory?: WebAssembly.Memory; // TinyGo's
  buffer(n: number): number;
  post(n: number): number;
  go_scheduler?(): void; // TinyGo
}

/** What both compilers' wasm_exec.js have beside what is meant for others; scheduledTimeouts is Go's. */
type Internals = Go & { _resume(): void; readonly _scheduledTimeouts?: Map<number, number> };

interface Waiting {
  id: number;
  resolve(reply: Reader): void;
  reject(err: Error): void;
}

let instances = 0;

/** One running module with one connection to the database. Handles one request at a time. */
class Instance {
  operations = 0;
  private readonly go = new Go() as Internals;
  private readonly resume = this.go._resume.bind(this.go);
  private x!: Exports;
  private waiting: Waiting | undefined;
  private dead: Died | undefined;
  private requests = 0;
  private db: IDBDatabase | undefined;
  private stale = false; // the browser closed the connection, or somebody wants the database deleted

  private constructor(private readonly patience: number) {}

  /** Starts the module and opens the journal; NoJournal where the browser has none to give. */
  static async start(module: WebAssembly.Module, database: string, patience: number): Promise<Instance> {
    const idb: IDBFactory | undefined = globalThis.indexedDB;
    if (!idb) throw new NoJournal("this browser gives this page no IndexedDB");
    const it = new Instance(patience);
    const { go } = it;
    go.importObject["chunksign"] = { notify: (id: number, at: number, n: number) => it.reply(id, at, n) };
    // The module's way back in from IndexedDB's events. A trap there would reach only
    // the worker's error handler, and a dead module must not be called.
    go._resume = () => it.guard(it.resume);
    keepModes(go.importObject["gojs"]!);
    const instance = await WebAssembly.instantiate(module, go.importObject);
    it.x = instance.exports as unknown as Exports;
    go.run(instance).then(
      () => it.die("returned"),
      (err) => it.die(err),
    );

    let refused: unknown;
    const factory = `chunksignIndexedDB${++instances}`;
    const open = (name: string, version: number) => {
      try {
        const request = idb.open(name, version);
        request.addEventListener("success", () => it.connected(request.result));
        return request;
      } catch (err) {
        refused = err;
        throw err;
      }
    };
    const globals = globalThis as unknown as Record<string, unknown>;
    globals[factory] = { open };
    try {
      await it.ask(new Writer().u8(op.open).str(database).str(factory).done());
      return it;
    } catch (err) {
      it.close();
      // Died for no reason that the browser gave: another instance may do better.
      if (err instanceof Died && !refused) throw err;
      throw new NoJournal(`IndexedDB does not open: ${refused ?? (err as Error).message}`);
    } finally {
      delete globals[factory];
    }
  }

  /** Bytes of the module's memory. */
  get size(): number {
    return this.memory.byteLength;
  }

  /** Sends a request, without its id, and gives the reply from behind its status. */
  async ask(request: Uint8Array): Promise<Reader> {
    const id = ++this.requests;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const reply = await new Promise<Reader>((resolve, reject) => {
      if (this.dead) return reject(this.dead);
      this.waiting = { id, resolve, reject };
      timer = setTimeout(() => this.die(`no answer for ${this.patience} ms`), this.patience);
      this.guard(() => {
        const n = 4 + request.length;
        const at = this.x.buffer(n);
        new DataView(this.memory, at, n).setUint32(0, id, true);
        new Uint8Array(this.memory, at, n).set(request, 4);
        if (!this.x.post(n)) throw new Error("too many requests");
        // What was posted is only taken up when the scheduler runs.
        if (this.x.go_scheduler) this.x.go_scheduler();
        else this.resume();
      });
    }).finally(() => clearTimeout(timer));
    const said = reply.u8();
    if (said === status.ok) return reply;
    const reason = reply.str();
    if (this.stale) throw new Died(`the database was closed: ${reason}`);
    throw said === status.noRoom ? new NoRoom(reason) : new KeeperError(reason);
  }

  /** Without this the connection's own listeners would keep the whole instance in memory. */
  close(): void {
    this.die("closed");
    this.db?.close();
  }

  private connected(db: IDBDatabase): void {
    this.db = db;
    if (this.dead) db.close();
    const stale = () => void (this.stale = true);
    db.addEventListener("close", stale);
    db.addEventListener("versionchange", stale);
  }

  private reply(id: number, at: number, n: number): void {
    const { waiting } = this;
    if (waiting?.id !== id) return;
    this.waiting = undefined;
    // A copy, for the module goes on to use the memory.
    waiting.resolve(new Reader(new Uint8Array(this.memory, at, n).slice()));
  }

  // Memory can grow at any call, which detaches every view of it.
  private get memory(): ArrayBuffer {
    return (this.x.memory ?? this.x.mem)!.buffer as ArrayBuffer;
  }

  /** Calls into the module, unless it is dead, and notices when it dies of it. */
  private guard(call: () => void): void {
    if (this.dead) return;
    try {
      call();
    } catch (err) {
      this.die(err);
    }
    // After a panic Go's exports answer with garbage and run() never settles.
    if (this.go.exited) this.die("exited");
  }

  private die(why: unknown): void {
    if (this.dead) return;
    this.dead = new Died(`the journal's module died: ${why}`, { cause: why });
    this.waiting?.reject(this.dead);
    this.waiting = undefined;
    // A timer of TinyGo's calls in unless this is set; one of Go's calls _resume
    // again and again until it is off the list.
    this.go.exited = true;
    this.go._scheduledTimeouts?.forEach((timer) => clearTimeout(timer));
    this.go._scheduledTimeouts?.clear();
  }
}
