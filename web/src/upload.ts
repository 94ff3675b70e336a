import { type ErrorInfo, UploadError } from "./errors.ts";
import type { UploadedObject, UploadProgress, UploadState } from "./messages.ts";

/** The events of an Upload; both are plain Events: read `upload.progress`. */
export interface UploadEventMap {
  /** Bytes moved: at most ten times a second. */
  progress: Event;
  /** `upload.state` changed. */
  state: Event;
}

interface Control {
  pause(force: boolean): void;
  resume(): void;
  cancel(): void;
  stop(): void;
}

/** One file on its way. */
export class Upload extends EventTarget {
  /**
   * Settles when the upload ends: the object, once the server has looked at
   * it, or an UploadError; with an AbortSignal, the signal's reason.
   */
  readonly result: Promise<UploadedObject>;

  /** The object's key, "" until the server has said it; of a file of one part the `result` tells. */
  key = "";
  /** The store's ID of the multipart upload, "" until there is one. */
  uploadId = "";

  private latest: UploadProgress;
  private resolve!: (o: UploadedObject) => void;
  private reject!: (reason: unknown) => void;
  private aborted: { reason: unknown } | undefined;

  /** @internal */
  constructor(
    /** The file's name. */
    readonly name: string,
    size: number,
    private readonly control: Control,
  ) {
    super();
    this.latest = { state: "queued", total: size, sent: 0, confirmed: 0, parts: 0, partsDone: 0, speed: 0, secondsLeft: undefined, hashing: 0, sending: 0, waiting: 0, trouble: undefined };
    this.result = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Who listens to the state only is not to be told of an unhandled rejection.
    this.result.catch(() => undefined);
  }

  get progress(): UploadProgress {
    return this.latest;
  }

  get state(): UploadState {
    return this.latest.state;
  }

  /** Starts nothing new. Parts under way finish, unless `force` drops them: they are sent again later. */
  pause({ force = false }: { force?: boolean } = {}): void {
    this.control.pause(force);
  }

  /** Goes on after `pause()`, and tries again in the state "needs-auth". */
  resume(): void {
    this.control.resume();
  }

  /** Ends the upload and removes what the store has of it; `result` rejects with the code "cancelled". */
  cancel(): void {
    this.control.cancel();
  }

  override addEventListener<K extends keyof UploadEventMap>(
    type: K,
    listener: (this: Upload, event: UploadEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  override addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(type, listener, options);
  }

  /** Its file has been opened: its size is known. @internal */
  opened(size: number): void {
    this.moved({ ...this.latest, total: size });
  }

  /** The store has begun it. @internal */
  placed(key: string, uploadId: string): void {
    this.key = key;
    this.uploadId = uploadId;
  }

  /** @internal */
  follow(signal: AbortSignal): void {
    const stop = (): void => {
      this.aborted = { reason: signal.reason };
      this.control.stop();
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  }

  /** @internal */
  moved(progress: UploadProgress): void {
    const changed = progress.state !== this.latest.state;
    this.latest = progress;
    if (changed) this.dispatchEvent(new Event("state"));
    this.dispatchEvent(new Event("progress"));
  }

  /** @internal */
  done(object: UploadedObject): void {
    this.resolve(object);
  }

  /** @internal */
  failed(error: ErrorInfo): void {
    if (this.state !== "failed" && this.state !== "cancelled") this.moved({ ...this.latest, state: "failed", speed: 0 });
    this.reject(this.aborted && error.code === "stopped" ? this.aborted.reason : new UploadError(error));
  }
}
