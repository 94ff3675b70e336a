/** One file that a page has added. */

import type { PendingUpload, Upload, UploadedObject, UploadProgress } from "chunksign";
import type { Evaporate } from "../evaporate.ts";
import { decodedName, encodedName, readableSize, reply } from "./names.ts";
import { type Config, type EvaporateFile, type EvaporateStats, sayMeaningless, status } from "./options.ts";
import { PageRefused, placeOf, type Place } from "./place.ts";
import { SignerSaid } from "./retry.ts";

/** Why an unfinished upload cannot go on, and the file is sent anew: EvaporateJS does not ask either. */
const beginAnew = ["different_file", "no_record", "in_other_tab", "grant_expired", "grant_invalid", "grant_of_another", "destination_changed"];

const nothing: Pick<UploadProgress, "sent" | "speed" | "sending"> = { sent: 0, speed: 0, sending: 0 };

export class FileUpload {
  readonly id: string;
  name: string;
  status: number = status.pending;
  readonly settled: Promise<string>;

  private readonly file: File;
  private upload: Upload | undefined;
  private begun = false;
  private initiated = false;
  private forced = false;
  private finishing = false;
  private trouble = "";
  private progressed = 0; // bytes, at the last call of progress
  private speed = 0;
  private interval: ReturnType<typeof setInterval> | undefined;
  private readonly stopping = new AbortController();
  private resolve!: (name: string) => void;
  private reject!: (reason: unknown) => void;

  constructor(
    private readonly evaporate: Evaporate,
    private readonly on: EvaporateFile,
    private readonly con: Config,
  ) {
    this.name = con.encodeFilename ? encodedName(on.name) : on.name;
    this.id = decodedName(`${con.bucket}/${this.name}`);
    this.file = fileOf(on);
    this.settled = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    sayMeaningless(on, con.logging, on.warn);
  }

  /** Parts under way; 1 at least while it is being worked on. */
  get slots(): number {
    return this.status === status.evaporating ? Math.max(1, this.now.sending) : 0;
  }

  private get now(): Pick<UploadProgress, "sent" | "speed" | "sending"> {
    return this.upload?.progress ?? nothing;
  }

  /** It has its turn, for the first time or after a pause. */
  start(): void {
    this.status = status.evaporating;
    this.monitor();
    this.on.started?.(this.id);
    if (this.upload) this.upload.resume();
    if (this.begun) return;
    this.begun = true;
    void this.run();
  }

  private async run(): Promise<void> {
    try {
      const place = await placeOf(this.con, this.on, this.file, this.stopping.signal);
      if (this.over) return;
      const object = (await this.interrupted(place)) ?? (this.over ? undefined : await this.follow(this.fresh(place)));
      if (object && !this.over) this.complete(object);
    } catch (e) {
      this.failed(e);
    }
  }

  private get over(): boolean {
    return this.status === status.canceled || this.status === status.aborted;
  }

  /** Goes on where an earlier page ended; undefined where there is nothing to go on with. */
  private async interrupted({ uploader, key }: Place): Promise<UploadedObject | undefined> {
    const pending = (await uploader.pending()).find((p) => this.isOf(p, key));
    if (!pending || this.over) return undefined;
    this.on.info?.("the upload of", pending.begun.toISOString(), "is not complete. Fetching its parts");
    this.initiated = true;
    this.rename(pending.key, true);
    try {
      return await this.follow(uploader.resume(pending, this.file, { signal: this.stopping.signal }));
    } catch (e) {
      if (this.over || !beginAnew.includes((e as { code: string }).code)) throw e;
      this.initiated = false;
      return undefined;
    }
  }

  /** `key` is the grant's: what the server makes of a name that holds a * or ends in spaces. */
  private isOf(p: PendingUpload, key: string | undefined): boolean {
    const { name, type, size, lastModified } = this.file;
    const same = p.name === name && p.type === type && p.size === size && p.lastModified === lastModified && !p.inOtherTab;
    return same && (!this.con.onlyRetryForSameFileName || p.key === decodedName(this.name) || p.key === key);
  }

  private fresh({ uploader, grant, key }: Place): Upload {
    if (key !== undefined) this.rename(key);
    return uploader.upload(this.file, { signal: this.stopping.signal, ...(grant !== undefined && { grant }) });
  }

  private follow(upload: Upload): Promise<UploadedObject> {
    this.upload = upload;
    upload.addEventListener("progress", () => this.moved(upload));
    if (this.status === status.paused || this.status === status.pausing) upload.pause({ force: this.forced });
    return upload.result;
  }

  private moved(upload: Upload): void {
    if (this.over) return;
    this.placed(upload);
    const { state, speed, trouble } = upload.progress;
    if (speed > 0) this.speed = speed;
    if (state === "finishing" && !this.finishing) {
      this.finishing = true;
      this.on.info?.("will attempt to complete upload");
    }
    const said = trouble ? `AWS Code: ${trouble.code}, Message:${trouble.message}` : "";
    if (said && said !== this.trouble) this.on.warn?.("Error in ", "upload", said);
    this.trouble = said;
    if (state === "needs-auth") this.failed(new SignerSaid(401, trouble?.message ?? "sign in again"));
    this.evaporate.counted();
  }

  /** The store has begun it. */
  private placed(upload: Upload): void {
    if (upload.key) this.rename(upload.key);
    if (this.initiated || !upload.uploadId) return;
    this.initiated = true;
    this.on.uploadInitiated?.(upload.uploadId);
  }

  private rename(key: string, always = false): void {
    const name = this.con.encodeFilename ? encodedName(key) : key;
    if (name === this.name && !always) return;
    this.name = name;
    this.on.nameChanged?.(name);
  }

  private complete(object: UploadedObject): void {
    this.rename(object.key);
    if (!this.initiated) this.on.uploadInitiated?.(""); // one part, which went as one PutObject
    if (!this.finishing) this.on.info?.("will attempt to complete upload");
    this.on.complete?.(reply(object), this.name, this.stats());
    this.status = status.complete;
    this.onProgress();
    this.end();
    this.resolve(decodedName(this.name));
  }

  private failed(e: unknown): void {
    if (this.over) return;
    this.status = status.aborted;
    this.stopping.abort();
    this.end();
    if (e instanceof PageRefused) return this.reject(e.reason);
    const { code = "", status: http = 0, message = String(e) } = e as { code?: string; status?: number; message?: string };
    const denied = http === 401 || http === 403;
    const reason = denied ? `Permission denied status:${http} ${message}` : `File upload aborted: ${code && `${code}: `}${message}`;
    this.on.error?.(reason);
    this.reject(reason);
  }

  private end(): void {
    clearInterval(this.interval);
    this.evaporate.ended(this);
  }

  // Pause, resume, cancel.

  async pause(force: boolean): Promise<void> {
    this.on.info?.("Pausing uploads...");
    this.status = status.pausing;
    this.forced = force;
    if (!force) this.on.pausing?.();
    const { upload } = this;
    upload?.pause({ force });
    if (upload) await until(upload, () => this.status !== status.pausing || (upload.state === "paused" && upload.progress.sending === 0));
    if (this.status !== status.pausing) return; // resumed, cancelled or ended meanwhile
    clearInterval(this.interval);
    this.status = status.paused;
    this.on.paused?.();
    this.evaporate.counted();
  }

  resume(): void {
    this.status = status.pending;
    this.on.resumed?.();
  }

  async stop(): Promise<void> {
    const { upload } = this;
    const ended = this.status === status.complete || this.status === status.aborted;
    this.status = status.canceled;
    this.on.info?.("Canceling uploads...");
    if (ended) {
      // As 2.1.4 does: nothing is left to abort, the object stays, and the callback is called all the same.
      this.status = status.aborted;
      this.on.cancelled?.();
      return;
    }
    let left = "";
    if (!upload) this.stopping.abort(); // it waits for its signer
    else {
      if (upload.uploadId) this.on.info?.("will attempt to abort the upload");
      upload.cancel();
      left = await upload.result.then(() => "", (e: { code: string; message: string }) => (e.code === "cancelled" ? "" : e.message));
    }
    this.status = status.aborted;
    if (left) this.on.error?.(`Error aborting upload: ${left}`);
    else this.on.cancelled?.();
    this.end();
    this.reject(left ? `Error aborting upload: ${left}` : "User aborted the upload");
  }

  // Progress.

  private monitor(): void {
    clearInterval(this.interval);
    this.progressed = this.now.sent;
    this.onProgress();
    this.interval = setInterval(() => this.onProgress(), this.con.progressIntervalMS);
  }

  private onProgress(): void {
    if (this.status === status.aborted || this.status === status.paused) return;
    const { size } = this.file;
    const ratio = this.status === status.complete ? 1 : size && this.now.sent / size;
    this.on.progress?.(ratio, this.stats());
    this.progressed = this.now.sent;
  }

  private stats(): EvaporateStats {
    const { sent } = this.now;
    const fileSize = this.file.size;
    const speed = sent === 0 ? 0 : this.now.speed || this.speed;
    const remainingSize = fileSize - sent;
    return {
      speed,
      readableSpeed: sent === 0 ? "" : readableSize(speed),
      loaded: sent - this.progressed,
      totalUploaded: sent,
      remainingSize,
      secondsLeft: speed > 0 ? Math.round(remainingSize / speed) : -1,
      fileSize,
    };
  }
}

/** Waits for an upload to come to something, or to its end. */
function until(upload: Upload, there: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (there()) end();
    };
    const end = (): void => {
      upload.removeEventListener("progress", look);
      resolve();
    };
    upload.addEventListener("progress", look);
    void upload.result.then(end, end);
    look();
  });
}

/** The bytes as a File, of the type that the page wants them to be stored with. */
function fileOf({ file, name, contentType }: EvaporateFile): File {
  if (file instanceof File && (!contentType || contentType === file.type)) return file;
  const { name: own = decodedName(name).split("/").at(-1)!, lastModified = 0 } = file as Partial<File>;
  return new File([file], own, { type: contentType ?? file.type, lastModified });
}
