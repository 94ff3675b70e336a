import { type Core, CoreDied, op } from "../core.ts";
import type { ErrorInfo } from "../errors.ts";
import type { Server, ToPage, ToWorker } from "../messages.ts";
import { type Answer, type Command, type Event, readCommands, writeEvent } from "./engine.ts";
import { Hasher } from "./hash.ts";
import type { Records } from "./records.ts";
import { send } from "./send.ts";
import { ServerCalls, type Tokens } from "./server.ts";

/** One upload, as the worker runs it. */
interface Job {
  readonly page: number; // its number on the page
  readonly file: { name: string; type: string; size: number; lastModified: number };
  readonly blob: Blob | null; // null where it is only to be discarded
  readonly server: Server;
  readonly calls: ServerCalls;
  readonly drops: Map<number, () => void>; // calls under way, by their ID
  readonly record: string; // its name in the journal
  readonly firstPart: Promise<void>;
  partSent(): void;
  release: (() => void) | undefined; // of the record's lock
  wake: ReturnType<typeof setTimeout> | undefined;
}

type Start = Extract<ToWorker, { t: "start" | "discard" }>;

/**
 * Carries out what the engine says: it gives the engine events and does the
 * commands that come back. It decides nothing.
 */
export class Driver {
  private readonly jobs = new Map<number, Job>(); // by the engine's number
  private readonly numbers = new Map<number, number>(); // the page's number → the engine's
  private readonly hasher: Hasher;

  constructor(
    private readonly core: Core,
    private readonly records: Records,
    private readonly tokens: Tokens,
    private readonly say: (m: ToPage) => void,
  ) {
    this.hasher = new Hasher(core);
  }

  async hear(m: Exclude<ToWorker, { t: "token" }>): Promise<void> {
    switch (m.t) {
      case "start":
      case "discard":
        await this.start(m).catch((e: unknown) => this.failed(m.id, "module_died", e));
        break;
      case "concurrency":
        this.core.call(this.core.message(op.poolMax).u32(m.lanes));
        break;
      case "online":
        this.step(0, { e: m.on ? "online" : "offline" });
        break;
      case "pending":
        this.say({ t: "pending", ask: m.ask, list: await this.pending(m.endpoint, m.destination) });
        break;
      default: {
        const number = this.numbers.get(m.id);
        if (number !== undefined) this.step(number, m.t === "pause" ? { e: "pause", force: m.force } : { e: m.t });
      }
    }
  }

  private async pending(endpoint: string, destination: string) {
    try {
      return await this.records.pending(this.core, endpoint, destination);
    } catch (e) {
      this.say({ t: "warning", message: `unfinished uploads cannot be listed: ${e instanceof Error ? e.message : String(e)}` });
      return [];
    }
  }

  private async start(m: Start): Promise<void> {
    const { core } = this;
    const restored = m.record;
    const record = restored ?? `${Date.now().toString(36)}-${random().toString(36)}${random().toString(36)}`;
    const release = await this.records.lock(record);
    if (!release) throw new Refusal("in_other_tab", true, "another tab is working on this upload; go on there, or close it");
    try {
      const bytes = restored === null ? undefined : await this.records.get(restored);
      if (restored !== null && !bytes) throw new Refusal("no_record", false, "the upload is finished, or its record is gone; begin it anew");
      const file = m.t === "start" ? m.file : this.recordedFile(bytes!);
      const message = core.message(bytes ? op.uploadRestore : op.uploadNew);
      message.str(file.name).str(file.type).i64(file.size).i64(file.lastModified).i64(m.t === "start" ? m.partSize : 0);
      message.u32(random()).u32(random()); // the seed, a u64
      if (bytes) message.bytes(bytes);
      const number = core.call(message).u32();
      let partSent = (): void => undefined;
      const firstPart = new Promise<void>((resolve) => (partSent = resolve));
      const calls = new ServerCalls(
        m.server,
        async () => (m.server.token ? this.tokens.get(m.id) : null),
        (ev) => this.answer(number, ev),
      );
      this.jobs.set(number, {
        page: m.id, file, blob: m.t === "start" ? m.file : null, server: m.server, calls, record, release,
        drops: new Map(), firstPart, partSent, wake: undefined,
      });
      this.numbers.set(m.id, number);
      if (m.t === "discard") this.step(number, { e: "cancel" });
      else this.step(number, { e: navigator.onLine ? "tick" : "offline" });
    } catch (e) {
      release();
      throw e;
    }
  }

  private recordedFile(record: Uint8Array) {
    const r = this.core.call(this.core.message(op.recordRead).bytes(record));
    return { name: r.str(), type: r.str(), size: r.i64(), lastModified: r.i64() };
  }

  /** Gives the engine an event, for all uploads with number 0, and does what it says. */
  private step(number: number, ev: Event): void {
    const message = this.core.message(op.step).i64(Date.now()).u32(number);
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
      if (job) this.carryOut(upload, job, command);
    }
  }

  /** An event that ends the call it answers, or says how far that is. */
  private answer(number: number, ev: Answer): void {
    const job = this.jobs.get(number);
    if (!job?.drops.has(ev.id)) return; // dropped meanwhile
    if (ev.e !== "sent") job.drops.delete(ev.id);
    this.step(number, ev);
  }

  private carryOut(number: number, job: Job, c: Command): void {
    switch (c.c) {
      case "ask":
        job.drops.set(c.id, job.calls.ask(c.id, job.file));
        break;
      case "renew":
        job.drops.set(c.id, job.calls.renew(c.id, c.grant));
        break;
      case "verify":
        job.drops.set(c.id, job.calls.verify(c.id, c.grant, c.etag));
        break;
      case "hash":
        job.drops.set(c.id, () => undefined);
        void this.hash(number, job, c.id, c.offset, c.size);
        break;
      case "send":
        job.drops.set(c.id, send(c, job.blob, (ev) => this.answer(number, ev)));
        if (c.part > 0) job.partSent();
        break;
      case "drop": {
        const drop = job.drops.get(c.id);
        job.drops.delete(c.id);
        drop?.();
        break;
      }
      case "persist":
        void this.records.put(job.record, job.server, c.record, job.firstPart);
        break;
      case "forget":
        job.partSent();
        void this.records.remove(job.record);
        break;
      case "wake":
        clearTimeout(job.wake);
        job.wake = setTimeout(() => this.step(number, { e: "tick" }), Math.max(0, c.at - Date.now()));
        break;
      case "report":
        this.say({ t: "progress", id: job.page, progress: c.progress });
        break;
      case "done":
        this.say({ t: "done", id: job.page, object: c.object });
        this.end(number, job);
        break;
      case "failed":
        this.say({ t: "failed", id: job.page, error: c.error });
        this.end(number, job);
    }
  }

  private async hash(number: number, job: Job, id: number, offset: number, size: number): Promise<void> {
    let ev: Answer;
    try {
      // Chromium gives a file that is gone the size 0; only reading tells it from an empty one.
      if (job.file.size === 0) await job.blob!.arrayBuffer();
      ev = { e: "hashed", id, digest: await this.hasher.sha256(job.blob!.slice(offset, offset + size)) };
    } catch (e) {
      if (e instanceof CoreDied) return this.died(e);
      const why = e instanceof Error ? e.message : String(e);
      ev = { e: "unreadable", id, message: `"${job.file.name}" cannot be read; it was changed, moved or removed since it was chosen (${why})` };
    }
    this.answer(number, ev);
  }

  private end(number: number, job: Job): void {
    clearTimeout(job.wake);
    for (const drop of job.drops.values()) drop();
    job.partSent();
    this.jobs.delete(number);
    this.numbers.delete(job.page);
    // The record's last write comes before another tab may take the upload.
    void this.records.settled(job.record).then(job.release);
    if (this.jobs.size === 0) this.hasher.rest();
  }

  /** The module is gone, and with it what it knew; the records and the store keep the rest. */
  private died(cause: CoreDied): void {
    for (const [number, job] of [...this.jobs]) {
      this.failed(job.page, "module_died", new Error(`${cause.message}; reload the page and go on from what the store has`));
      this.end(number, job);
    }
  }

  private failed(page: number, code: string, e: unknown): void {
    const error: ErrorInfo = {
      code: e instanceof Refusal ? e.code : code, message: e instanceof Error ? e.message : String(e),
      status: 0, requestId: "", retryable: e instanceof Refusal ? e.retryable : true, part: 0,
    };
    this.say({ t: "failed", id: page, error });
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
