import { Core, CoreDied, op } from "../core.ts";
import { ownError } from "../errors.ts";
import type { Server, Start, ToPage, ToWorker, UploadProgress, UploadWarning } from "../messages.ts";
import { Jumps, now } from "./clock.ts";
import { type Answer, type Command, type Event, readCommands, writeEvent } from "./engine.ts";
import { Hasher } from "./hash.ts";
import type { Records, Release } from "./records.ts";
import { send } from "./send.ts";
import { ServerCalls, type Tokens } from "./server.ts";
import { Tabs, type Word } from "./tabs.ts";
import type { Watch } from "./watch.ts";

type Timer = ReturnType<typeof setTimeout>;

/** One upload, as the worker runs it. */
interface Job {
  readonly page: number; // its number on the page
  readonly number: number; // the engine's
  readonly file: { name: string; type: string; size: number; lastModified: number };
  readonly blob: Blob | null; // null where it is only to be discarded
  readonly server: Server;
  readonly calls: ServerCalls;
  readonly drops: Map<number, () => void>; // calls under way, by their ID
  readonly record: string; // its name in the journal
  readonly firstPart: Promise<void>;
  partSent(): void;
  recorded: boolean; // the journal has it, or will have
  unreadable: unknown; // what the browser last threw when it read the file
  release: Release; // of the record's lock
  wake: Timer | undefined;
  expired: number | undefined; // a sweep's: the record expired then by the server's clock, ms since 1970
}

/** Milliseconds between two looks at the clocks while uploads are under way. */
const lookEvery = 10_000;

/**
 * Carries out what the engine says: it gives the engine events and does the
 * commands that come back. It decides nothing. When the module dies it says so
 * and does nothing more: the page has another worker take over.
 */
export class Driver {
  private readonly jobs = new Map<number, Job>(); // by the engine's number
  private readonly starting = new Map<number, Promise<Job | undefined>>(); // by the page's
  private readonly tabs = new Tabs((word) => this.heard(word));
  private readonly jumps = new Jumps();
  private readonly hasher: Hasher;
  private watch: Promise<Watch> | undefined;
  private looks: Timer | undefined;
  private wake: Timer | undefined; // the pool's own
  private skew = 0; // the server's clock minus ours, ms
  private sweeps = 0;
  private dead = false;

  constructor(
    private readonly core: Core,
    private readonly records: Records,
    private readonly tokens: Tokens,
    private readonly say: (m: ToPage) => void,
  ) {
    this.hasher = new Hasher(core);
  }

  hear(m: Exclude<ToWorker, { t: "token" | "ping" }>): void {
    switch (m.t) {
      case "start":
        void this.start(m);
        break;
      case "limits":
        this.limit(m);
        break;
      case "online":
        this.step(0, { e: m.on ? "online" : "offline" });
        break;
      case "signedIn":
        this.tokens.renew();
        this.step(0, { e: "signedIn" });
        break;
      case "pending":
        void this.watching().then((watch) => watch.answer(m.ask, m.server));
        break;
      default:
        void this.starting.get(m.id)?.then((job) => {
          if (job && this.jobs.has(job.number)) this.step(job.number, m.t === "pause" ? { e: "pause", force: m.force } : { e: m.t });
        });
    }
  }

  private limit({ concurrency, maxBytesPerSecond }: Extract<ToWorker, { t: "limits" }>): void {
    const { core } = this;
    if (concurrency !== undefined) core.call(core.message(op.poolMax).u32(concurrency));
    if (maxBytesPerSecond !== undefined) core.call(core.message(op.poolRate).i64(maxBytesPerSecond));
  }

  private start(m: Start, expired?: number): Promise<Job | undefined> {
    const starting = this.begin(m, expired).catch((e: unknown) => {
      if (e instanceof CoreDied) this.died(e);
      else this.say({ t: "failed", id: m.id, error: e instanceof Refusal ? ownError(e.code, e.message, e.retryable) : ownError("module_died", String(e), true, e) });
      this.starting.delete(m.id);
      return undefined;
    });
    this.starting.set(m.id, starting);
    return starting;
  }

  private async begin(m: Start, expired: number | undefined): Promise<Job> {
    const { core, records } = this;
    const { record, server } = m;
    const release = await records.lock(record, m.patience);
    if (!release) throw new Refusal("in_other_tab", true, "another tab is working on this upload; go on there, or close it");
    try {
      const kept = m.kept ?? (m.resumes ? await records.get(record) : undefined);
      if (m.resumes && !kept) throw new Refusal("no_record", false, "the upload is finished, or its record is gone; begin it anew");
      const file = m.file ?? this.recorded(kept!).file;
      const message = core.message(kept ? op.uploadRestore : op.uploadNew);
      message.str(file.name).str(file.type).i64(file.size).i64(file.lastModified).i64(m.partSize);
      message.u32(random()).u32(random()); // the seed, a u64
      message.i64(m.stall).str(self.location.origin);
      if (kept) message.bytes(kept);
      const number = core.call(message).u32();
      let partSent = (): void => undefined;
      const firstPart = new Promise<void>((resolve) => (partSent = resolve));
      const job: Job = {
        page: m.id, number, file, blob: m.file, server, record, release, firstPart, partSent, expired,
        calls: new ServerCalls(server, this.tokens, (ev) => this.answer(job, ev)),
        drops: new Map(), recorded: kept !== undefined, unreadable: undefined, wake: undefined,
      };
      this.jobs.set(number, job);
      this.looks ??= setInterval(() => this.look(), lookEvery);
      // The worker that wrote it may have died before it was through.
      if (m.kept) void records.put(record, server, m.kept, Promise.resolve());
      if (kept) this.tabs.say({ t: "changed" });
      if (!m.file) this.step(number, { e: "cancel" });
      else this.step(number, { e: navigator.onLine ? "tick" : "offline" });
      return job;
    } catch (e) {
      void release();
      throw e;
    }
  }

  private recorded(record: Uint8Array) {
    const r = this.core.call(this.core.message(op.recordRead).bytes(record));
    const file = { name: r.str(), type: r.str(), size: r.i64(), lastModified: r.i64() };
    r.i64(), r.i64(); // when it began, when its grant expires
    return { file, key: r.str(), uploadId: r.str() };
  }

  /** Gives the engine an event, for all uploads with number 0, and does what it says. */
  private step(number: number, ev: Event): void {
    if (this.dead) return;
    if (ev.e !== "jumped" && this.jumps.look()) this.step(0, { e: "jumped" });
    const message = this.core.message(op.step).i64(now()).u32(number);
    writeEvent(message, ev);
    let commands;
    try {
      commands = readCommands(this.core.call(message));
    } catch (e) {
      if (e instanceof CoreDied) return this.died(e);
      throw e;
    }
    for (const { upload, command } of commands) {
      const job = this.jobs.get(upload);
      if (job) this.carryOut(job, command);
      else if (upload === 0 && command.c === "wake") this.wake = this.wakeAt(this.wake, command.at, 0);
    }
  }

  /** An event that ends the call it answers, or says how far that is. */
  private answer(job: Job, ev: Answer): void {
    if (!job.drops.has(ev.id)) return; // dropped meanwhile
    if (ev.e !== "sent") job.drops.delete(ev.id);
    if (ev.e === "granted" || ev.e === "renewed") this.skew = ev.serverTime - Date.now();
    if (job.expired !== undefined && this.spared(job, ev)) return;
    this.step(job.number, ev);
  }

  /** Whether a sweep ends by what the server says: the record has not expired, or no grant is left to remove anything by. */
  private spared(job: Job, ev: Answer): boolean {
    const gone = ev.e === "refused" && (ev.error.code === "grant_expired" || ev.error.code === "grant_invalid");
    if (gone) void this.records.remove(job.record);
    if (!gone && !(ev.e === "renewed" && ev.serverTime < job.expired!)) return false;
    this.step(job.number, { e: "stop" });
    return true;
  }

  private carryOut(job: Job, c: Command): void {
    const { drops, calls } = job;
    switch (c.c) {
      case "ask":
        drops.set(c.id, calls.ask(c.id, job.file, c.checksum, c.partSize));
        break;
      case "renew":
        drops.set(c.id, calls.renew(c.id, c.grant));
        break;
      case "verify":
        drops.set(c.id, calls.verify(c.id, c.grant, c.etag));
        break;
      case "multipart":
        drops.set(c.id, calls.multipart(c.id, c.body));
        break;
      case "hash":
      case "sample": {
        const abort = new AbortController();
        drops.set(c.id, () => abort.abort());
        void this.read(job, c, abort.signal).then((ev) => ev && this.answer(job, ev));
        break;
      }
      case "warn":
        this.say({ t: "warning", id: job.page, warning: c });
        break;
      case "send":
        drops.set(c.id, send(c, job.blob, (ev) => this.answer(job, ev)));
        if (c.part > 0) job.partSent();
        break;
      case "drop": {
        const drop = drops.get(c.id);
        drops.delete(c.id);
        drop?.();
        break;
      }
      case "persist": {
        const { key, uploadId } = this.recorded(c.record);
        this.say({ t: "recorded", id: job.page, record: c.record, key, uploadId });
        void this.records.put(job.record, job.server, c.record, job.firstPart).then(() => {
          if (!job.recorded) this.tabs.say({ t: "changed" });
          job.recorded = true;
        });
        break;
      }
      case "forget":
        job.partSent();
        void this.records.remove(job.record);
        break;
      case "wake":
        job.wake = this.wakeAt(job.wake, c.at, job.number);
        break;
      case "report":
        this.report(job, c.progress);
        break;
      case "done":
        this.say({ t: "done", id: job.page, object: c.object });
        this.end(job);
        break;
      case "failed":
        this.say({ t: "failed", id: job.page, error: { ...c.error, cause: c.error.code === "file_unreadable" ? job.unreadable : undefined } });
        this.end(job);
    }
  }

  /** Reads what the engine wants to know of the file; undefined where there is nobody left to know it. */
  private async read(job: Job, c: Extract<Command, { c: "hash" | "sample" }>, signal: AbortSignal): Promise<Answer | undefined> {
    const { id } = c;
    const { hasher } = this;
    const blob = job.blob!;
    try {
      // Chromium gives a file that is gone the size 0; only reading tells it from an empty one.
      if (job.file.size === 0) await blob.arrayBuffer();
      if (c.c === "sample") return { e: "sampled", id, digest: await hasher.sample(blob, signal) };
      return { e: "hashed", id, digest: await hasher.sha256(blob.slice(c.offset, c.offset + c.size), signal) };
    } catch (e) {
      if (e instanceof CoreDied) return void this.died(e);
      job.unreadable = e;
      const why = e instanceof Error ? e.message : String(e);
      return { e: "unreadable", id, message: `"${job.file.name}" cannot be read; it was changed, moved or removed since it was chosen (${why})` };
    }
  }

  private wakeAt(before: Timer | undefined, at: number, number: number): Timer {
    clearTimeout(before);
    return setTimeout(() => this.step(number, { e: "tick" }), Math.max(0, at - now()));
  }

  private report(job: Job, p: UploadProgress): void {
    const at = p.trouble?.retryAt;
    // The page reads the clock on the wall.
    const progress = at ? { ...p, trouble: { ...p.trouble!, retryAt: new Date(at.getTime() - now() + Date.now()) } } : p;
    this.say({ t: "progress", id: job.page, progress });
    if (job.recorded) this.tabs.report(job.record, progress);
  }

  private end(job: Job): void {
    clearTimeout(job.wake);
    for (const drop of job.drops.values()) drop();
    job.partSent();
    this.jobs.delete(job.number);
    this.starting.delete(job.page);
    void this.records.end(job.record, job.release).then(() => {
      if (job.recorded) this.tabs.ended(job.record);
    });
    if (this.jobs.size > 0) return;
    clearInterval(this.looks);
    this.looks = undefined;
    this.hasher.rest();
  }

  private look(): void {
    if (this.jumps.look()) this.step(0, { e: "jumped" });
  }

  private heard(word: Word): void {
    void this.watch?.then((watch) => watch.hear(word));
  }

  private watching(): Promise<Watch> {
    return (this.watch ??= import("./watch.ts").then(({ Watch }) => new Watch({
      core: () => this.core,
      records: this.records,
      atWork: (record) => [...this.jobs.values()].some((job) => job.record === record),
      skew: () => this.skew,
      sweep: (server, record, expires) => this.sweep(server, record, expires),
      ask: () => this.tabs.say({ t: "who" }),
      died: (cause) => this.died(cause),
      say: this.say,
      warn: (warning: UploadWarning) => this.say({ t: "warning", id: 0, warning }),
    })));
  }

  private sweep(server: Server, record: string, expires: number): void {
    const id = --this.sweeps; // numbers that the page does not use
    void this.start({ t: "start", id, server, file: null, partSize: 0, stall: 0, record, resumes: true, kept: null, patience: 1000 }, expires);
  }

  /** The module is gone, and with it what it knew; the page, the records and the store keep the rest. */
  private died(cause: CoreDied): void {
    if (this.dead) return;
    this.dead = true;
    this.say({ t: "died", why: cause.message });
  }
}

/** An upload that cannot begin. */
class Refusal extends Error {
  constructor(readonly code: string, readonly retryable: boolean, message: string) {
    super(message);
  }
}

function random(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
