import type { PendingUpload, Server, ToPage, ToWorker } from "./messages.ts";
import { Upload } from "./upload.ts";

export interface UploaderOptions {
  /** The chunksign server: "https://uploads.example.com". By default the page's own origin. */
  endpoint?: string | URL;
  /** The destination's name in the server's configuration. */
  destination: string;
  /** A bearer token for the server, or a function that gives a current one. */
  token?: string | (() => string | Promise<string>);
  /** Further headers for the server (not for the store). */
  headers?: Record<string, string>;
  /** Send cookies to a server on another origin. */
  withCredentials?: boolean;
  /** Bytes of a part: at least 5 MiB; 8 MiB by default. A file of over 10,000 such parts gets larger ones. */
  partSize?: number;
  /** Parts under way at once, over all uploads of the page: 1 to 6, 4 by default. The last Uploader made decides. */
  concurrency?: number;
}

export interface UploadOptions {
  /** Stops the upload and rejects its result with the signal's reason. What the store has is kept. */
  signal?: AbortSignal;
}

/**
 * Sends files to one destination.
 *
 * ```js
 * const uploader = new Uploader({ endpoint: "https://uploads.example.com", destination: "photos" });
 * const upload = uploader.upload(file);
 * upload.addEventListener("progress", () => (bar.value = upload.progress.sent / file.size));
 * const { key } = await upload.result;
 * ```
 */
export class Uploader extends EventTarget {
  private readonly server: Server;
  private readonly token: UploaderOptions["token"];
  private readonly partSize: number;

  constructor(options: UploaderOptions) {
    super();
    const { endpoint = location.origin, destination, token, headers = {}, withCredentials = false } = options;
    if (typeof destination !== "string" || destination === "") {
      throw new TypeError(`destination: ${JSON.stringify(destination)}; give the name of one of the server's destinations`);
    }
    let url: URL;
    try {
      url = new URL(endpoint, location.href);
    } catch {
      throw new TypeError(`endpoint: "${String(endpoint)}"; give the server's URL, such as https://uploads.example.com`);
    }
    this.partSize = options.partSize ?? 0;
    if (options.partSize !== undefined && !(options.partSize >= 5 * 2 ** 20 && Number.isInteger(options.partSize))) {
      throw new TypeError(`partSize: ${options.partSize}; S3 takes parts of 5242880 bytes (5 MiB) and more`);
    }
    const { concurrency } = options;
    if (concurrency !== undefined && !(concurrency >= 1 && concurrency <= 6 && Number.isInteger(concurrency))) {
      throw new TypeError(`concurrency: ${concurrency}; give 1 to 6: browsers open six connections to a host`);
    }
    this.token = token;
    this.server = {
      endpoint: url.href.replace(/\/+$/, ""),
      destination,
      headers,
      withCredentials,
      token: token !== undefined,
    };
    if (concurrency !== undefined) page().say({ t: "concurrency", lanes: concurrency });
  }

  /** Begins to upload a file. */
  upload(file: File, { signal }: UploadOptions = {}): Upload {
    return this.start(file, null, signal);
  }

  /**
   * The interrupted uploads of this destination that no open tab is working on.
   * Browsers forget a page's files with the page, so going on needs the file again.
   */
  pending(): Promise<PendingUpload[]> {
    return page().ask((ask) => ({ t: "pending", ask, endpoint: this.server.endpoint, destination: this.server.destination }));
  }

  /**
   * Goes on with an interrupted upload. The parts that the store has are read
   * from the file and compared, and only what is missing is sent.
   *
   * @throws TypeError where the file is not the one that was being uploaded.
   */
  resume(pending: PendingUpload, file: File, { signal }: UploadOptions = {}): Upload {
    if (file.size !== pending.size) {
      throw new TypeError(`file: "${file.name}" has ${file.size} bytes; the upload of "${pending.name}" needs its ${pending.size}`);
    }
    return this.start(file, pending.id, signal);
  }

  /** Gives an interrupted upload up: removes what the store has of it. */
  async discard(pending: PendingUpload): Promise<void> {
    const upload = page().add((id) => ({ t: "discard", id, server: this.server, record: pending.id }), pending.name, pending.size, this.token);
    await upload.result.catch((e: { code?: string }) => {
      if (e.code !== "cancelled") throw e;
    });
  }

  private start(file: File, record: string | null, signal: AbortSignal | undefined): Upload {
    const { server, partSize } = this;
    const upload = page().add((id) => ({ t: "start", id, server, file, partSize, record }), file.name, file.size, this.token);
    if (signal) upload.follow(signal);
    return upload;
  }
}

/** The page's one worker, and the uploads that run in it. */
class Page {
  private readonly uploads = new Map<number, { upload: Upload; token: UploaderOptions["token"] }>();
  private readonly asked = new Map<number, (list: PendingUpload[]) => void>();
  private last = 0;

  private constructor(private readonly worker: Worker) {
    worker.addEventListener("message", (e: MessageEvent<ToPage>) => this.hear(e.data));
    worker.addEventListener("error", (e) => {
      e.preventDefault();
      this.died(e.message);
    });
    addEventListener("online", () => this.say({ t: "online", on: true }));
    addEventListener("offline", () => this.say({ t: "online", on: false }));
  }

  static open(): Page {
    const url = new URL(WORKER_JS, import.meta.url);
    if (url.origin === location.origin) return new Page(new Worker(url, { type: "module" }));
    // Browsers run no worker from another origin, but one of our own may import it.
    const blob = URL.createObjectURL(new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" }));
    return new Page(new Worker(blob, { type: "module" }));
  }

  say(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  ask(make: (ask: number) => ToWorker): Promise<PendingUpload[]> {
    const ask = ++this.last;
    return new Promise((resolve) => {
      this.asked.set(ask, resolve);
      this.say(make(ask));
    });
  }

  add(make: (id: number) => ToWorker, name: string, size: number, token: UploaderOptions["token"]): Upload {
    const id = ++this.last;
    const upload = new Upload(name, size, {
      pause: (force) => this.say({ t: "pause", id, force }),
      resume: () => this.say({ t: "resume", id }),
      cancel: () => this.say({ t: "cancel", id }),
      stop: () => this.say({ t: "stop", id }),
    });
    this.uploads.set(id, { upload, token });
    this.say(make(id));
    return upload;
  }

  private hear(m: ToPage): void {
    switch (m.t) {
      case "progress":
        this.uploads.get(m.id)?.upload.moved(m.progress);
        break;
      case "done":
        this.uploads.get(m.id)?.upload.done(m.object);
        this.uploads.delete(m.id);
        break;
      case "failed":
        this.uploads.get(m.id)?.upload.failed(m.error);
        this.uploads.delete(m.id);
        break;
      case "token":
        void this.giveToken(m.ask, this.uploads.get(m.id)?.token);
        break;
      case "pending":
        this.asked.get(m.ask)?.(m.list);
        this.asked.delete(m.ask);
        break;
      case "warning":
        console.warn(`chunksign: ${m.message}`);
    }
  }

  /** Ends what the worker was doing; the next call starts another. */
  private died(why: string): void {
    if (opened === this) opened = undefined;
    this.worker.terminate();
    const message = `the upload worker could not run: ${why || "it failed to load"}; reload the page, and check that its Content-Security-Policy allows 'wasm-unsafe-eval' and worker-src`;
    for (const id of [...this.uploads.keys()]) {
      this.hear({ t: "failed", id, error: { code: "module_died", message, status: 0, requestId: "", retryable: true, part: 0 } });
    }
    for (const ask of [...this.asked.keys()]) this.hear({ t: "pending", ask, list: [] });
  }

  private async giveToken(ask: number, token: UploaderOptions["token"]): Promise<void> {
    try {
      this.say({ t: "token", ask, token: typeof token === "function" ? await token() : (token ?? null), error: "" });
    } catch (e) {
      this.say({ t: "token", ask, token: null, error: e instanceof Error ? e.message : String(e) });
    }
  }
}

let opened: Page | undefined;
const page = (): Page => (opened ??= Page.open());
