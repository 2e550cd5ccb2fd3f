/**
 * Remembers for an hour which floods have passed here, in bounded memory: two generations of ids,
 * of which the older is dropped as a whole.
 */
import { SEEN_FLOOD_MS } from "./limits.ts";

export class SeenFloods {
  readonly #maxPerGeneration: number;
  #current = new Set<string>();
  #previous = new Set<string>();
  #currentSinceMs: number;

  /** Remembers at least the newest `maxPerGeneration` floods. */
  constructor(nowMs: number, maxPerGeneration: number) {
    this.#currentSinceMs = nowMs;
    this.#maxPerGeneration = maxPerGeneration;
  }

  /** Notes a flood's `id`; false if it was noted before. `nowMs` is monotonic time. */
  add(id: string, nowMs: number): boolean {
    const age = nowMs - this.#currentSinceMs;
    if (age >= SEEN_FLOOD_MS || this.#current.size >= this.#maxPerGeneration) {
      this.#previous = age >= 2 * SEEN_FLOOD_MS ? new Set() : this.#current;
      this.#current = new Set();
      this.#currentSinceMs = nowMs;
    }
    if (this.#current.has(id) || this.#previous.has(id)) return false;
    this.#current.add(id);
    return true;
  }
}
