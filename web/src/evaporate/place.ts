/** Where a file goes: to which server and destination, and by which grant. */

import { Uploader, type UploaderOptions } from "chunksign";
import { type Config, evaluated, type EvaporateFile, sayOnce } from "./options.ts";
import { retried, SignerSaid } from "./retry.ts";

export interface Place {
  uploader: Uploader;
  /** What the page has already, or its signer gave; undefined: the engine asks for one. */
  grant: string | undefined;
  /** The grant's; undefined where there is none yet. */
  key: string | undefined;
}

/**
 * A page that says `endpoint` and `destination` is a new one. One whose signParams
 * have a grant has all that is needed in it. Any other is asked through its own
 * signer, as if for a signature: server/compat/shim.go answers.
 */
export async function placeOf(con: Config, options: EvaporateFile, file: File, signal: AbortSignal): Promise<Place> {
  let { grant } = evaluated(con.signParams);
  const asks = !grant && !con.destination;
  if (asks) grant = await askSigner(con, options, file, signal);
  const { dst, key } = grant || asks ? readGrant(grant) : { dst: con.destination!, key: undefined };
  return { uploader: uploaderFor(con, dst), grant, key };
}

/** A grant is a JWS (RFC 7515). Only the server can say whether it is good. */
function readGrant(grant: string | undefined): { dst: string; key: string } {
  try {
    const payload = atob(grant!.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/"));
    const { dst, key } = JSON.parse(new TextDecoder().decode(Uint8Array.from(payload, (c) => c.charCodeAt(0))));
    if (typeof dst === "string" && typeof key === "string") return { dst, key };
  } catch {
    // said below
  }
  throw new Error("signParams.grant, or what the signer answered, is not a grant; is the signer a chunksign server of this version?");
}

const ours = /\/evaporate\/sign$/;

function endpointOf({ endpoint, signerUrl }: Config): string {
  if (endpoint) return String(endpoint);
  const url = new URL(signerUrl ?? "", location.href);
  return ours.test(url.pathname) ? url.origin + url.pathname.replace(ours, "") : location.origin;
}

const made = new Map<string, Uploader>();

function uploaderFor(con: Config, destination: string): Uploader {
  const headers = evaluated(con.signHeaders);
  const bearer = Object.keys(headers).find((name) => name.toLowerCase() === "authorization" && headers[name]!.startsWith("Bearer "));
  const token = bearer && (() => evaluated(con.signHeaders)[bearer]!.slice("Bearer ".length));
  if (bearer) delete headers[bearer];
  const options: UploaderOptions = {
    endpoint: endpointOf(con), destination, headers, withCredentials: con.xhrWithCredentials, concurrency: concurrencyOf(con),
    ...partSizeOf(con), ...(token && { token }),
  };
  if (token) return new Uploader(options); // whose function is the page's own
  const name = JSON.stringify(options);
  let uploader = made.get(name);
  if (!uploader) made.set(name, (uploader = new Uploader(options)));
  return uploader;
}

export function concurrencyOf({ maxConcurrentParts: n, logging }: Config): number {
  const most = Math.min(6, Math.max(1, Math.floor(n) || 1));
  if (most !== n) sayOnce("maxConcurrentParts", `give 1 to 6: browsers open six connections to a host. ${most} is taken`, logging);
  return most;
}

function partSizeOf({ partSize: n, logging }: Config): { partSize?: number } {
  if (n === undefined) return {};
  const partSize = Math.max(5 * 2 ** 20, Math.ceil(n) || 0);
  if (partSize !== n) sayOnce("partSize", `S3 takes parts of 5242880 bytes (5 MiB) and more. ${partSize} is taken`, logging);
  return { partSize };
}

/** Has the page's own way to its signer bring a grant. A signal ends the wait for it. */
async function askSigner(con: Config, options: EvaporateFile, file: File, signal: AbortSignal): Promise<string> {
  const wanted = JSON.stringify({ name: file.name, type: file.type, size: file.size, key: options.name });
  const text = encodeURIComponent(`CHUNKSIGN-GRANT\n${wanted}`);
  if (con.customAuthMethod) {
    try {
      return await con.customAuthMethod(evaluated(con.signParams), evaluated(con.signHeaders), text, datetimeNow(), "");
    } catch (reason) {
      throw new PageRefused(reason);
    }
  }
  const datetime = datetimeNow();
  const answer = await retried(con, () => getFromSigner(con, options, text, datetime), {
    signal,
    warn: (e) => options.warn?.("Error in ", "initiate", e.status ? `Signature fetch returned status: ${e.status}` : e.message),
  });
  return con.signResponseHandler ? con.signResponseHandler(answer, text, datetime) : answer;
}

const datetimeNow = (): string => `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;

function getFromSigner(con: Config, options: EvaporateFile, text: string, datetime: string): Promise<string> {
  const query = Object.entries(evaluated(con.signParams)).map(([name, v]) => `&${encodeURIComponent(name)}=${encodeURIComponent(v)}`);
  const url = `${con.signerUrl}?to_sign=${text}&datetime=${datetime}${query.join("")}`;
  return new Promise<string>((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.withCredentials = con.xhrWithCredentials;
    xhr.onload = () => (xhr.status === 200 ? resolve(xhr.responseText) : reject(new SignerSaid(xhr.status, xhr.responseText)));
    xhr.onerror = () => reject(new SignerSaid(0, "authorizedSend transport error"));
    xhr.open("GET", url);
    for (const [name, value] of Object.entries(evaluated(con.signHeaders))) xhr.setRequestHeader(name, value);
    options.beforeSigner?.(xhr, url);
    xhr.send();
  });
}

/** The page's customAuthMethod said no, in words of its own: `add` rejects with them. */
export class PageRefused {
  constructor(readonly reason: unknown) {}
}
