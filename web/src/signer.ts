import { Core, CoreDied, op } from "./core.ts";
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

/** Loads the module (once a page) and makes a signer. */
export async function createSigner(options: SignerOptions): Promise<Signer> {
  const { credentials: c, region } = options;
  need(c?.accessKeyId, "credentials.accessKeyId", "the key's id, such as ASIA…");
  need(c?.secretAccessKey, "credentials.secretAccessKey", "the key's secret");
  need(region, "region", 'the store\'s region, such as "eu-west-1"');
  const { wasmURL } = options;
  const load = wasmURL ? () => Core.load(new URL(wasmURL, location.href)) : loadShared;
  return new CoreSigner(await load(), load, options);
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
    private readonly options: SignerOptions,
  ) {
    const { bucket, key, now = Date.now } = options;
    this.now = now;
    this.object = !bucket ? "bucket" : !key ? "key" : undefined;
    this.handle = this.register();
  }

  private register(): number {
    const { credentials: c, region, endpoint, bucket = "", key = "", addressing } = this.options;
    const virtual = addressing ? addressing === "virtual" : !endpoint;
    const m = this.core.message(op.signerNew);
    m.str(c.accessKeyId).str(c.secretAccessKey).str(c.sessionToken ?? "");
    m.str(region).str(endpoint ?? `https://s3.${region}.amazonaws.com`).str(bucket).str(key).bool(virtual);
    return this.core.call(m).u32();
  }

  /** Asks the module; where it dies of that, asks another one once more. */
  private async ask<T>(which: number, write: (m: Writer) => void, read: (r: Reader) => T): Promise<T> {
    for (let again = true; ; again = false) {
      const { core } = this;
      try {
        const m = core.message(which).u32(this.handle).i64(this.now());
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

  async signChunk({ uploadId, partNumber, body, payloadHash }: ChunkToSign): Promise<SignedRequest> {
    if (this.object) throw new TypeError(`signChunk: the signer has no ${this.object}; give it to createSigner`);
    need(uploadId, "uploadId", "the UploadId of CreateMultipartUpload's reply");
    if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > 10_000) {
      throw new TypeError(`partNumber: ${partNumber}; give a whole number from 1 to 10,000`);
    }
    const digest =
      typeof payloadHash === "string" ? unhex(payloadHash) : (payloadHash ?? (await sha256(body, "body or payloadHash")));
    return this.ask(
      op.signChunk,
      (m) => m.str(uploadId).u32(partNumber).bytes(digest),
      (r) => ({ method: "PUT", url: r.str(), headers: readParams(r) }),
    );
  }

  async sign(request: RequestToSign): Promise<SignedRequest> {
    const hash = request.payloadHash ?? hex(await sha256(request.body ?? "", "body"));
    const { origin, headers = {}, method, write } = parse(request);
    return this.ask(
      op.sign,
      (m) => (write(m), m.str(hash)),
      (r) => ({ method, url: origin + r.str(), headers: { ...headers, ...readParams(r) } }),
    );
  }

  async presign(request: RequestToSign, { expiresIn = 900 }: { expiresIn?: number } = {}): Promise<string> {
    if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > 604_800) {
      throw new TypeError(`expiresIn: ${expiresIn}; give whole seconds from 1 to 604800 (7 days)`);
    }
    const hash = request.payloadHash ?? (request.body === undefined ? "" : hex(await sha256(request.body, "body")));
    const { origin, write } = parse(request);
    return this.ask(op.presign, (m) => (write(m), m.str(hash).u32(expiresIn)), (r) => origin + r.str());
  }

  close(): void {
    this.core.call(this.core.message(op.signerFree).u32(this.handle));
  }
}

function parse({ method = "GET", url, headers }: RequestToSign) {
  const u = new URL(url, location.href);
  let path: string;
  try {
    path = decodeURIComponent(u.pathname);
  } catch {
    throw new TypeError(`url: "${u.pathname}" has a % that starts no UTF-8 escape; write it as %25`);
  }
  const write = (m: Writer): void => {
    m.str(method).str(u.host).str(path);
    writeParams(m, [...u.searchParams]);
    writeParams(m, Object.entries(headers ?? {}));
  };
  return { origin: u.origin, headers, method, write };
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

function need(value: unknown, field: string, what: string): void {
  if (typeof value !== "string" || value === "") throw new TypeError(`${field}: ${JSON.stringify(value)}; give ${what}`);
}

async function sha256(body: BodyBytes | undefined, field: string): Promise<Uint8Array> {
  if (body === undefined) throw new TypeError(`${field}: missing; give the chunk's bytes or their SHA-256`);
  if (!globalThis.crypto?.subtle) {
    throw new TypeError("payloadHash: missing; browsers hash only on https and localhost, so give the SHA-256 here");
  }
  const bytes =
    typeof body === "string" ? new TextEncoder().encode(body) : body instanceof Blob ? await body.arrayBuffer() : body;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function hex(b: Uint8Array): string {
  let s = "";
  for (const x of b) s += x.toString(16).padStart(2, "0");
  return s;
}

function unhex(s: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/i.test(s)) throw new TypeError(`payloadHash: "${s}"; give the SHA-256 as 64 hex digits`);
  const b = new Uint8Array(32);
  for (let i = 0; i < 32; i++) b[i] = parseInt(s.slice(2 * i, 2 * i + 2), 16);
  return b;
}
