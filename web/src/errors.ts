/** The parts of an error that cross from the worker to the page. */
export interface ErrorInfo {
  code: string;
  message: string;
  status: number;
  requestId: string;
  retryable: boolean;
  part: number;
  cause?: unknown;
}

/**
 * Why an upload ended without an object.
 *
 * `code` is the store's own word (`AccessDenied`, `SlowDown`), the server's
 * (`content_type_not_allowed`, `file_too_large`, …) or one of the library's:
 * `network`, `stalled`, `file_unreadable`, `file_changed`, `different_file`,
 * `file_too_large`, `key_taken`, `cancelled`, `cancel_unconfirmed`, `stopped`, `token_failed`,
 * `permission_denied`, `module_died`, `in_other_tab`, `no_record`.
 */
export class UploadError extends Error {
  override readonly name = "UploadError";
  readonly code: string;
  /** HTTP status of the reply that said so, 0 where there was none. */
  readonly status: number;
  /** The store's or the server's id of the request, for their support and logs; "" where there is none. */
  readonly requestId: string;
  /** Whether the same upload may succeed later. What the store has is kept. */
  readonly retryable: boolean;
  /** The part it happened to, counting from 1; 0 for none. */
  readonly part: number;
  /** The exception behind it, where there was one: the file's, the token function's. */
  override readonly cause: unknown;

  constructor(info: ErrorInfo) {
    super(info.message);
    this.code = info.code;
    this.status = info.status;
    this.requestId = info.requestId;
    this.retryable = info.retryable;
    this.part = info.part;
    this.cause = info.cause;
  }
}

/** An error of the library's own, with no reply behind it. */
export function ownError(code: string, message: string, retryable: boolean, cause?: unknown): ErrorInfo {
  return { code, message, status: 0, requestId: "", retryable, part: 0, cause };
}
