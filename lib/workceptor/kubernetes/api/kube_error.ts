/** What can go wrong with a request to an API server. */

export interface KubeErrorOptions extends ErrorOptions {
  /** HTTP status, or the one in a `Status` object that came in a stream. */
  readonly code?: number | undefined;
  /** The server's word for the cause, such as `NotFound`, `AlreadyExists` or `Expired`. */
  readonly reason?: string | undefined;
  /** How long the server wants us to wait before the next attempt, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * A request failed. If the server answered, `code` is set and the message is its own text, which
 * clients match on (`exceeded quota`); if not, `code` is undefined and the message says what
 * happened on the way, such as `cannot connect to TCP 192.0.2.1:6443: connection refused`.
 */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: number | undefined;
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: KubeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.reason = options.reason;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether the same request may succeed later: the server is busy or away, not unwilling. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  const { code } = error;
  return code === undefined || code === 429 || code >= 500;
}
