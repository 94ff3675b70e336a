import { Core, CoreDied, op } from "./core.ts";
import { address, decoded, headerList, like, members, query, show, text, whole, wrong } from "./arguments.ts";
import type { Reader, Writer } from "./codec.ts";

/** Credentials for signing; `sessionToken` with those of STS. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface SignerOptions {
  credentials: Credentials;
  /** "eu-west-1". */
  region: string;
  /** The store's base URL without the bucket. By default Amazon S3's in that region. */
  endpoint?: string;
  /** The object that `signChunk` signs parts of. */
  bucket?: string;
  key?: string;
  /** How the bucket is named in URLs; "virtual" by default for Amazon S3, "path" with an `endpoint`. */
  addressing?: "path" | "virtual";
  /** The wasm module, where it does not lie beside this script. */
  wasmURL?: string | URL;
  /** The clock, milliseconds since 1970. */
  now?: () => number;
}

/** A request ready for `fetch(url, {method, headers, body})`. */
export interface SignedRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
}

export interface RequestToSign {
  method?: string;
  /** With its query; the path is signed as it is, never cleaned. */
  url: string | URL;
  /** Sent and signed. */
  headers?: Record<string, string>;
  /** The body, which is hashed; or its SHA-256 as hex, or "UNSIGNED-PAYLOAD". By default the empty body. */
  body?: BodyBytes;
  payloadHash?: string;
}

export type BodyBytes = Blob | ArrayBuffer | ArrayBufferView<ArrayBuffer> | string;

export interface ChunkToSign {
  /** From CreateMultipartUpload's reply. */
  uploadId: string;
  /** 1 to 10,000. */
  partNumber: number;
  /** The chunk's bytes, which are hashed; or their SHA-256, as 64 hex digits or 32 bytes. */
  body?: BodyBytes;
  payloadHash?: string | Uint8Array;
}

/** Signs requests to S3 with AWS Signature Version 4, in Go compiled to WebAssembly. */
export interface Signer {
  /**
   * Signs one chunk: an UploadPart of the signer's `bucket` and `key`, with the
   * chunk's SHA-256 as payload hash and as `x-amz-checksum-sha256`.
   *
   * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
   */
  signChunk(chunk: ChunkToSign): Promise<SignedRequest>;
  /** Signs any request to S3 by headers. */
  sign(request: RequestToSign): Promise<SignedRequest>;
  /**
   * Gives a URL that carries the signature in its query.
   * `expiresIn` is in seconds, 1 to 604,800 (7 days); 900 by default.
   */
  presign(request: RequestToSign, options?: { expiresIn?: number }): Promise<string>;
  /** Forgets the credentials. */
  close(): void;
}

let shared: Promise<Core> | undefined;

/**
 * Loads the module (once a page) and makes a signer.
 *
 * @throws TypeError that begins with the name of the argument which is wrong,
 * as do the signer's methods.
 */
export async function createSigner(options: SignerOptions): Promise<Signer> {
  const o = checked(options);
  const { wasmURL } = options;
  const load = wasmURL === undefined ? loadShared : () => Core.load(address(wasmURL, "wasmURL", location.href));
  return new CoreSigner(await load(), load, o);
}

const clock = "a function that returns milliseconds since 1970";

/** A copy of the options, each of its type. The module checks what the values mean. */
function checked(options: SignerOptions): SignerOptions & { endpoint: string } {
  members(options, "options", ["credentials", "region", "endpoint", "bucket", "key", "addressing", "wasmURL", "now"]);
  const { credentials: c, region, endpoint, bucket, key, addressing, wasmURL, now } = options;
  if (c === null || typeof c !== "object") {
    wrong("credentials", "not an object", "one with accessKeyId, secretAccessKey and sessionToken");
  }
  const { sessionToken = "" } = c;
  const issued = (v: unknown, form: RegExp, name: string) =>
    like(v, form, `credentials.${name}`, "it as it was issued", true);
  const credentials: Credentials = {
    accessKeyId: issued(c.accessKeyId, /^[!-+.0-~-]+$/, "accessKeyId"), // no slash, no comma: they stand after it
    secretAccessKey: issued(c.secretAccessKey, /^[!-~]+$/, "secretAccessKey"),
    sessionToken: issued(sessionToken, /^[!-~]*$/, "sessionToken"),
  };
  like(region, /^[\w-]+$/, "region", 'the store\'s region, such as "eu-west-1"');
  if (bucket !== undefined) {
    const form = /^(?!.*\.\.)[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;
    like(bucket, form, "bucket", 'up to 63 of a-z, 0-9, "-" and single "."');
  }
  if (key !== undefined) {
    const give = 'one of 1 to 1,024 bytes of UTF-8, without "." and ".." segments';
    if (new TextEncoder().encode(like(key, /./s, "key", give)).length > 1024) wrong("key", show(key), give);
  }
  if (addressing !== undefined && addressing !== "path" && addressing !== "virtual") {
    wrong("addressing", show(addressing), '"path" or "virtual"');
  }
  if (now !== undefined && typeof now !== "function") wrong("now", show(now), clock);
  if (wasmURL !== undefined) address(wasmURL, "wasmURL", location.href);
  let base = `https://s3.${region}.amazonaws.com`;
  if (endpoint !== undefined) {
    const u = address(text(endpoint, "endpoint", "the store's base URL"), "endpoint");
    if (endpoint.includes("?")) wrong("endpoint", `${show(endpoint)} has a query`, "the store's base URL without one");
    base = u.origin + decoded(u.pathname, "endpoint");
  }
  const virtual = addressing === undefined ? endpoint === undefined : addressing === "virtual";
  const object = { ...(bucket && { bucket }), ...(key && { key }) };
  const style = virtual ? "virtual" : "path";
  return { credentials, region, endpoint: base, addressing: style, ...object, ...(now && { now }) };
}

/** The module that all signers of the page use; another one where it is `dead`. */
async function loadShared(dead?: Core): Promise<Core> {
  const at = shared;
  if (dead && (await at) === dead && shared === at) shared = undefined;
  shared ??= Core.load(new URL(CORE_WASM, import.meta.url)).catch((e: unknown) => {
    shared = undefined; // a later call tries again
    throw e;
  });
  return shared;
}

class CoreSigner implements Signer {
  private handle: number;
  private readonly now: () => number;
  private readonly object: string | undefined; // what is missing for signChunk

  constructor(
    private core: Core,
    private readonly load: (dead: Core) => Promise<Core>,
    private readonly options: SignerOptions & { endpoint: string },
  ) {
    const { bucket, key, now = Date.now } = options;
    this.now = now;
    this.object = !bucket ? "bucket" : !key ? "key" : undefined;
    this.handle = this.register();
  }

  private register(): number {
    const { credentials: c, region, endpoint, bucket = "", key = "", addressing } = this.options;
    const m = this.core.message(op.signerNew);
    m.str(c.accessKeyId).str(c.secretAccessKey).str(c.sessionToken ?? "");
    m.str(region).str(endpoint).str(bucket).str(key).bool(addressing === "virtual");
    return this.core.call(m).u32();
  }

  /** Asks the module; where it dies of that, asks another one once more. */
  private async ask<T>(which: number, write: (m: Writer) => void, read: (r: Reader) => T): Promise<T> {
    for (let again = true; ; again = false) {
      const { core } = this;
      try {
        const now = this.now();
        // Years 1970 to 9999, which x-amz-date can say.
        if (typeof now !== "number" || !(now >= 0 && now < 253_402_300_800_000)) {
          wrong("now", show(now), clock);
        }
        const m = core.message(which).u32(this.handle).i64(Math.floor(now));
        write(m);
        return read(core.call(m));
      } catch (e) {
        if (!(e instanceof CoreDied) || !again) throw e;
        const other = await this.load(core);
        if (this.core !== core) continue; // another call was first
        this.core = other;
        this.handle = this.register();
      }
    }
  }

  async signChunk(chunk: ChunkToSign): Promise<SignedRequest> {
    members(chunk, "chunk", ["uploadId", "partNumber", "body", "payloadHash"]);
    const { uploadId, partNumber, body, payloadHash } = chunk;
    if (this.object) throw new TypeError(`signChunk: the signer has no ${this.object}; give it to createSigner`);
    like(uploadId, /^[\w.~+=/:-]{1,1024}$/, "uploadId", "the UploadId of CreateMultipartUpload's reply");
    whole(partNumber, "partNumber", 1, 10_000, "a whole number from 1 to 10,000");
    const digest = payloadHash === undefined ? await sha256(body, "body or payloadHash") : unhex(payloadHash, body);
    return this.ask(
      op.signChunk,
      (m) => m.str(uploadId).u32(partNumber).bytes(digest),
      (r) => ({ method: "PUT", url: r.str(), headers: readParams(r) }),
    );
  }

  async sign(request: RequestToSign): Promise<SignedRequest> {
    const { origin, headers, method, write, body, payloadHash } = parse(request, addedBySign);
    const hash = payloadHash ?? hex(await sha256(body === undefined ? "" : body, "body"));
    return this.ask(
      op.sign,
      (m) => (write(m), m.str(hash)),
      (r) => ({ method, url: origin + r.str(), headers: { ...headers, ...readParams(r) } }),
    );
  }

  async presign(request: RequestToSign, options: { expiresIn?: number } = {}): Promise<string> {
    members(options, "options", ["expiresIn"]);
    const { expiresIn = 900 } = options;
    whole(expiresIn, "expiresIn", 1, 604_800, "whole seconds from 1 to 604800 (7 days)");
    const { origin, write, body, payloadHash } = parse(request, /^host$/i);
    const hash = payloadHash ?? (body === undefined ? "" : hex(await sha256(body, "body")));
    return this.ask(op.presign, (m) => (write(m), m.str(hash).u32(expiresIn)), (r) => origin + r.str());
  }

  close(): void {
    this.core.call(this.core.message(op.signerFree).u32(this.handle));
  }
}

/** The headers that signing adds. */
const addedBySign = /^(host|authorization|x-amz-(date|content-sha256|security-token))$/i;

/** Takes a request apart that has none of the headers `own`. */
function parse(request: RequestToSign, own: RegExp) {
  members(request, "request", ["method", "url", "headers", "body", "payloadHash"]);
  const { method = "GET", url, headers = {}, body, payloadHash } = request;
  like(method, /^[A-Z]+$/, "method", 'it in upper case, such as "PUT"');
  const u = address(url, "url", location.href);
  const path = like(decoded(u.pathname, "url"), /^/, "url", 'one without "." and ".." segments');
  decoded(u.search, "url");
  const fields = query(u);
  const list = headerList(headers, own);
  if (payloadHash !== undefined) {
    const form = /^([0-9a-f]{64}|UNSIGNED-PAYLOAD)$/;
    like(payloadHash, form, "payloadHash", "the SHA-256 as 64 lower-case hex digits, or UNSIGNED-PAYLOAD");
    both(body);
  }
  const write = (m: Writer): void => {
    m.str(method).str(u.host).str(path);
    writeParams(m, fields);
    writeParams(m, list);
  };
  return { origin: u.origin, headers: Object.fromEntries(list), method, write, body, payloadHash };
}

function both(body: unknown): void {
  if (body !== undefined) wrong("payloadHash", "there beside a body", "one of them");
}

function writeParams(m: Writer, params: [string, string][]): void {
  m.u32(params.length);
  for (const [name, value] of params) m.str(name).str(value);
}

function readParams(r: Reader): Record<string, string> {
  const params: Record<string, string> = {};
  for (let n = r.u32(); n > 0; n--) {
    const name = r.str();
    params[name] = r.str();
  }
  return params;
}

async function sha256(body: BodyBytes | undefined, field: string): Promise<Uint8Array> {
  if (body === undefined) throw new TypeError(`${field}: missing; give the chunk's bytes or their SHA-256`);
  if (!globalThis.crypto?.subtle) {
    throw new TypeError("payloadHash: missing; browsers hash only on https and localhost, so give the SHA-256 here");
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await bytesOf(body)));
}

async function bytesOf(body: BodyBytes): Promise<BufferSource> {
  if (typeof body === "string") return new TextEncoder().encode(text(body, "body", "text that UTF-8 can hold"));
  if (body instanceof Blob) return body.arrayBuffer();
  // A SharedArrayBuffer may change between hashing and sending.
  const buffer: unknown = ArrayBuffer.isView(body) ? body.buffer : body;
  if (buffer instanceof ArrayBuffer) return body;
  return wrong("body", show(body), "a Blob, an ArrayBuffer, a view of one, or a string");
}

function hex(b: Uint8Array): string {
  let s = "";
  for (const x of b) s += x.toString(16).padStart(2, "0");
  return s;
}

function unhex(hash: unknown, body: unknown): Uint8Array {
  both(body);
  if (hash instanceof Uint8Array && hash.length === 32) return hash;
  if (typeof hash !== "string" || !/^[0-9a-f]{64}$/i.test(hash)) {
    wrong("payloadHash", show(hash), "the SHA-256 as 64 hex digits or 32 bytes");
  }
  const b = new Uint8Array(32);
  for (let i = 0; i < 32; i++) b[i] = parseInt(hash.slice(2 * i, 2 * i + 2), 16);
  return b;
}
