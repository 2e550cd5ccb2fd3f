/**
 * Counts what is dropped and reports it now and then: a neighbour can make us drop a million
 * messages a second, but must not make us write as many lines.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { NetceptorObserver } from "./observer.ts";

/** One line for each reason in this time, in milliseconds. */
const QUIET_MS = 10_000;

interface Reason {
  total: number;
  /** Since the last line. */
  untold: number;
  quietUntil: number;
}

export interface DropLogDeps {
  readonly log: Log;
  readonly clock: Pick<Clock, "now">;
  readonly observer: Required<Pick<NetceptorObserver, "dropped" | "limitHit">>;
}

export class DropLog {
  readonly #deps: DropLogDeps;
  readonly #reasons = new Map<string, Reason>();

  constructor(deps: DropLogDeps) {
    this.#deps = deps;
  }

  /**
   * Notes one more drop for `reason`, which is one of a few texts of our own. `detail` and the id
   * of the neighbour are for the log only.
   */
  count(reason: string, detail = "", neighbour = ""): void {
    this.#note("dropped", reason, detail, neighbour);
  }

  /** As `count`, for something that was refused or forgotten because there was no room for more. */
  countLimit(reason: string, detail = "", neighbour = ""): void {
    this.#note("limitHit", reason, detail, neighbour);
  }

  /** How often each reason occurred. */
  get totals(): Record<string, number> {
    return Object.fromEntries(
      Array.from(this.#reasons, ([reason, { total }]) => [reason, total]),
    );
  }

  #note(event: "dropped" | "limitHit", reason: string, detail: string, neighbour: string): void {
    const { log, clock, observer } = this.#deps;
    let state = this.#reasons.get(reason);
    if (state === undefined) {
      this.#reasons.set(reason, state = { total: 0, untold: 0, quietUntil: -Infinity });
    }
    state.total++;
    const now = clock.now();
    if (now < state.quietUntil) {
      state.untold++;
      return;
    }
    const { total, untold } = state;
    state.untold = 0;
    state.quietUntil = now + QUIET_MS;
    const more = untold > 0 ? ` (and ${untold} more since the last such line)` : "";
    log.error(
      `${reason}${detail === "" ? "" : `: ${detail}`}${more}`,
      neighbour === "" ? {} : { remote_id: neighbour },
    );
    observer[event]({ reason, detail, neighbour, count: untold + 1, total });
  }
}
