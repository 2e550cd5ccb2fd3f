/** How every dialler keeps its link up: dials, hands over the session, waits, dials again. */
import { type Clock, sleep } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { OnSession, Session } from "./backend.ts";

const second = 1000;
/** Wait before the first redial, in milliseconds. The times are the original's. */
export const FIRST_REDIAL_MS = 5 * second;
/** Longest wait between two dials, in milliseconds. */
export const MAX_REDIAL_MS = 20 * second;
const REDIAL_GROWTH = 1.5;
/** How long one dial may take, TLS handshake included, in milliseconds. */
export const DIAL_TIMEOUT_MS = 15 * second;

/** The wait after one of `delayMs` that led to no success. */
export function nextRedialMs(delayMs: number): number {
  return Math.min(delayMs * REDIAL_GROWTH, MAX_REDIAL_MS);
}

export interface DiallerDeps {
  readonly log: Log;
  readonly clock: Clock;
}

export interface DiallerOptions {
  /** Opens one session; `signal` bounds how long that may take. */
  readonly dial: (signal: AbortSignal) => Promise<Session>;
  /** Whether to dial again after a failure or the end of a session. */
  readonly redial: boolean;
}

/** The `run` of a dialling backend. */
export async function runDialler(
  { log, clock }: DiallerDeps,
  { dial, redial }: DiallerOptions,
  onSession: OnSession,
  signal: AbortSignal,
): Promise<void> {
  let delayMs = FIRST_REDIAL_MS;
  while (!signal.aborted) {
    let established = false;
    let failure: Error | undefined;
    try {
      const session = await dialInTime(clock, dial, signal);
      ({ established } = await onSession(session));
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error), { cause: error });
    }
    if (signal.aborted) return;
    const outcome = failure === undefined ? "exited" : "failed";
    const reason = failure === undefined ? "" : `: ${failure.message}`;
    if (!redial) {
      log.error(`Backend connection ${outcome}${reason}`);
      return;
    }
    log.warning(`Backend connection ${outcome} (will retry)${reason}`);
    if (established) delayMs = FIRST_REDIAL_MS;
    await sleep(clock, delayMs, { signal }).catch(() => {});
    delayMs = nextRedialMs(delayMs);
  }
}

async function dialInTime(
  clock: Clock,
  dial: DiallerOptions["dial"],
  signal: AbortSignal,
): Promise<Session> {
  const timeout = new AbortController();
  using _timer = clock.after(
    DIAL_TIMEOUT_MS,
    () => timeout.abort(new Error(`no answer within ${DIAL_TIMEOUT_MS / second} s`)),
  );
  return await dial(AbortSignal.any([signal, timeout.signal]));
}
