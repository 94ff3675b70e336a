import { type ErrorInfo, ownError } from "./errors.ts";
import type { JournalEntry, Limits, Server, Start, ToPage, ToWorker, UploadWarning } from "./messages.ts";
import { Upload } from "./upload.ts";

/** A bearer token, or what gives a current one. */
export type Token = string | (() => string | Promise<string>);

/** What the page tells an Uploader. */
export interface Listener {
  readonly server: Server;
  warned(warning: UploadWarning): void;
  pendingChanged(list: JournalEntry[], known: string[]): void;
}

/** What an upload begins from. */
export interface Order extends Pick<Start, "server" | "partSize" | "stall" | "record" | "resumes"> {
  listener: Listener;
  name: string;
  /** The file; null to discard what the store has; or what opens it, with its handle. */
  file: File | null | (() => Promise<{ file: File; handle: FileSystemFileHandle }>);
}

/** An upload, and what was last wanted of it, for a worker that takes it over. */
interface Running {
  readonly upload: Upload;
  readonly order: Order;
  start: Start | undefined; // until its file is open
  handle: FileSystemFileHandle | undefined;
  paused: { force: boolean } | undefined;
  ending: "cancel" | "stop" | undefined;
  best: number; // bytes, the most that were ever confirmed
}

// A worker that answers none of so many pings in a row hangs. Ticks are counted, not
// seconds: a page's timers stand still while the machine sleeps.
const pingEvery = 5000;
const patience = 6;

/** Milliseconds that a record's lock is waited for: a page that has just gone holds its own a moment longer. */
const gonePageLetsGo = 2000;

/** The same, where this page's own worker had the lock: browsers take seconds to end one that spins. */
const hungWorkerLetsGo = 60_000;

/** Workers that may die one after the other without an upload getting further. */
const mostDeaths = 3;

/**
 * The page's one worker, and the uploads that run in it. Where the worker dies or
 * hangs, another takes them over: the files are still here, and the records.
 */
export class Page {
  private worker: Worker | undefined;
  private readonly running = new Map<number, Running>();
  private readonly asked = new Map<number, { message: ToWorker; resolve(answer: { list: JournalEntry[]; known: string[] }): void }>();
  private readonly watched = new Map<string, Server>();
  private readonly listeners = new Set<Listener>();
  private readonly tokens: Token[] = [];
  private readonly tokenErrors = new Map<number, unknown>();
  private readonly limits: Limits = {};
  private last = 0;
  private deaths = 0;
  private silent = 0;
  private pings: ReturnType<typeof setInterval> | undefined;

  constructor() {
    addEventListener("online", () => this.say({ t: "online", on: true }));
    addEventListener("offline", () => this.say({ t: "online", on: false }));
  }

  /** The number by which the worker asks for a token; the same for the same one. */
  token(token: Token | undefined): number {
    if (token === undefined) return 0;
    const at = this.tokens.indexOf(token);
    return at >= 0 ? at + 1 : this.tokens.push(token);
  }

  limit(limits: Limits): void {
    Object.assign(this.limits, limits);
    this.say({ t: "limits", ...limits });
  }

  signedIn(): void {
    this.say({ t: "signedIn" });
  }

  listen(listener: Listener): void {
    this.listeners.add(listener);
  }

  /** Asks for the journal's list; from then on the listeners hear of its changes. */
  pending(server: Server): Promise<{ list: JournalEntry[]; known: string[] }> {
    const ask = ++this.last;
    const message: ToWorker = { t: "pending", ask, server };
    this.watched.set(`${server.endpoint} ${server.destination}`, server);
    return new Promise((resolve) => {
      this.asked.set(ask, { message, resolve });
      this.post(message);
    });
  }

  /** Begins an upload. */
  add(order: Order, size: number): Upload {
    const id = ++this.last;
    const upload = new Upload(order.name, size, {
      pause: (force) => {
        run.paused = { force };
        this.tell(run, { t: "pause", id, force });
      },
      resume: () => {
        run.paused = undefined;
        this.tell(run, { t: "resume", id });
      },
      cancel: () => this.finish(id, run, "cancel"),
      stop: () => this.finish(id, run, "stop"),
    });
    const run: Running = { upload, order, start: undefined, handle: undefined, paused: undefined, ending: undefined, best: 0 };
    this.running.set(id, run);
    this.pings ??= setInterval(() => this.ping(), pingEvery);
    if (typeof order.file === "function") void this.open(id, run, order.file);
    else this.begin(id, run, order.file);
    return upload;
  }

  private async open(id: number, run: Running, open: Extract<Order["file"], () => unknown>): Promise<void> {
    try {
      const { file, handle } = await open();
      if (!this.running.has(id)) return;
      run.handle = handle;
      run.upload.opened(file.size);
      this.begin(id, run, file);
    } catch (cause) {
      const known = (cause as { info?: ErrorInfo }).info;
      const message = `"${run.order.name}" cannot be opened; it was moved, removed or changed since it was chosen (${String(cause)})`;
      this.hear({ t: "failed", id, error: known ?? ownError("file_unreadable", message, false, cause) });
    }
  }

  private begin(id: number, run: Running, file: File | null): void {
    const { server, partSize, stall, record, resumes } = run.order;
    run.start = { t: "start", id, server, file, partSize, stall, record, resumes, kept: null, patience: gonePageLetsGo };
    this.restate(id, run);
  }

  /** Tells a worker all that it has to know of an upload. */
  private restate(id: number, { start, paused, ending }: Running): void {
    if (!start) return;
    this.post(start);
    if (paused) this.post({ t: "pause", id, force: paused.force });
    if (ending) this.post({ t: ending, id });
  }

  private tell(run: Running, message: ToWorker): void {
    if (run.start) this.say(message);
  }

  private finish(id: number, run: Running, how: "cancel" | "stop"): void {
    run.ending = how;
    if (run.start || !this.running.has(id)) return this.tell(run, { t: how, id });
    const code = how === "cancel" ? "cancelled" : "stopped";
    this.hear({ t: "failed", id, error: ownError(code, `the upload was ${code} before its file was open`, false) });
  }

  /** Posts to the worker, where there is one. */
  private say(message: ToWorker): void {
    this.worker?.postMessage(message);
  }

  /** Posts to the worker, and starts it where it is needed. */
  private post(message: ToWorker): void {
    if (!this.worker) this.start();
    this.say(message);
  }

  private start(): void {
    const worker = (this.worker = openWorker());
    this.silent = -Infinity; // it may take as long as the network does to load
    worker.addEventListener("message", (e: MessageEvent<ToPage>) => {
      if (worker === this.worker) this.hear(e.data);
    });
    worker.addEventListener("error", (e) => {
      e.preventDefault();
      if (worker === this.worker) this.died(e.message || "it failed to load");
    });
    this.say({ t: "limits", ...this.limits });
  }

  private ping(): void {
    if (this.running.size === 0) {
      clearInterval(this.pings);
      this.pings = undefined;
    } else if (++this.silent > patience) this.died("it did not answer");
    else this.say({ t: "ping" });
  }

  private hear(m: ToPage): void {
    this.silent = 0;
    switch (m.t) {
      case "alive":
        break;
      case "died":
        this.died(m.why);
        break;
      case "progress": {
        const run = this.running.get(m.id);
        if (!run) break;
        if (m.progress.confirmed > run.best) {
          run.best = m.progress.confirmed;
          this.deaths = 0;
        }
        run.upload.moved(m.progress);
        break;
      }
      case "recorded": {
        const run = this.running.get(m.id);
        run?.upload.placed(m.key, m.uploadId);
        if (run?.start) run.start.kept = m.record;
        if (run?.handle) void keep(run.order.record, run.handle);
        break;
      }
      case "done":
        this.deaths = 0;
        this.end(m.id)?.upload.done(m.object);
        break;
      case "failed": {
        const run = this.end(m.id, m.error.code);
        const cause = m.error.code === "token_failed" ? this.tokenErrors.get(run?.order.server.token ?? 0) : m.error.cause;
        run?.upload.failed({ ...m.error, cause });
        break;
      }
      case "token":
        void this.giveToken(m.ask, m.token);
        break;
      case "pending":
        this.asked.get(m.ask)?.resolve(m);
        this.asked.delete(m.ask);
        if (m.ask === 0) this.pendingChanged(m);
        break;
      case "warning":
        this.warn(m.warning, this.running.get(m.id)?.order.listener);
    }
  }

  /** An upload is over; without a record left, its handle goes too. */
  private end(id: number, code = ""): Running | undefined {
    const run = this.running.get(id);
    this.running.delete(id);
    if ((run?.handle || run?.order.resumes) && (code === "" || code === "cancelled")) void forget(run.order.record);
    return run;
  }

  private pendingChanged({ server, list, known }: Extract<ToPage, { t: "pending" }>): void {
    for (const l of this.listeners) {
      if (l.server.endpoint === server.endpoint && l.server.destination === server.destination) l.pendingChanged(list, known);
    }
  }

  private warn(warning: UploadWarning, listener?: Listener): void {
    console.warn(`chunksign: ${warning.message}`);
    for (const l of this.listeners) if (!listener || l === listener) l.warned(warning);
  }

  /** Throws the worker away. Another does what this one was doing, unless that leads nowhere. */
  private died(why: string): void {
    this.worker?.terminate();
    this.worker = undefined;
    this.deaths++;
    if (this.deaths >= mostDeaths) return this.giveUp(why);
    if (this.running.size + this.asked.size === 0) return;
    this.warn({ code: "worker_restarted", message: `the upload worker died (${why}) and is started again` });
    for (const [id, run] of this.running) {
      if (run.start) run.start.patience = hungWorkerLetsGo;
      this.restate(id, run);
    }
    for (const server of this.watched.values()) this.post({ t: "pending", ask: 0, server });
    for (const { message } of this.asked.values()) this.post(message);
  }

  private giveUp(why: string): void {
    this.deaths = 0;
    const message = `the upload worker could not run: ${why}; reload the page, and check that its Content-Security-Policy allows 'wasm-unsafe-eval' and worker-src`;
    for (const id of [...this.running.keys()]) this.hear({ t: "failed", id, error: ownError("module_died", message, true) });
    for (const { resolve } of this.asked.values()) resolve({ list: [], known: [] });
    this.asked.clear();
  }

  private async giveToken(ask: number, number: number): Promise<void> {
    const token = this.tokens[number - 1];
    try {
      this.say({ t: "token", ask, token: typeof token === "function" ? await token() : (token ?? null), error: "" });
    } catch (e) {
      this.tokenErrors.set(number, e);
      this.say({ t: "token", ask, token: null, error: e instanceof Error ? e.message : String(e) });
    }
  }
}

function openWorker(): Worker {
  const url = new URL(WORKER_JS, import.meta.url);
  if (url.origin === location.origin) return new Worker(url, { type: "module" });
  // Browsers run no worker from another origin, but one of our own may import it.
  const blob = URL.createObjectURL(new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" }));
  return new Worker(blob, { type: "module" });
}

/** Handles are a convenience: where the browser keeps none, the file is picked again. */
const keep = (record: string, handle: FileSystemFileHandle): Promise<void> => import("./handles.ts").then((h) => h.keep(record, handle)).catch(() => undefined);
const forget = (record: string): Promise<void> => import("./handles.ts").then((h) => h.forget(record)).catch(() => undefined);

let opened: Page | undefined;
export const page = (): Page => (opened ??= new Page());
