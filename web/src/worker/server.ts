import type { ErrorInfo } from "../errors.ts";
import type { Server, UploadedObject } from "../messages.ts";
import type { Answer, Grant, Multipart, Session, Told } from "./engine.ts";

/** What POST …/uploads and /v1/uploads/credentials answer. */
interface GrantReply {
  grant: string;
  expires: string;
  serverTime: string;
  upload: {
    bucket: string;
    key: string;
    region: string;
    endpoint: string;
    addressing: "path" | "virtual";
    headers: Record<string, string>;
    overwrite?: boolean;
    existence?: boolean;
  };
  parts: { minSize: number; maxSize: number; maxCount: number };
  signing: string;
  /** Not where `signing` is "presigned". */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken: string; expiration: string };
}

interface CompleteReply {
  key: string;
  size: number;
  etag: string;
  versionId?: string;
  checksum?: string | { algorithm: string; value: string };
  url?: string;
}

/** What POST …/uploads answers where the bytes are there already. */
interface ExistsReply extends CompleteReply {
  exists: true;
}

/** RFC 9457, with the server's own code. */
interface Problem {
  title?: string;
  detail?: string;
  code?: string;
  requestId?: string;
}

/** Asks the page for bearer tokens: once for all the calls that want the same one at the same time. */
export class Tokens {
  private readonly asked = new Map<number, { number: number; resolve: (t: string | null) => void; reject: (e: Error) => void }>();
  private readonly coming = new Map<number, Promise<string | null>>();
  private last = 0;

  constructor(private readonly ask: (ask: number, number: number) => void) {}

  /** The page's token of that number; null for number 0. */
  get(number: number): Promise<string | null> {
    if (number === 0) return Promise.resolve(null);
    let coming = this.coming.get(number);
    if (!coming) {
      const ask = ++this.last;
      coming = new Promise((resolve, reject) => this.asked.set(ask, { number, resolve, reject }));
      this.coming.set(number, coming);
      this.ask(ask, number);
    }
    return coming;
  }

  /** Asks anew from now on, whatever is still being waited for. */
  renew(): void {
    this.coming.clear();
  }

  given(ask: number, token: string | null, error: string): void {
    const asked = this.asked.get(ask);
    if (!asked) return;
    this.asked.delete(ask);
    this.coming.delete(asked.number);
    if (error) asked.reject(new Error(error));
    else asked.resolve(token);
  }
}

/** One upload's calls to the chunksign server. */
export class ServerCalls {
  constructor(
    private readonly server: Server,
    private readonly tokens: Tokens,
    private readonly hear: (ev: Answer) => void,
  ) {}

  /** The checksum is the whole object's, "" when asking first. */
  ask(id: number, file: { name: string; type: string; size: number }, value: string, partSize: number): () => void {
    const granted = (r: GrantReply): Answer => ({ e: "granted", id, grant: readGrant(r), session: readSession(r), serverTime: Date.parse(r.serverTime) });
    const { destination, grant } = this.server;
    if (grant) return this.post(id, "/v1/uploads/credentials", { grant }, granted);
    const { name, type, size } = file;
    const checksum = value ? { algorithm: "SHA256", value, partSize } : undefined;
    const path = `/v1/destinations/${encodeURIComponent(destination)}/uploads`;
    return this.post(id, path, { name, type: type || "application/octet-stream", size, checksum }, (r: GrantReply | ExistsReply) => {
      if ("exists" in r) return { e: "exists", id, object: readObject(r) };
      return granted(r);
    });
  }

  renew(id: number, grant: string): () => void {
    return this.post(id, "/v1/uploads/credentials", { grant }, (r: GrantReply) => ({
      e: "renewed", id, session: readSession(r), serverTime: Date.parse(r.serverTime),
    }));
  }

  verify(id: number, grant: string, etag: string): () => void {
    return this.post(id, "/v1/uploads/complete", etag ? { grant, etag } : { grant }, (r: CompleteReply) => ({
      e: "verified", id, object: readObject(r),
    }));
  }

  /** Has the server sign for parts, or make one of the calls of a multipart upload itself. */
  multipart(id: number, { grant, op, uploadId, after, renew, parts }: Multipart): () => void {
    const told = (told: Told): Answer => ({ e: "told", id, told });
    const which = { grant, uploadId: uploadId || undefined, parts: parts.length > 0 ? parts : undefined };
    if (op === "parts") return this.post(id, "/v1/uploads/parts", { ...which, renew }, told);
    return this.post(id, "/v1/uploads/multipart", { ...which, op, after: after || undefined }, told);
  }

  private post<T>(id: number, path: string, body: unknown, read: (reply: T) => Answer): () => void {
    const abort = new AbortController();
    void this.exchange(id, path, body, read, abort.signal).then((ev) => {
      if (!abort.signal.aborted) this.hear(ev);
    });
    return () => abort.abort();
  }

  private async exchange<T>(id: number, path: string, body: unknown, read: (reply: T) => Answer, signal: AbortSignal): Promise<Answer> {
    const { endpoint, headers, withCredentials } = this.server;
    const all = new Headers(headers);
    all.set("Content-Type", "application/json");
    try {
      const token = await this.tokens.get(this.server.token);
      if (token !== null) all.set("Authorization", `Bearer ${token}`);
    } catch (e) {
      return refused(id, { code: "token_failed", message: `the page's token function failed: ${(e as Error).message}`, status: 401 });
    }
    let response: Response;
    let text: string;
    try {
      response = await fetch(endpoint + path, {
        method: "POST", headers: all, body: JSON.stringify(body), signal, cache: "no-store",
        credentials: withCredentials ? "include" : "same-origin",
      });
      text = await response.text();
    } catch {
      return { e: "lost", id };
    }
    try {
      if (response.ok) return read(JSON.parse(text) as T);
      const p = JSON.parse(text) as Problem;
      return refused(id, {
        code: p.code ?? "http_error", message: p.detail ?? p.title ?? `HTTP ${response.status}`,
        status: response.status, requestId: p.requestId ?? "",
      }, retryAfter(response));
    } catch {
      const where = `${endpoint}${path}`;
      return refused(id, {
        code: "http_error", status: response.ok ? 502 : response.status,
        message: `${where} answered HTTP ${response.status} with something that is not the server's JSON; is the endpoint a chunksign server?`,
      }, retryAfter(response));
    }
  }
}

function refused(id: number, error: Partial<ErrorInfo>, retryAfter = 0): Answer {
  const { code = "", message = "", status = 0, requestId = "" } = error;
  const retryable = status === 0 || status === 408 || status === 429 || status >= 500;
  return { e: "refused", id, error: { code, message, status, requestId, retryable, part: 0 }, retryAfter };
}

/** RFC 9110, section 10.2.3: seconds, or a date. In milliseconds here. */
function retryAfter(response: Response): number {
  const value = response.headers.get("Retry-After");
  if (!value) return 0;
  const now = Date.parse(response.headers.get("Date") ?? "") || Date.now(); // this clock may be wrong
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return ms > 0 ? Math.min(ms, 3_600_000) : 0;
}

function readGrant(r: GrantReply): Grant {
  const u = r.upload;
  return {
    token: r.grant, expires: Date.parse(r.expires), endpoint: u.endpoint, bucket: u.bucket, key: u.key, region: u.region,
    virtual: u.addressing === "virtual", overwrite: u.overwrite ?? false, existence: u.existence ?? false, presigned: r.signing === "presigned", headers: Object.entries(u.headers),
    minPartSize: r.parts.minSize, maxPartSize: r.parts.maxSize, maxParts: r.parts.maxCount,
  };
}

function readSession({ credentials: c }: GrantReply): Session {
  if (!c) return { accessKeyId: "", secretAccessKey: "", sessionToken: "", expires: 0 };
  return { accessKeyId: c.accessKeyId, secretAccessKey: c.secretAccessKey, sessionToken: c.sessionToken, expires: Date.parse(c.expiration) };
}

/** The bucket is the engine's to fill in: it has the grant. */
function readObject(r: CompleteReply): UploadedObject {
  const { checksum: c } = r;
  return {
    bucket: "", key: r.key, size: r.size, etag: r.etag, versionId: r.versionId ?? "",
    checksum: !c ? "" : typeof c === "string" ? c : `${c.algorithm}:${c.value}`, url: r.url ?? "",
  };
}
