import { Reader, Writer } from "../codec.ts";
import { type Core, op } from "../core.ts";
import type { Keeper } from "../keeper.ts";
import type { PendingUpload, Server } from "../messages.ts";

/** The envelope's version; the engine's record inside has its own. */
const version = 1;

/**
 * The journal of unfinished uploads. The module that keeps it is loaded when
 * it is first needed, and for a new upload not before its first part is on its
 * way. While a tab works on an upload it holds the Web Lock of its record.
 */
export class Records {
  private keeper: Promise<Keeper> | undefined;
  private readonly writing = new Map<string, Promise<void>>();

  constructor(private readonly warn: (message: string) => void) {}

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

  /** The records of one destination that no tab is working on. */
  async pending(core: Core, endpoint: string, destination: string): Promise<PendingUpload[]> {
    const held = new Set((await locks?.query())?.held?.map((l) => l.name));
    const list: PendingUpload[] = [];
    for (const kept of await (await this.open()).list()) {
      if (kept.problem) {
        this.warn(`the record ${kept.id} of an unfinished upload is set aside (${kept.problem}): ${kept.detail}`);
        continue;
      }
      const { id } = kept;
      const e = readEnvelope(kept.record);
      if (!e || e.endpoint !== endpoint || e.destination !== destination || held.has(lockName(id))) continue;
      try {
        const r = core.call(core.message(op.recordRead).bytes(e.record));
        const name = r.str(), type = r.str(), size = r.i64(), lastModified = r.i64();
        list.push({ id, name, type, size, lastModified, begun: new Date(r.i64()), expires: new Date(r.i64()) });
      } catch (cause) {
        this.warn(`the record ${id} of an unfinished upload cannot be read: ${(cause as Error).message}`);
      }
    }
    return list.sort((a, b) => a.begun.getTime() - b.begun.getTime());
  }

  /** Holds an upload's lock until the returned function is called; undefined where another tab has it. */
  async lock(id: string): Promise<(() => void) | undefined> {
    if (!locks) return () => undefined;
    return new Promise((resolve) => {
      void locks.request(lockName(id), { ifAvailable: true }, (lock) => {
        if (!lock) {
          resolve(undefined);
          return;
        }
        return new Promise<void>((release) => resolve(release));
      });
    });
  }

  /** Settles when nothing of the record is being written any more. */
  settled(id: string): Promise<void> {
    return this.writing.get(id) ?? Promise.resolve();
  }

  private inTurn(id: string, what: () => Promise<void>): Promise<void> {
    const before = this.writing.get(id) ?? Promise.resolve();
    const after = before.then(what).catch((e: unknown) => {
      this.warn(`the journal could not note an upload, which goes on without: ${e instanceof Error ? e.message : String(e)}`);
    });
    this.writing.set(id, after);
    void after.then(() => {
      if (this.writing.get(id) === after) this.writing.delete(id);
    });
    return after;
  }

  private open(): Promise<Keeper> {
    return (this.keeper ??= import("../keeper.ts").then(({ Keeper }) => new Keeper({ onUnavailable: this.warn })));
  }
}

/** Missing on plain http: two tabs are then kept apart by nothing. */
const locks = (navigator as Partial<WorkerNavigator>).locks;

const lockName = (id: string): string => `chunksign:${id}`;

function readEnvelope(bytes: Uint8Array): { endpoint: string; destination: string; record: Uint8Array<ArrayBuffer> } | undefined {
  try {
    const r = new Reader(bytes);
    if (r.u8() !== version) return undefined;
    return { endpoint: r.str(), destination: r.str(), record: r.bytes() };
  } catch {
    return undefined;
  }
}
