/** A time limit for something that takes an abort signal. */
import type { Clock } from "./clock.ts";

export interface Deadline extends Disposable {
  /** Aborts when the time is up; never if there is no limit. */
  readonly signal: AbortSignal;
}

/**
 * Starts a limit of `limitMs`, `undefined` for none; `reason` makes the error that the signal
 * aborts with. Disposing ends the limit.
 */
export function deadline(
  clock: Clock,
  limitMs: number | undefined,
  reason: () => Error,
): Deadline {
  const over = new AbortController();
  const timer = limitMs === undefined
    ? undefined
    : clock.after(limitMs, () => over.abort(reason()));
  return { signal: over.signal, [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
}
