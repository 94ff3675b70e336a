/** What the page and the worker say to each other. */

import type { ErrorInfo } from "./errors.ts";

/** An upload's condition. */
export type UploadState =
  | "queued"
  | "preparing"
  | "uploading"
  | "paused"
  | "offline"
  | "needs-auth"
  | "finishing"
  | "cancelling"
  | "done"
  | "failed"
  | "cancelled";

/** How far an upload is. */
export interface UploadProgress {
  readonly state: UploadState;
  /** Bytes in the file. */
  readonly total: number;
  /** Bytes that have left this machine, of parts confirmed or under way. */
  readonly sent: number;
  /** Bytes that the store has confirmed. */
  readonly confirmed: number;
  readonly parts: number;
  readonly partsDone: number;
  /** Bytes a second, smoothed; 0 while unknown. */
  readonly speed: number;
  /** Seconds to the end at that speed; undefined while unknown. */
  readonly secondsLeft: number | undefined;
  /** Parts being read from the disk. */
  readonly hashing: number;
  /** Parts under way. */
  readonly sending: number;
  /** Parts that failed and wait for their next try. */
  readonly waiting: number;
  /** What went wrong last and is tried again, or waits for a sign-in; undefined while nothing is wrong. */
  readonly trouble: { readonly code: string; readonly message: string; /** When it is tried again. */ readonly retryAt: Date | undefined } | undefined;
}

/** The object that an upload became, as the server saw it. */
export interface UploadedObject {
  readonly bucket: string;
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  /** "" where the bucket keeps no versions. */
  readonly versionId: string;
  /** The store's checksum of the object, "" where it keeps none. */
  readonly checksum: string;
  /** Where you may read it for a while, "" where the destination does not let you. */
  readonly url: string;
}

/** An unfinished upload that the journal knows of and this tab is not working on. */
export interface PendingUpload {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** The file's lastModified, milliseconds since 1970. */
  readonly lastModified: number;
  /** Where it goes. */
  readonly key: string;
  readonly begun: Date;
  /** When it is given up: what the store has of it is removed, and it is forgotten. */
  readonly expires: Date;
  /** Another tab is working on it. It can be resumed here once that tab lets go. */
  readonly inOtherTab: boolean;
  /** How far that tab is, where it has said so. */
  readonly progress: UploadProgress | undefined;
  /** The browser has kept the file's handle: `resume` needs no file, only the user's permission. */
  readonly canReopen: boolean;
}

/** Something that does not stop an upload and should be known. `code` is stable. */
export interface UploadWarning {
  readonly code: string;
  readonly message: string;
}

/** The server, as the worker talks to it. */
export interface Server {
  endpoint: string; // absolute, without a slash at its end
  destination: string;
  headers: Record<string, string>;
  withCredentials: boolean;
  token: number; // the page's number of what gives a bearer token, 0 for none
  grant?: string; // of one upload, where the page has it already
}

/** What a worker needs to begin an upload, or to take it over from a worker that died. */
export interface Start {
  t: "start";
  id: number; // the page's number of the upload
  server: Server;
  file: File | null; // null where it is only to be discarded
  partSize: number; // bytes, 0 for the default
  stall: number; // ms, 0 for the default
  record: string; // its name in the journal
  resumes: boolean; // the journal has the record
  kept: Uint8Array<ArrayBuffer> | null; // the record, where the page has it
  patience: number; // ms that the record's lock is waited for
}

/** What all uploads of the page share. */
export interface Limits {
  concurrency?: number;
  maxBytesPerSecond?: number; // 0 for no bound
}

export type ToWorker =
  | Start
  | ({ t: "limits" } & Limits)
  | { t: "pause"; id: number; force: boolean }
  | { t: "resume" | "cancel" | "stop"; id: number }
  | { t: "online"; on: boolean }
  | { t: "signedIn" }
  | { t: "token"; ask: number; token: string | null; error: string }
  | { t: "pending"; ask: number; server: Server }
  | { t: "ping" };

export type ToPage =
  | { t: "alive" }
  /** The signing module trapped or did not load; another worker may do better. */
  | { t: "died"; why: string }
  | { t: "progress"; id: number; progress: UploadProgress }
  | { t: "recorded"; id: number; record: Uint8Array<ArrayBuffer>; key: string; uploadId: string }
  | { t: "done"; id: number; object: UploadedObject }
  | { t: "failed"; id: number; error: ErrorInfo }
  | { t: "token"; ask: number; token: number }
  /** `ask` 0: nobody asked, the list has changed. `known` has every record's name, of all destinations. */
  | { t: "pending"; ask: number; list: JournalEntry[]; known: string[]; server: Server }
  /** `id` 0: it is about no one upload. */
  | { t: "warning"; id: number; warning: UploadWarning };

/** A PendingUpload as the worker knows it: the page keeps the handles. */
export type JournalEntry = Omit<PendingUpload, "canReopen">;
