import { type Listener, page, type Order, type Token } from "./page.ts";
import type { JournalEntry, PendingUpload, Server, UploadWarning } from "./messages.ts";
import type { Upload } from "./upload.ts";

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
  /** Parts under way at once, over all uploads of the page: 1 to 6, the most there may be; 6 by default. The last Uploader made decides. */
  concurrency?: number;
  /** Bytes a second over all uploads of the page; unlimited by default. The last Uploader made decides. */
  maxBytesPerSecond?: number;
  /** Seconds after which a part whose bytes stand still is sent again: 1 to 3,600, 30 by default. */
  stallTimeout?: number;
}

export interface UploadOptions {
  /** Stops the upload and rejects its result with the signal's reason. What the store has is kept. */
  signal?: AbortSignal;
  /** A grant that the page has already, of this Uploader's destination and for this file; by default the server is asked for one. */
  grant?: string;
}

/** The events of an Uploader. */
export interface UploaderEventMap {
  /**
   * The list of unfinished uploads has changed, here or in another tab: one ended, one was left, a
   * tab let go of one. `detail` is the list, as `pending()` gives it.
   */
  pending: CustomEvent<PendingUpload[]>;
  /** Something that stops no upload and should be known; the console has it too. */
  warning: CustomEvent<UploadWarning>;
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
  private readonly partSize: number;
  private readonly stall: number; // ms
  private readonly uploads = new Set<Upload>();
  private readonly listener: Listener;

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
    const { partSize, concurrency, maxBytesPerSecond, stallTimeout } = options;
    const whole = Number.isInteger;
    if (partSize !== undefined && !(partSize >= 5 * 2 ** 20 && whole(partSize))) {
      throw new TypeError(`partSize: ${partSize}; S3 takes parts of 5242880 bytes (5 MiB) and more`);
    }
    if (concurrency !== undefined && !(concurrency >= 1 && concurrency <= 6 && whole(concurrency))) {
      throw new TypeError(`concurrency: ${concurrency}; give 1 to 6: browsers open six connections to a host`);
    }
    if (maxBytesPerSecond !== undefined && !(maxBytesPerSecond >= 1 && (whole(maxBytesPerSecond) || maxBytesPerSecond === Infinity))) {
      throw new TypeError(`maxBytesPerSecond: ${maxBytesPerSecond}; give whole bytes a second, such as 1000000, or Infinity for no bound`);
    }
    if (stallTimeout !== undefined && !(stallTimeout >= 1 && stallTimeout <= 3600)) {
      throw new TypeError(`stallTimeout: ${stallTimeout}; give 1 to 3600 seconds`);
    }
    this.partSize = partSize ?? 0;
    this.stall = Math.round((stallTimeout ?? 0) * 1000);
    this.server = {
      endpoint: url.href.replace(/\/+$/, ""),
      destination,
      headers,
      withCredentials,
      token: page().token(token satisfies Token | undefined),
    };
    this.listener = {
      server: this.server,
      warned: (detail) => void this.dispatchEvent(new CustomEvent("warning", { detail })),
      pendingChanged: (list, known) => void this.reopenable(list, known).then((detail) => this.dispatchEvent(new CustomEvent("pending", { detail }))),
    };
    if (concurrency !== undefined) page().limit({ concurrency });
    if (maxBytesPerSecond !== undefined) page().limit({ maxBytesPerSecond: maxBytesPerSecond === Infinity ? 0 : maxBytesPerSecond });
  }

  /**
   * Begins to upload a file. A handle (of `showOpenFilePicker`, or of a dropped item's
   * `getAsFileSystemHandle()`) lets an interrupted upload go on later without picking the file again.
   */
  upload(file: File | FileSystemFileHandle, { signal, grant }: UploadOptions = {}): Upload {
    const order = { name: file.name, record: newRecord(), resumes: false };
    if (file instanceof File) return this.start({ ...order, file }, file.size, signal, grant);
    const open = async () => ({ file: await file.getFile(), handle: file });
    return this.start({ ...order, file: open }, 0, signal, grant);
  }

  /**
   * The unfinished uploads of this destination that this tab is not working on.
   * Browsers forget a page's files with the page, so going on needs the file
   * again, except where its handle was kept (`canReopen`).
   */
  async pending(): Promise<PendingUpload[]> {
    const { list, known } = await page().pending(this.server);
    return this.reopenable(list, known);
  }

  /**
   * Goes on with an unfinished upload. The parts that the store has are read
   * from the file and compared, and only what is missing is sent. Another file of the
   * same name and size is noticed: the upload fails with the code `different_file`
   * and stays pending.
   *
   * Without a file (`pending.canReopen`) the browser asks the user whether the page may
   * read it once more; call this while a click is being handled.
   *
   * @throws TypeError where the file's size shows that it is not the one that was being uploaded.
   */
  resume(pending: PendingUpload, file?: File | FileSystemFileHandle, { signal }: Pick<UploadOptions, "signal"> = {}): Upload {
    const { id: record, name, size } = pending;
    const order = { name, record, resumes: true };
    if (file instanceof File) {
      check(file, pending);
      return this.start({ ...order, file }, size, signal);
    }
    const open = async () => {
      const opened = file ? { file: await file.getFile(), handle: file } : await import("./handles.ts").then((h) => h.open(record, name));
      check(opened.file, pending);
      return opened;
    };
    return this.start({ ...order, file: open }, size, signal);
  }

  /** Gives an unfinished upload up: removes what the store has of it. */
  async discard(pending: PendingUpload): Promise<void> {
    const upload = this.start({ file: null, name: pending.name, record: pending.id, resumes: true }, pending.size, undefined);
    upload.cancel();
    await upload.result.catch((e: { code?: string }) => {
      if (e.code !== "cancelled") throw e;
    });
  }

  /** Pauses every upload of this Uploader; see {@link Upload.pause}. */
  pauseAll(options?: { force?: boolean }): void {
    for (const u of this.uploads) u.pause(options);
  }

  /** Resumes every upload of this Uploader. */
  resumeAll(): void {
    for (const u of this.uploads) u.resume();
  }

  /** Cancels every upload of this Uploader. */
  cancelAll(): void {
    for (const u of this.uploads) u.cancel();
  }

  /**
   * Says that the user has signed in again: every upload of the page in the state
   * "needs-auth" goes on, with a token that the token function is asked for anew.
   */
  reauthenticate(): void {
    page().signedIn();
  }

  override addEventListener<K extends keyof UploaderEventMap>(
    type: K,
    listener: (this: Uploader, event: UploaderEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  override addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(type, listener, options);
    page().listen(this.listener);
    if (type === "pending") void page().pending(this.server); // which has the worker watch
  }

  private start(order: Pick<Order, "file" | "name" | "record" | "resumes">, size: number, signal: AbortSignal | undefined, grant?: string): Upload {
    const upload = page().add({ ...order, server: grant ? { ...this.server, grant } : this.server, partSize: this.partSize, stall: this.stall, listener: this.listener }, size);
    this.uploads.add(upload);
    const over = (): void => void this.uploads.delete(upload);
    upload.result.then(over, over);
    if (signal) upload.follow(signal);
    return upload;
  }

  private async reopenable(list: JournalEntry[], known: string[]): Promise<PendingUpload[]> {
    let have = new Set<string>();
    try {
      // The journal knows of no upload whose file has a handle where there are no handles.
      if ("FileSystemFileHandle" in globalThis) have = await (await import("./handles.ts")).reopenable(known);
    } catch {
      // Without the store of handles the file is picked again.
    }
    return list.map((p) => ({ ...p, canReopen: have.has(p.id) }));
  }
}

function check(file: File, { name, size }: PendingUpload): void {
  if (file.size === size) return;
  throw new TypeError(`file: "${file.name}" has ${file.size} bytes; the upload of "${name}" needs its ${size}`);
}

/** A name for the journal: a-z, 0-9 and "-". */
function newRecord(): string {
  const random = [...crypto.getRandomValues(new Uint32Array(2))].map((n) => n.toString(36)).join("");
  return `${Date.now().toString(36)}-${random}`;
}
