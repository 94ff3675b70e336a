import { Reader, Writer } from "../codec.ts";
import type { Keeper, KeptRecord } from "../keeper.ts";
import type { Server, UploadWarning } from "../messages.ts";

/** The envelope's version; the engine's record inside has its own. */
const version = 1;

/** A record with whose upload it is. */
export interface Envelope {
  endpoint: string;
  destination: string;
  record: Uint8Array<ArrayBuffer>;
}

/**
 * The journal of unfinished uploads. The module that keeps it is loaded when
 * it is first needed, and for a new upload not before its first part is on its
 * way. While a tab works on an upload it holds the Web Lock of its record.
 */
export class Records {
  private keeper: Promise<Keeper> | undefined;
  private readonly writing = new Map<string, Promise<void>>();
  private readonly ending = new Set<Promise<void>>();
  private failed = false;

  constructor(private readonly warn: (warning: UploadWarning) => void) {}

  /** Writes a record once `ready` is settled, after whatever was written of it before. */
  put(id: string, server: Server, record: Uint8Array, ready: Promise<unknown>): Promise<void> {
    const w = new Writer().u8(version).str(server.endpoint).str(server.destination).bytes(record);
    const bytes = w.done().slice();
    return this.inTurn(id, async () => {
      await ready;
      await (await this.open()).put(id, bytes);
    });
  }

  remove(id: string): Promise<void> {
    return this.inTurn(id, async () => (await this.open()).remove(id));
  }

  /** The engine's record, or undefined where there is none that can be read. */
  async get(id: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await (await this.open()).get(id);
    return bytes && readEnvelope(bytes)?.record;
  }

  /** Everything in the journal, after what is being written. */
  async list(): Promise<KeptRecord[]> {
    await Promise.all(this.ending); // what has just ended here is not at work any more
    return (await this.open()).list();
  }

  /** Holds an upload's lock until it is released; undefined where another tab has it for so many milliseconds. */
  async lock(id: string, patience: number): Promise<Release | undefined> {
    if (!locks) return () => Promise.resolve();
    return new Promise((resolve) => {
      const held: Promise<unknown> = locks
        .request(lockName(id), { signal: AbortSignal.timeout(patience) }, () => new Promise<void>((free) => resolve(() => (free(), held))))
        .catch(() => resolve(undefined));
    });
  }

  /** Releases an upload's lock once the last of its record is written: then another tab may take it. */
  end(id: string, release: Release): Promise<void> {
    const ended = (this.writing.get(id) ?? Promise.resolve()).then(release).then(() => void this.ending.delete(ended));
    this.ending.add(ended);
    return ended;
  }

  private inTurn(id: string, what: () => Promise<void>): Promise<void> {
    const before = this.writing.get(id) ?? Promise.resolve();
    const after = before.then(what).catch((e: unknown) => this.told(e));
    this.writing.set(id, after);
    void after.then(() => {
      if (this.writing.get(id) === after) this.writing.delete(id);
    });
    return after;
  }

  /** Said once: with a thousand uploads it would be no clearer a thousand times. */
  private told(e: unknown): void {
    if (this.failed) return;
    this.failed = true;
    const message = `the journal could not note an upload, which goes on without: ${e instanceof Error ? e.message : String(e)}`;
    this.warn({ code: "journal_failed", message });
  }

  private open(): Promise<Keeper> {
    this.keeper ??= import("../keeper.ts").then(
      ({ Keeper }) => new Keeper({ onUnavailable: (why) => this.warn({ code: "journal_unavailable", message: `uploads go on, but cannot be found again after this page: ${why}` }) }),
      (e: unknown) => {
        this.keeper = undefined; // the network may be back next time
        throw e;
      },
    );
    return this.keeper;
  }
}

/** Lets a lock go; settles when it is gone. */
export type Release = () => Promise<unknown>;

/** Missing on plain http: two tabs are then kept apart by nothing. */
export const locks = (navigator as Partial<WorkerNavigator>).locks;

export const lockName = (id: string): string => `chunksign:${id}`;

export function readEnvelope(bytes: Uint8Array): Envelope | undefined {
  try {
    const r = new Reader(bytes);
    if (r.u8() !== version) return undefined;
    return { endpoint: r.str(), destination: r.str(), record: r.bytes() };
  } catch {
    return undefined;
  }
}
