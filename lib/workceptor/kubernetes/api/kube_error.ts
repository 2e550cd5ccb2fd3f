/** What can go wrong with a request to an API server. */
import { messageOf } from "../../../base/error_message.ts";

export interface KubeErrorOptions extends ErrorOptions {
  /** HTTP status, or the one in a `Status` object that came in a stream. */
  readonly code?: number | undefined;
  /**
   * The server's word for the cause, such as `NotFound`, `AlreadyExists` or `Expired`; `LOCAL_SETUP`
   * for ours.
   */
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

/** `reason` of a `KubeError` for what is wrong on our side: a file, a certificate. */
export const LOCAL_SETUP = "LocalSetup";

/**
 * What we need for a request is missing or malformed, or the server is not the one that we trust:
 * somebody has to put it right.
 */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

/** Whether `error` is a `SetupError` or caused by one. */
export function isSetupError(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof SetupError) return true;
  }
  return false;
}

/** Any error of a request as a `KubeError`. */
export function asKubeError(error: unknown): KubeError {
  if (error instanceof KubeError) return error;
  const reason = isSetupError(error) ? LOCAL_SETUP : undefined;
  return new KubeError(messageOf(error), { cause: error, reason });
}

/**
 * Whether the same request may succeed later without anybody's help: the server is busy or away,
 * not unwilling.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof KubeError) || error.reason === LOCAL_SETUP) return false;
  const { code } = error;
  return code === undefined || code === 429 || code >= 500;
}
