/**
 * Remembers which floods have passed here, for an hour, in bounded memory: two generations of
 * ids, of which the older one is dropped as a whole.
 */
import { MAX_SEEN_UPDATES, SEEN_UPDATE_MS } from "./limits.ts";

export class SeenUpdates {
  readonly #maxPerGeneration: number;
  #current = new Set<string>();
  #previous = new Set<string>();
  #currentSinceMs: number;

  constructor(nowMs: number, maxPerGeneration = MAX_SEEN_UPDATES) {
    this.#currentSinceMs = nowMs;
    this.#maxPerGeneration = maxPerGeneration;
  }

  /** Notes `updateId`; false when it was noted before. `nowMs` is monotonic time. */
  add(updateId: string, nowMs: number): boolean {
    const age = nowMs - this.#currentSinceMs;
    if (age >= SEEN_UPDATE_MS || this.#current.size >= this.#maxPerGeneration) {
      this.#previous = age >= 2 * SEEN_UPDATE_MS ? new Set() : this.#current;
      this.#current = new Set();
      this.#currentSinceMs = nowMs;
    }
    if (this.#current.has(updateId) || this.#previous.has(updateId)) return false;
    this.#current.add(updateId);
    return true;
  }
}
