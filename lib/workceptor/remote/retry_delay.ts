/** How long to wait before a remote node is tried again. */
import type { Random } from "../../base/random.ts";

/** As in the Go daemon. */
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 60_000;
const GROWTH = 1.5;

/** Share of a delay that is left to chance: units that failed together must not come together. */
const JITTER = 0.2;

export class RetryDelay {
  readonly #random: Random;
  #baseMs = FIRST_DELAY_MS;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Milliseconds to wait this time; the next time it is longer. */
  next(): number {
    const chance = this.#random.fill(new Uint8Array(1))[0]! / 255;
    const delayMs = this.#baseMs * (1 - JITTER / 2 + JITTER * chance);
    this.#baseMs = Math.min(this.#baseMs * GROWTH, MAX_DELAY_MS);
    return Math.min(delayMs, MAX_DELAY_MS);
  }

  /** It worked: the next failure waits as short as the first. */
  reset(): void {
    this.#baseMs = FIRST_DELAY_MS;
  }
}
