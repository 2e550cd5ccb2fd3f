/**
 * A log that strangers cannot fill: it takes only a few lines per period about each source, such as
 * an address, and then says how many it left out.
 */
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";

/** The period, in milliseconds. */
const PERIOD_MS = 10_000;
/** Lines per period about one source, and about all of them. */
const MAX_LINES_PER_SOURCE = 10;
const MAX_LINES = 100;

export interface SourceLogDeps {
  readonly log: Log;
  readonly clock: Pick<Clock, "now">;
}

export class SourceLog {
  readonly #deps: SourceLogDeps;
  /** Lines about each source in this period; it has no more entries than there are lines. */
  readonly #lines = new Map<string, number>();
  #taken = 0;
  #leftOut = 0;
  #periodEndsAt = -Infinity;

  constructor(deps: SourceLogDeps) {
    this.#deps = deps;
  }

  /** The log for lines about `source`. Those of level debug are not counted. */
  of(source: string): Log {
    const { log } = this.#deps;
    return {
      error: (message, fields) => this.#take(source) && log.error(message, fields),
      warning: (message, fields) => this.#take(source) && log.warning(message, fields),
      info: (message, fields) => this.#take(source) && log.info(message, fields),
      debug: (message, fields) => log.debug(message, fields),
    };
  }

  #take(source: string): boolean {
    this.#beginPeriod();
    const lines = this.#lines.get(source) ?? 0;
    if (lines >= MAX_LINES_PER_SOURCE || this.#taken >= MAX_LINES) {
      this.#leftOut++;
      return false;
    }
    this.#lines.set(source, lines + 1);
    this.#taken++;
    return true;
  }

  #beginPeriod(): void {
    const { log, clock } = this.#deps;
    const now = clock.now();
    if (now < this.#periodEndsAt) return;
    if (this.#leftOut > 0) log.warning(`${this.#leftOut} more such lines were left out`);
    this.#lines.clear();
    this.#taken = this.#leftOut = 0;
    this.#periodEndsAt = now + PERIOD_MS;
  }
}
