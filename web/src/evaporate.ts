/**
 * EvaporateJS 2.1.4's interface over chunksign's engine: a page that has
 *
 * ```js
 * import Evaporate from "evaporate";
 * ```
 *
 * imports "chunksign/evaporate" and goes on as it is. docs/migrate.md says of each
 * option and callback what became of it.
 *
 * @module
 */

import { FileUpload } from "./evaporate/file.ts";
import { type Config, defaults, type EvaporateConfig, type EvaporateFile, sayMeaningless, status, violation, withOverrides } from "./evaporate/options.ts";
import { concurrencyOf } from "./evaporate/place.ts";

export type { EvaporateConfig, EvaporateFile, EvaporateReply, EvaporateStats } from "./evaporate/options.ts";

const active: number[] = [status.pending, status.evaporating];
const resting: number[] = [status.paused, status.pausing];

export class Evaporate {
  readonly config: Config;
  readonly supported: boolean;
  readonly localTimeOffset = 0;
  evaporatingCount = 0;
  /** @internal */ readonly _instantiationError: string | undefined;
  /** @internal */ readonly pendingFiles: Record<string, FileUpload> = {};
  /** @internal */ readonly queuedFiles: FileUpload[] = [];
  /** @internal */ readonly filesInProcess: FileUpload[] = [];

  /** Rejects with a text where an option is missing or wrong. */
  static create(config: EvaporateConfig): Promise<Evaporate> {
    const evaporate = new Evaporate(config);
    return evaporate.supported ? Promise.resolve(evaporate) : Promise.reject(evaporate._instantiationError);
  }

  /** The engine learns the server's time by itself. */
  static getLocalTimeOffset(): Promise<number> {
    return Promise.resolve(0);
  }

  /** Never throws: what is wrong with the options is in `_instantiationError`, as in 2.1.4. */
  constructor(config: EvaporateConfig) {
    const given = Object.fromEntries(Object.entries(config ?? {}).filter(([, value]) => value !== undefined));
    this.config = { ...defaults, ...given };
    this._instantiationError = violation(this.config);
    this.supported = this._instantiationError === undefined;
    if (this.supported) sayMeaningless(given, this.config.logging);
  }

  /** Resolves to the object's key; rejects with a text that says why not. */
  add(file: EvaporateFile, overrides?: EvaporateConfig): Promise<string> {
    const con = withOverrides(this.config, overrides);
    if (overrides) sayMeaningless(overrides, con.logging, file?.warn);
    if (file?.file === undefined) return Promise.reject("Missing file");
    if (!(file.file instanceof Blob)) return Promise.reject("file is not a File or a Blob");
    if (con.maxFileSize && file.file.size > con.maxFileSize) return Promise.reject(`File size too large. Maximum size allowed is ${con.maxFileSize}`);
    if (file.name === undefined) return Promise.reject("Missing attribute: name");
    const upload = new FileUpload(this, file, con);
    this.pendingFiles[upload.id] = upload;
    this.queue(upload);
    return upload.settled;
  }

  /** Pauses one file, or all. Without `force` the parts under way finish first. */
  pause(id?: string, options: { force?: boolean } = {}): Promise<unknown> {
    const force = options.force ?? false;
    if (id === undefined) return Promise.all(this.those(active).map((file) => this.pauseFile(file, force)));
    const file = this.pendingFiles[id];
    if (!file) return Promise.reject("Cannot pause a file that has not been added.");
    if (file.status === status.paused) return Promise.reject("Cannot pause a file that is already paused.");
    return Promise.all([this.pauseFile(file, force)]);
  }

  resume(id?: string): Promise<unknown> {
    if (id === undefined) {
      for (const file of this.those(resting)) this.resumeFile(file);
      return Promise.resolve();
    }
    const file = this.pendingFiles[id];
    if (!file) return Promise.reject("Cannot pause a file that does not exist.");
    if (!resting.includes(file.status)) return Promise.reject("Cannot resume a file that has not been paused.");
    this.resumeFile(file);
    return Promise.resolve([]);
  }

  /** Cancels one file, or all that are not paused, and removes what the store has of them. */
  cancel(id?: string): Promise<unknown> {
    if (id === undefined) {
      const files = this.those(active);
      return files.length > 0 ? Promise.all(files.map((file) => file.stop())) : Promise.reject("No files to cancel.");
    }
    const file = this.pendingFiles[id];
    return file ? Promise.all([file.stop()]) : Promise.reject("File does not exist");
  }

  /** Does nothing, as in EvaporateJS. */
  forceRetry(): void {}

  private those(statuses: number[]): FileUpload[] {
    return Object.values(this.pendingFiles).filter((file) => statuses.includes(file.status));
  }

  private pauseFile(file: FileUpload, force: boolean): Promise<void> {
    if (!active.includes(file.status)) return Promise.resolve();
    const paused = file.pause(force);
    this.take(file);
    this.startNext();
    return paused;
  }

  private resumeFile(file: FileUpload): void {
    file.resume();
    this.queue(file);
  }

  private queue(file: FileUpload): void {
    this.queuedFiles.push(file);
    this.startNext();
  }

  /** As many files are worked on as there may be parts under way. */
  private startNext(): void {
    while (this.queuedFiles.length > 0 && this.filesInProcess.length < concurrencyOf(this.config)) {
      const file = this.queuedFiles.shift()!;
      this.filesInProcess.push(file);
      file.start();
    }
    this.counted();
  }

  private take(file: FileUpload): void {
    for (const list of [this.queuedFiles, this.filesInProcess]) {
      const at = list.indexOf(file);
      if (at >= 0) list.splice(at, 1);
    }
  }

  /** @internal */
  ended(file: FileUpload): void {
    this.take(file);
    this.startNext();
  }

  /** Parts, or files that have none yet, have become more or fewer. @internal */
  counted(): void {
    const count = this.filesInProcess.reduce((n, file) => n + file.slots, 0);
    if (count === this.evaporatingCount) return;
    this.evaporatingCount = count;
    this.config.evaporateChanged(this, count);
  }
}

export default Evaporate;
