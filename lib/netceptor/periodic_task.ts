/**
 * Work that is done at intervals, and soon if somebody asks. It begins with the first request: a
 * node that does nothing sets no timer (the first one in a program costs Deno 10 ms).
 */
import type { Clock } from "../base/clock.ts";

export interface PeriodicTaskOptions {
  /** Interval if nobody asks, in milliseconds; Infinity for never. */
  readonly intervalMs: number;
  /** Minimum time between two runs, in milliseconds: requests in between become one run. */
  readonly minGapMs: number;
}

export class PeriodicTask implements Disposable {
  readonly #clock: Clock;
  readonly #options: PeriodicTaskOptions;
  readonly #action: () => void;
  #lastRun = -Infinity;
  #nextRun = Infinity;
  #timer: Disposable | undefined;
  #disposed = false;

  constructor(clock: Clock, options: PeriodicTaskOptions, action: () => void) {
    this.#clock = clock;
    this.#options = options;
    this.#action = action;
  }

  /** Begins to run at its interval, unless it already has. */
  begin(): void {
    if (this.#timer === undefined) this.#schedule(this.#clock.now() + this.#options.intervalMs);
  }

  /**
   * Runs at once (in a later turn of the event loop), or when the gap since the last run is over.
   */
  request(): void {
    const at = Math.max(this.#clock.now(), this.#lastRun + this.#options.minGapMs);
    if (at < this.#nextRun) this.#schedule(at);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.[Symbol.dispose]();
  }

  #schedule(at: number): void {
    if (this.#disposed) return;
    this.#timer?.[Symbol.dispose]();
    this.#nextRun = at;
    if (at === Infinity) return;
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
      this.#lastRun = this.#clock.now();
      this.#schedule(this.#lastRun + this.#options.intervalMs);
      this.#action();
    });
  }
}
