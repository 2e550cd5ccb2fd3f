/** When a failed request is made again by the client itself. */
import { DialError, StaleConnectionError } from "./http_client.ts";
import { isSetupError, KubeError } from "./kube_error.ts";

/** What is sent `once` is repeated only if the server has certainly not carried it out. */
export type RequestKind = "repeatable" | "once";

/** Attempts in all. Whoever can wait for longer does so with the job's state in mind. */
const MAX_ATTEMPTS = 4;
const FIRST_DELAY_MS = 200;
const GROWTH = 4;
/** A longer `Retry-After` is left to the caller, in the error. */
const MAX_RETRY_AFTER_MS = 10_000;

/**
 * How long to wait before attempt `attempt + 1`, in milliseconds; undefined to give up. `error` is
 * what attempt `attempt`, from 1, threw.
 */
export function retryDelayMs(
  error: unknown,
  attempt: number,
  kind: RequestKind,
): number | undefined {
  if (attempt >= MAX_ATTEMPTS || isSetupError(error)) return undefined;
  const delayMs = FIRST_DELAY_MS * GROWTH ** (attempt - 1);
  if (error instanceof KubeError) {
    const { code, retryAfterMs } = error;
    // Silence, or a plug-in that failed: each has taken its time already.
    if (code === undefined) return undefined;
    // A server that is too busy answers 429 before it does anything.
    const repeatable = code === 429 || (code >= 500 && kind === "repeatable");
    if (!repeatable || (retryAfterMs ?? 0) > MAX_RETRY_AFTER_MS) return undefined;
    return Math.max(delayMs, retryAfterMs ?? 0);
  }
  if (kind === "once" && !(error instanceof DialError)) return undefined;
  return error instanceof StaleConnectionError ? 0 : delayMs;
}
