/**
 * Counts what is dropped and says so now and then: a neighbour can make us drop a million
 * messages a second, but not write as many lines.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";

/** One line for each reason in this time, in milliseconds. */
const QUIET_MS = 10_000;

interface Reason {
  total: number;
  /** Since the last line. */
  untold: number;
  quietUntil: number;
}

export class DropLog {
  readonly #log: Log;
  readonly #clock: Pick<Clock, "now">;
  readonly #reasons = new Map<string, Reason>();

  constructor(log: Log, clock: Pick<Clock, "now">) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Notes one more drop for `reason`, which is one of few. `detail` is for the log only. */
  count(reason: string, detail = "", fields: Record<string, unknown> = {}): void {
    let state = this.#reasons.get(reason);
    if (state === undefined) {
      this.#reasons.set(reason, state = { total: 0, untold: 0, quietUntil: -Infinity });
    }
    state.total++;
    const now = this.#clock.now();
    if (now < state.quietUntil) {
      state.untold++;
      return;
    }
    const more = state.untold > 0 ? ` (and ${state.untold} more since the last such line)` : "";
    this.#log.error(`${reason}${detail === "" ? "" : `: ${detail}`}${more}`, fields);
    state.untold = 0;
    state.quietUntil = now + QUIET_MS;
  }

  /** How often each reason occurred. */
  get totals(): Record<string, number> {
    return Object.fromEntries(
      Array.from(this.#reasons, ([reason, { total }]) => [reason, total]),
    );
  }
}
