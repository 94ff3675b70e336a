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
  headers: [string, string][];
  minPartSize: number;
  maxPartSize: number;
  maxParts: number;
}

export type Event =
  | { e: "pause"; force: boolean }
  | { e: "resume" | "cancel" | "stop" | "offline" | "online" | "tick" }
  | Answer;

/** What came of a command, by its id. */
export type Answer =
  | { e: "granted"; id: number; grant: Grant; session: Session; serverTime: number }
  | { e: "renewed"; id: number; session: Session; serverTime: number }
  | { e: "verified"; id: number; object: UploadedObject }
  | { e: "refused"; id: number; error: ErrorInfo; retryAfter: number }
  | { e: "hashed"; id: number; digest: Uint8Array }
  | { e: "unreadable"; id: number; message: string }
  | { e: "sent"; id: number; bytes: number }
  | { e: "replied"; id: number; status: number; etag: string; requestId: string; body: Uint8Array }
  | { e: "lost"; id: number };

const simple = { resume: 2, cancel: 3, stop: 4, offline: 5, online: 6, tick: 7 } as const;

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
    case "verified": {
      const o = ev.object;
      w.u8(10).u32(ev.id).str(o.bucket).str(o.key).str(o.etag).str(o.versionId).str(o.checksum).str(o.url).i64(o.size);
      break;
    }
    case "refused": {
      const x = ev.error;
      w.u8(11).u32(ev.id).str(x.code).u32(x.status).str(x.requestId).str(x.message).bool(x.retryable).u32(x.part);
      w.i64(ev.retryAfter);
      break;
    }
    case "hashed":
      w.u8(12).u32(ev.id).bytes(ev.digest);
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
    case "lost":
      w.u8(16).u32(ev.id);
      break;
    default:
      w.u8(simple[ev.e]);
  }
}

function writeGrant(w: Writer, g: Grant): void {
  w.str(g.token).i64(g.expires).str(g.endpoint).str(g.bucket).str(g.key).str(g.region).bool(g.virtual).bool(g.overwrite);
  w.u32(g.headers.length);
  for (const [name, value] of g.headers) w.str(name).str(value);
  w.i64(g.minPartSize).i64(g.maxPartSize).i64(g.maxParts);
}

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

export type Command =
  | { c: "ask"; id: number }
  | { c: "renew"; id: number; grant: string }
  | { c: "verify"; id: number; grant: string; etag: string }
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
      return { c: "ask", id: r.u32() };
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
  }
  throw new RangeError(`the engine gave a command of kind ${kind}`);
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
  return { ...p, secondsLeft: left < 0 ? undefined : left };
}

function readObject(r: Reader): UploadedObject {
  return { bucket: r.str(), key: r.str(), etag: r.str(), versionId: r.str(), checksum: r.str(), url: r.str(), size: r.i64() };
}

function readError(r: Reader): ErrorInfo {
  return { code: r.str(), status: r.u32(), requestId: r.str(), message: r.str(), retryable: r.bool(), part: r.u32() };
}
