/** The library's states and error codes in words, with what to do. Pure. */

import type { UploadProgress, UploadState, UploadWarning } from "chunksign";
import { bytes, percent, rate, timeLeft } from "./format.ts";

/** What is tried again, in the fewest words. */
const troubles: Record<string, string> = {
  network: "Connection lost",
  stalled: "Connection stands still",
  SlowDown: "The store is busy",
  ServiceUnavailable: "The store is busy",
  InternalError: "The store has trouble",
  internal: "The server has trouble",
  http_error: "The server does not answer",
  store_unavailable: "The store does not answer",
  rate_limited: "The server is busy",
};

/** Whether an upload stands still for something that is tried again. */
export const inTrouble = (p: UploadProgress): boolean => p.trouble !== undefined && p.sending === 0;

function troubleWords(p: UploadProgress, now: Date): string {
  const { code, retryAt } = p.trouble!;
  const seconds = Math.ceil(((retryAt?.getTime() ?? 0) - now.getTime()) / 1000);
  return `${troubles[code] ?? "That did not work"}, trying again${seconds > 0 ? ` in ${seconds}\u00a0s` : ""}`;
}

/** A line for a file on its way: how far it is, and how fast. */
export function progressWords(state: UploadState, p: UploadProgress, now: Date): [words: string, pace: string] {
  const share = `${percent(p.sent, p.total)}%`;
  const moved = p.total > 0 ? `${share} · ${bytes(p.sent)} of ${bytes(p.total)}` : bytes(0);
  if (inTrouble(p) && (state === "preparing" || state === "uploading" || state === "finishing" || state === "cancelling")) {
    return [state === "preparing" ? bytes(p.total) : moved, troubleWords(p, now)];
  }
  switch (state) {
    case "queued":
      return [`${bytes(p.total)} · Waiting for its turn`, ""];
    case "preparing":
      return [`${bytes(p.total)} · Getting ready`, ""];
    case "uploading":
      return [moved, p.speed > 0 ? [rate(p.speed), p.secondsLeft === undefined ? "" : timeLeft(p.secondsLeft)].filter(Boolean).join(" · ") : ""];
    case "paused":
      return [moved, "Paused"];
    case "offline":
      return [moved, "No network: goes on by itself"];
    case "needs-auth":
      return [moved, "Sign in again to go on"];
    case "cancelling":
      return [moved, "Removing what was sent"];
    default:
      return [bytes(p.total), "Checking that the bucket has all of it"];
  }
}

/** The states as people hear them; those that pass by are not said. */
export const spoken: Partial<Record<UploadState, string>> = {
  uploading: "uploading",
  paused: "paused",
  offline: "waiting for the network",
  "needs-auth": "sign in again to go on",
  done: "uploaded",
  failed: "failed",
  cancelled: "cancelled",
};

/** What went wrong and what to do about it. */
export interface Explanation {
  readonly what: string;
  readonly advice: string;
  /** What trying again takes: the file that the page has, the file picked anew, or it is no use. */
  readonly again: "same" | "pick" | "no";
}

type Words = readonly [what: string, advice: string, again?: "pick" | "no"];

const explanations: Record<string, Words> = {
  // The library's own.
  network: ["The connection failed", "Check your network, then try again. What has arrived is kept, and only the rest will be sent."],
  stalled: ["The connection stood still for too long", "Check your network, then try again. What has arrived is kept, and only the rest will be sent."],
  file_unreadable: ["The file can no longer be read", "It may have been moved, renamed, changed or on a drive that was taken out. Choose it again.", "pick"],
  file_changed: ["The file changed while it was being uploaded", "Wait until nothing writes to it any more, then choose it again.", "pick"],
  file_too_large: ["The file is too large", "This destination does not take files of this size.", "no"],
  different_file: ["This is another file", "It has the name and the size of the one that was being uploaded, and other contents. Choose the right one; what has arrived is kept.", "pick"],
  permission_denied: ["The browser was not allowed to read the file", "Allow it when the browser asks, or choose the file again.", "pick"],
  in_other_tab: ["Another tab is working on this upload", "Go on there, or close that tab and try again."],
  no_record: ["This upload is finished, or the browser has forgotten it", "Choose the file to upload it anew.", "pick"],
  key_taken: ["An object of this name is there already", "This destination never replaces what it has. Rename the file and choose it again.", "pick"],
  module_died: ["The uploader in this page stopped working", "Reload the page: the upload will be offered to you there, and goes on where it stopped."],
  token_failed: ["You may no longer be signed in", "Sign in again, then try again."],
  // The server's.
  unauthenticated: ["You are not signed in", "Sign in, then try again."],
  host_not_allowed: ["The server does not serve this address", "Open the page under the address that the server printed when it started."],
  origin_not_allowed: ["The server does not take uploads from this page", "Open its own page, or have this page's origin added to its configuration."],
  cross_origin: ["The server does not take uploads from this page", "Open its own page, or have this page's origin added to its configuration."],
  destination_unknown: ["There is no such destination, or none for you", "Ask whoever runs the server for one that you may upload to.", "no"],
  destination_changed: ["The destination's rules changed meanwhile", "Try again: the upload starts under the new rules."],
  content_type_not_allowed: ["Files of this type are not taken here", "Choose a file of a type that this destination takes.", "no"],
  file_too_small: ["The file is too small", "This destination takes larger files only. Is it the right one?", "no"],
  field_invalid: ["The server does not take this file's name or type", "Rename the file and choose it again.", "pick"],
  key_too_long: ["The file's name is too long", "Give the file a shorter name and choose it again.", "pick"],
  policy_too_long: ["The file's name is too long", "Give the file a shorter name and choose it again.", "pick"],
  claim_missing: ["Your account lacks what this destination asks for", "Ask whoever runs the server to let you in.", "no"],
  grant_invalid: ["The server no longer knows this upload", "Try again: it will start anew."],
  grant_expired: ["The upload took longer than the server allows", "Try again: it will start anew."],
  grant_of_another: ["The upload was begun by someone else", "Sign in as the one who began it, or try again to start your own."],
  already_complete: ["This file has been uploaded already", "Nothing is left to do.", "no"],
  object_missing: ["The bucket does not have the object", "It may have been deleted just now. Try again."],
  object_replaced: ["The bucket holds another object under this name", "Someone else may have written it meanwhile. Try again under another name.", "pick"],
  object_breaks_grant: ["What arrived is not what was announced", "The server took it away again. Try again, and tell whoever runs the server if it happens again."],
  sessions_not_kept: ["This destination gives nobody a pass", "The store does not keep to what a pass allows. Tell whoever runs the server.", "no"],
  store_refused: ["The store refused what the server asked of it", "Tell whoever runs the server: its rights or its bucket need looking at."],
  store_unavailable: ["The store does not answer", "Wait a moment, then try again. What has arrived is kept."],
  internal: ["The server made a mistake", "Try once more; if it happens again, pass the line below to whoever runs the server."],
  http_error: ["Something other than the upload server answered", "Is the server running, and is nothing in between? Then try again."],
  // The store's. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
  AccessDenied: ["The store refused the upload", "The pass does not cover it. Try once more; if it happens again, pass the line below to whoever runs the server."],
  SlowDown: ["The store asked for fewer requests", "It is busy. Wait a minute, then try again: only what is missing will be sent."],
  ServiceUnavailable: ["The store is busy", "Wait a minute, then try again: only what is missing will be sent."],
  InternalError: ["The store made a mistake", "Try again: only what is missing will be sent."],
  RequestTimeTooSkewed: ["This computer's clock is wrong", "Set it right, then try again."],
  ExpiredToken: ["The pass expired and could not be renewed", "Try again: what has arrived is kept."],
  SignatureDoesNotMatch: ["The store did not accept the signature", "Something between this page and the store may be changing requests. Pass the line below to whoever runs the server."],
  NoSuchBucket: ["The bucket does not exist", "Tell whoever runs the server: its configuration names a bucket that the store does not have."],
  EntityTooLarge: ["The file is too large for the store", "The store takes no objects of this size.", "no"],
  QuotaExceeded: ["The bucket is full", "Tell whoever runs the server."],
};

/**
 * An error in words. A code that is not known here keeps the words it came with.
 *
 * @param status of the HTTP reply, 0 where there was none.
 */
export function explain(error: { code: string; message: string; status: number; retryable: boolean }): Explanation {
  const known = explanations[error.code];
  if (known) return { what: known[0], advice: known[1], again: known[2] ?? "same" };
  const kept = error.retryable ? "Try again: what has arrived is kept." : "Try once more; if it happens again, pass the line below to whoever runs the server.";
  return { what: "The upload failed", advice: `${sentence(error.message)} ${kept}`.trim(), again: "same" };
}

/**
 * A warning of the library's in words, for whoever looks after the page;
 * undefined for those that pass by. `toSet` is to be copied as it is, "" for nothing.
 */
export function warn({ code, message }: UploadWarning): { title: string; advice: string; toSet: string } | undefined {
  const titles: Record<string, string> = {
    etag_not_exposed: "The bucket hides its ETags from this page",
    journal_unavailable: "This browser window keeps no record of uploads",
    journal_failed: "This browser could not note an upload",
    record_set_aside: "An unfinished upload can no longer be read",
  };
  const title = titles[code];
  if (!title) return undefined;
  const [, text = message, toSet = ""] = /^(.*?)(\[\{.*)$/s.exec(message) ?? []; // JSON to set somewhere stands by itself
  return { title, advice: toSet ? capital(text.trim()) : sentence(text), toSet };
}

/** A message as a sentence of its own. */
function sentence(message: string): string {
  if (message === "") return "";
  return /[.!?]$/.test(message) ? capital(message) : `${capital(message)}.`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
