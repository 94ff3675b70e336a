/** The engine's events and commands, as wasm/core/engine.go reads and writes them. */

import type { Reader, Writer } from "../codec.ts";
import type { ErrorInfo } from "../errors.ts";
import type { UploadedObject, UploadProgress, UploadState } from "../messages.ts";

export interface Session {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expires: number; // ms since 1970
}

export interface Grant {
  token: string;
  expires: number; // ms since 1970
  endpoint: string;
  bucket: string;
  key: string;
  region: string;
  virtual: boolean;
  overwrite: boolean;
  existence: boolean; // an object of this size is there already
  presigned: boolean; // there is no session: the server signs
  headers: [string, string][];
  minPartSize: number;
  maxPartSize: number;
  maxParts: number;
}

export type Event =
  | { e: "pause"; force: boolean }
  | { e: "resume" | "signedIn" | "cancel" | "stop" | "offline" | "online" | "tick" | "jumped" }
  | Answer;

/** What came of a command, by its id. */
export type Answer =
  | { e: "granted"; id: number; grant: Grant; session: Session; serverTime: number }
  | { e: "exists"; id: number; object: UploadedObject }
  | { e: "renewed"; id: number; session: Session; serverTime: number }
  | { e: "verified"; id: number; object: UploadedObject }
  | { e: "refused"; id: number; error: ErrorInfo; retryAfter: number }
  | { e: "hashed"; id: number; digest: Uint8Array }
  | { e: "sampled"; id: number; digest: Uint8Array }
  | { e: "unreadable"; id: number; message: string }
  | { e: "sent"; id: number; bytes: number }
  | { e: "replied"; id: number; status: number; etag: string; requestId: string; body: Uint8Array }
  | { e: "told"; id: number; told: Told }
  | { e: "lost"; id: number };

/** What POST /v1/uploads/parts and /v1/uploads/multipart answer. */
export interface Told {
  uploadId?: string;
  parts?: { partNumber: number; size?: number; etag?: string; sha256?: string; url?: string; headers?: Record<string, string> }[];
  next?: number;
  etag?: string;
  gone?: boolean;
  expires?: string;
  serverTime?: string;
}

const simple = { resume: 2, cancel: 3, stop: 4, offline: 5, online: 6, tick: 7, signedIn: 17, jumped: 18 } as const;

export function writeEvent(w: Writer, ev: Event): void {
  switch (ev.e) {
    case "pause":
      w.u8(1).bool(ev.force);
      break;
    case "granted":
      w.u8(8).u32(ev.id);
      writeGrant(w, ev.grant);
      writeSession(w, ev.session);
      w.i64(ev.serverTime);
      break;
    case "renewed":
      w.u8(9).u32(ev.id);
      writeSession(w, ev.session);
      w.i64(ev.serverTime);
      break;
    case "exists":
    case "verified": {
      const o = ev.object;
      w.u8(ev.e === "exists" ? 19 : 10).u32(ev.id).str(o.bucket).str(o.key).str(o.etag).str(o.versionId).str(o.checksum).str(o.url).i64(o.size);
      break;
    }
    case "refused": {
      const x = ev.error;
      w.u8(11).u32(ev.id).str(x.code).u32(x.status).str(x.requestId).str(x.message).bool(x.retryable).u32(x.part);
      w.i64(ev.retryAfter);
      break;
    }
    case "hashed":
    case "sampled":
      w.u8(ev.e === "hashed" ? 12 : 20).u32(ev.id).bytes(ev.digest);
      break;
    case "unreadable":
      w.u8(13).u32(ev.id).str(ev.message);
      break;
    case "sent":
      w.u8(14).u32(ev.id).i64(ev.bytes);
      break;
    case "replied":
      w.u8(15).u32(ev.id).u32(ev.status).str(ev.etag).str(ev.requestId).bytes(ev.body);
      break;
    case "told":
      w.u8(21).u32(ev.id);
      writeTold(w, ev.told);
      break;
    case "lost":
      w.u8(16).u32(ev.id);
      break;
    default:
      w.u8(simple[ev.e]);
  }
}

function writeGrant(w: Writer, g: Grant): void {
  w.str(g.token).i64(g.expires).str(g.endpoint).str(g.bucket).str(g.key).str(g.region).bool(g.virtual).bool(g.overwrite);
  writeParams(w, g.headers);
  w.bool(g.existence).bool(g.presigned).i64(g.minPartSize).i64(g.maxPartSize).i64(g.maxParts);
}

function writeParams(w: Writer, params: [string, string][]): void {
  w.u32(params.length);
  for (const [name, value] of params) w.str(name).str(value);
}

function writeTold(w: Writer, t: Told): void {
  const { uploadId = "", next = 0, gone = false, parts = [], expires = "", serverTime = "" } = t;
  w.str(uploadId).u32(next).str(quoted(t.etag)).bool(gone).i64(Date.parse(expires) - Date.parse(serverTime) || 0).u32(parts.length);
  for (const { partNumber, size = 0, etag, sha256 = "", url = "", headers = {} } of parts) {
    w.u32(partNumber).str(url);
    if (url) writeParams(w, Object.entries(headers));
    else w.i64(size).str(quoted(etag)).str(sha256);
  }
}

/** An ETag as the store itself gives it. */
const quoted = (etag = ""): string => (etag ? `"${etag}"` : "");

function writeSession(w: Writer, s: Session): void {
  w.str(s.accessKeyId).str(s.secretAccessKey).str(s.sessionToken).i64(s.expires);
}

export interface Send {
  c: "send";
  id: number;
  method: string;
  url: string;
  headers: [string, string][];
  body: Uint8Array<ArrayBuffer>;
  offset: number;
  size: number;
  part: number;
}

/** The body of POST /v1/uploads/parts or /v1/uploads/multipart. */
export interface Multipart {
  grant: string;
  op: string;
  uploadId: string;
  after: number;
  renew: boolean;
  parts: { partNumber: number; size: number; sha256: string }[];
}

export type Command =
  | { c: "multipart"; id: number; body: Multipart }
  | { c: "ask"; id: number; checksum: string; partSize: number }
  | { c: "renew"; id: number; grant: string }
  | { c: "verify"; id: number; grant: string; etag: string }
  | { c: "sample"; id: number }
  | { c: "warn"; code: string; message: string }
  | { c: "hash"; id: number; offset: number; size: number }
  | Send
  | { c: "drop"; id: number }
  | { c: "persist"; record: Uint8Array<ArrayBuffer> }
  | { c: "forget" }
  | { c: "wake"; at: number }
  | { c: "report"; progress: UploadProgress }
  | { c: "done"; object: UploadedObject }
  | { c: "failed"; error: ErrorInfo };

/** Takes all the commands off a step's answer, before a further call overwrites it. */
export function readCommands(r: Reader): { upload: number; command: Command }[] {
  const commands = new Array(r.u32());
  for (let i = 0; i < commands.length; i++) commands[i] = { upload: r.u32(), command: readCommand(r) };
  return commands;
}

function readCommand(r: Reader): Command {
  const kind = r.u8();
  switch (kind) {
    case 1:
      return { c: "ask", id: r.u32(), checksum: r.str(), partSize: r.i64() };
    case 2:
      return { c: "renew", id: r.u32(), grant: r.str() };
    case 3:
      return { c: "verify", id: r.u32(), grant: r.str(), etag: r.str() };
    case 4:
      return { c: "hash", id: r.u32(), offset: r.i64(), size: r.i64() };
    case 5:
      return {
        c: "send", id: r.u32(), method: r.str(), url: r.str(), headers: readParams(r),
        body: r.bytes(), offset: r.i64(), size: r.i64(), part: r.u32(),
      };
    case 6:
      return { c: "drop", id: r.u32() };
    case 7:
      return { c: "persist", record: r.bytes() };
    case 8:
      return { c: "forget" };
    case 9:
      return { c: "wake", at: r.i64() };
    case 10:
      return { c: "report", progress: readProgress(r) };
    case 11:
      return r.bool() ? { c: "done", object: readObject(r) } : { c: "failed", error: readError(r) };
    case 12:
      return { c: "sample", id: r.u32() };
    case 14:
      return { c: "multipart", id: r.u32(), body: { grant: r.str(), op: r.str(), uploadId: r.str(), after: r.u32(), renew: r.bool(), parts: readParts(r) } };
    case 13:
      return { c: "warn", code: r.str(), message: r.str() };
  }
  throw new RangeError(`the engine gave a command of kind ${kind}`);
}

function readParts(r: Reader): Multipart["parts"] {
  const parts = [];
  for (let n = r.u32(); n > 0; n--) parts.push({ partNumber: r.u32(), size: r.i64(), sha256: r.str() });
  return parts;
}

function readParams(r: Reader): [string, string][] {
  const params: [string, string][] = [];
  for (let n = r.u32(); n > 0; n--) params.push([r.str(), r.str()]);
  return params;
}

/** In the order of upload.State. */
const states: readonly UploadState[] = [
  "queued", "preparing", "uploading", "paused", "offline", "needs-auth", "finishing", "cancelling", "done", "failed", "cancelled",
];

function readProgress(r: Reader): UploadProgress {
  const p = {
    state: states[r.u8()]!, total: r.i64(), sent: r.i64(), confirmed: r.i64(),
    parts: r.u32(), partsDone: r.u32(), speed: r.i64(),
  };
  const left = r.i64();
  const hashing = r.u32(), sending = r.u32(), waiting = r.u32();
  const { code, message } = readError(r);
  const retryAt = r.i64();
  return {
    ...p, secondsLeft: left < 0 ? undefined : left, hashing, sending, waiting,
    trouble: code === "" ? undefined : { code, message, retryAt: retryAt === 0 ? undefined : new Date(retryAt) },
  };
}

function readObject(r: Reader): UploadedObject {
  return { bucket: r.str(), key: r.str(), etag: r.str(), versionId: r.str(), checksum: r.str(), url: r.str(), size: r.i64() };
}

function readError(r: Reader): ErrorInfo {
  return { code: r.str(), status: r.u32(), requestId: r.str(), message: r.str(), retryable: r.bool(), part: r.u32() };
}
