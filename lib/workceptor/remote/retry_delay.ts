/** How long to wait before trying a remote node again. */
import type { Random } from "../../base/random.ts";

/** As in the Go daemon. */
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 60_000;
const GROWTH = 1.5;

/** Random share of a delay: units that failed together must not all retry together. */
const JITTER = 0.2;

export class RetryDelay {
  readonly #random: Random;
  #baseMs = FIRST_DELAY_MS;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Milliseconds to wait this time; next time it is longer. */
  next(): number {
    const chance = this.#random.fill(new Uint8Array(1))[0]! / 255;
    const delayMs = this.#baseMs * (1 - JITTER / 2 + JITTER * chance);
    this.#baseMs = Math.min(this.#baseMs * GROWTH, MAX_DELAY_MS);
    return Math.min(delayMs, MAX_DELAY_MS);
  }

  /** It worked: after the next failure, the wait is as short as after the first. */
  reset(): void {
    this.#baseMs = FIRST_DELAY_MS;
  }
}
