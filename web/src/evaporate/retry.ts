/** Requests to a page's signer, retried as EvaporateJS 2.1.4 retries them. */

/** The page's signer refused, in a problem body (RFC 9457), in django-s3direct's words or otherwise. */
export class SignerSaid extends Error {
  /** The problem's code; "" where the reply has none. */
  readonly code: string;
  /** The reply is in the words of django-s3direct's views, `{"error": …}`. */
  private readonly inViewsWords: boolean;

  constructor(
    /** 0: there was no reply. */
    readonly status: number,
    body: string,
  ) {
    let said: { code?: unknown; detail?: unknown; error?: unknown } = {};
    try {
      said = Object(JSON.parse(body));
    } catch {
      // A proxy's page, or nothing.
    }
    const words = [said.error, said.detail].find((text) => typeof text === "string" && text !== "");
    super(words === undefined ? `The signer answered with status ${status}` : String(words));
    this.code = typeof said.code === "string" ? said.code : "";
    this.inViewsWords = typeof said.error === "string";
    if (status === 0) this.message = body;
  }

  /**
   * Reports whether the same request may succeed later. 2.1.4 retries after every status but 401
   * and 403: a proxy answers 404, 429 or 5xx while the signer is restarted or deployed. A reply
   * in which this server says what is wrong with the request is final too: 2.1.4, which cannot
   * read it, would repeat such a request for ever.
   */
  get mayPass(): boolean {
    const { status, code, inViewsWords } = this;
    if (status === 401 || status === 403) return false;
    if (status === 0 || status === 408 || status === 425 || status === 429 || status > 500) return true;
    if (status === 404 || status === 500) return code === "" ? !inViewsWords : code !== "destination_unknown";
    return code === "" && !inViewsWords;
  }
}

/** How long to wait between two requests: the options of 2.1.4. */
export interface Backoff {
  retryBackoffPower: number;
  maxRetryBackoffSecs: number;
}

/**
 * Calls `ask` until it resolves, rejects with what may not pass, or the signal is aborted. The
 * first retry follows at once, the next after 1 s, retryBackoffPower s, its square, …
 *
 * @throws SignerSaid, or the signal's reason.
 */
export async function retried<T>(
  { retryBackoffPower, maxRetryBackoffSecs }: Backoff,
  ask: () => Promise<T>,
  { signal, warn }: { signal: AbortSignal; warn?: (e: SignerSaid) => void },
): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await ask();
    } catch (e) {
      if (!(e instanceof SignerSaid && e.mayPass)) throw e;
      signal.throwIfAborted();
      warn?.(e);
      const seconds = attempts === 1 ? 0 : Math.min(maxRetryBackoffSecs, retryBackoffPower ** (attempts - 2));
      await sleep(seconds * 1000, signal);
    }
    signal.throwIfAborted();
  }
}

/** Resolves after `ms`, or as soon as the signal is aborted. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
