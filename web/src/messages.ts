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

/** An interrupted upload that the journal knows of. */
export interface PendingUpload {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** The file's lastModified, milliseconds since 1970. */
  readonly lastModified: number;
  readonly begun: Date;
  /** After this the server no longer lets it go on. */
  readonly expires: Date;
}

/** The server, as the worker talks to it. */
export interface Server {
  endpoint: string; // absolute, without a slash at its end
  destination: string;
  headers: Record<string, string>;
  withCredentials: boolean;
  token: boolean; // ask the page for a bearer token
}

export type ToWorker =
  | { t: "start"; id: number; server: Server; file: File; partSize: number; record: string | null }
  | { t: "discard"; id: number; server: Server; record: string }
  | { t: "concurrency"; lanes: number }
  | { t: "pause"; id: number; force: boolean }
  | { t: "resume" | "cancel" | "stop"; id: number }
  | { t: "online"; on: boolean }
  | { t: "token"; ask: number; token: string | null; error: string }
  | { t: "pending"; ask: number; endpoint: string; destination: string };

export type ToPage =
  | { t: "progress"; id: number; progress: UploadProgress }
  | { t: "done"; id: number; object: UploadedObject }
  | { t: "failed"; id: number; error: ErrorInfo }
  | { t: "token"; ask: number; id: number }
  | { t: "pending"; ask: number; list: PendingUpload[] }
  | { t: "warning"; message: string };
