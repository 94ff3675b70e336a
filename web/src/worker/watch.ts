/** The list of unfinished uploads: made when a page asks for it, and again when it changes. */

import { type Core, CoreDied, op } from "../core.ts";
import type { KeptRecord } from "../keeper.ts";
import type { JournalEntry, Server, ToPage, UploadProgress, UploadWarning } from "../messages.ts";
import { type Envelope, locks, lockName, readEnvelope, type Records } from "./records.ts";
import type { Word } from "./tabs.ts";

/** What the list needs of the driver. */
export interface Surroundings {
  core(): Core;
  records: Records;
  /** Whether this tab is working on the record's upload. */
  atWork(record: string): boolean;
  /** The server's clock minus ours in milliseconds, 0 while not known. */
  skew(): number;
  /** Removes an expired upload from the store and from the journal. */
  sweep(server: Server, record: string, expires: number): void;
  /** Asks the other tabs how far they are. */
  ask(): void;
  died(cause: CoreDied): void;
  say(m: ToPage): void;
  warn(warning: UploadWarning): void;
}

/** Milliseconds in which changes are taken together. */
const together = 250;

/** Milliseconds until an expired record is swept again, where the server did not let it. */
const sweepEvery = 60_000;

const day = 86_400_000;

/** Records that no version can read stay for so long, in case one of a later version can. */
const unreadableFor = 30 * day;

/**
 * Records expire this long before their grant: the store's parts are removed
 * by the grant's credentials. 12 hours of the usual 7 days, a tenth of shorter ones.
 */
export const margin = (begun: number, grantExpires: number): number => Math.min(day / 2, (grantExpires - begun) / 10);

/** A page's list, as it was last told. */
interface Told {
  server: Server;
  list: JournalEntry[];
  known: string[];
}

export class Watch {
  private readonly told = new Map<string, Told>(); // by destination
  private readonly progress = new Map<string, UploadProgress>();
  private readonly waiting = new Set<string>(); // records whose lock another tab has
  private readonly warned = new Set<string>(); // records
  private readonly swept = new Map<string, number>(); // records, and when last
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stale = false; // the journal has changed since

  constructor(private readonly around: Surroundings) {}

  /** Answers a page, and watches on its behalf from then on. */
  async answer(ask: number, server: Server): Promise<void> {
    await this.list(ask, server);
  }

  hear(word: Word): void {
    if (word.t === "changed") this.stale = true;
    if (word.t === "progress") this.progress.set(word.record, word.progress);
    if (this.told.size > 0) this.timer ??= setTimeout(() => void this.refresh(), together);
  }

  private async refresh(): Promise<void> {
    this.timer = undefined;
    const { stale } = this;
    this.stale = false;
    for (const told of this.told.values()) {
      if (stale) await this.list(0, told.server);
      else if (told.list.some((p) => p.inOtherTab)) this.tell(0, told);
    }
  }

  private tell(ask: number, told: Told): void {
    const list = told.list.map((p) => ({ ...p, progress: p.inOtherTab ? this.progress.get(p.id) : undefined }));
    this.around.say({ t: "pending", ask, ...told, list });
  }

  private async list(ask: number, server: Server): Promise<void> {
    const { records, warn, died } = this.around;
    const told: Told = { server, list: [], known: [] };
    try {
      const kept = await records.list();
      told.known = kept.map((k) => k.id);
      const held = new Set((await locks?.query())?.held?.filter((l) => l.mode === "exclusive").map((l) => l.name));
      told.list = kept.flatMap((k) => this.entry(k, server, held) ?? []);
    } catch (e) {
      if (e instanceof CoreDied) return died(e);
      warn({ code: "journal_failed", message: `unfinished uploads cannot be listed: ${e instanceof Error ? e.message : String(e)}` });
    }
    told.list.sort((a, b) => a.begun.getTime() - b.begun.getTime());
    this.await(told.list);
    if (told.list.some((p) => p.inOtherTab && !this.progress.has(p.id))) this.around.ask();
    this.told.set(`${server.endpoint} ${server.destination}`, told);
    this.tell(ask, told);
  }

  /** What the page is told of a record, if anything. */
  private entry(kept: KeptRecord, server: Server, held: Set<string | undefined>): JournalEntry | undefined {
    const { id } = kept;
    if (kept.problem) return this.aside(id, `${kept.problem}: ${kept.detail}`);
    const { atWork, core, skew, sweep } = this.around;
    const e = readEnvelope(kept.record);
    if (!e) return this.unreadable(id, "its envelope is damaged or of another version");
    if (e.endpoint !== server.endpoint || e.destination !== server.destination || atWork(id)) return undefined;
    const read = readRecord(core(), e);
    if (typeof read === "string") return this.unreadable(id, read);
    const inOtherTab = held.has(lockName(id));
    if (!inOtherTab && Date.now() + skew() >= read.expires.getTime()) {
      // A clock that is wrong proves nothing: the sweep asks the server before it removes anything.
      if (!(performance.now() - this.swept.get(id)! < sweepEvery)) {
        this.swept.set(id, performance.now());
        sweep(server, id, read.expires.getTime());
      }
      return undefined;
    }
    return { id, ...read, inOtherTab, progress: undefined };
  }

  private aside(id: string, why: string): undefined {
    if (!this.warned.has(id)) this.around.warn({ code: "record_set_aside", message: `the record ${id} of an unfinished upload is set aside, ${why}` });
    this.warned.add(id);
  }

  private unreadable(id: string, why: string): undefined {
    this.aside(id, why);
    const made = parseInt(id, 36); // up to the first "-", the time
    if (Date.now() - made > unreadableFor) void this.around.records.remove(id);
  }

  /** Looks again when another tab lets go of one of these. */
  private await(list: JournalEntry[]): void {
    for (const { id, inOtherTab } of list) {
      if (!inOtherTab || this.waiting.has(id)) continue;
      this.waiting.add(id);
      // Shared, so that tabs that wait do not take each other for one at work.
      void locks?.request(lockName(id), { mode: "shared" }, () => {
        this.waiting.delete(id);
        this.hear({ t: "changed" });
      });
    }
  }
}

/** The engine's reading of a record, or what is wrong with it. */
function readRecord(core: Core, { record }: Envelope) {
  try {
    const r = core.call(core.message(op.recordRead).bytes(record));
    const name = r.str(), type = r.str(), size = r.i64(), lastModified = r.i64(), begun = r.i64(), grantExpires = r.i64(), key = r.str();
    return { name, type, size, lastModified, key, begun: new Date(begun), expires: new Date(grantExpires - margin(begun, grantExpires)) };
  } catch (e) {
    if (e instanceof CoreDied) throw e;
    return (e as Error).message;
  }
}
