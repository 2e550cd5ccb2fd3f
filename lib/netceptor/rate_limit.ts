/** Limits how many of something there are per second. */
import type { Clock } from "../base/clock.ts";

export class RateLimit {
  readonly #clock: Pick<Clock, "now">;
  readonly #perSecond: number;
  #second = -1;
  #taken = 0;

  constructor(clock: Pick<Clock, "now">, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Whether `count` more are allowed now; counts them if so. */
  take(count = 1): boolean {
    const second = Math.floor(this.#clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#taken = 0;
    }
    if (this.#taken + count > this.#perSecond) return false;
    this.#taken += count;
    return true;
  }
}
