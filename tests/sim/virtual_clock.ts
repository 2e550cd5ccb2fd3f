/** A clock that stands still until a test moves it. */
import type { Clock } from "../../lib/base/clock.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  /** Wall-clock time at the start: 2026-11-21 00:00:00 UTC, in milliseconds. */
  readonly #epochMs = Date.UTC(2026, 10, 21);

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#epochMs + this.#now;
  }

  after(delayMs: number, action: () => void): Disposable {
    const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, action };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /**
   * Advances by `ms`, timer by timer; after each, everything that it started in microtasks is done
   * before the next one fires.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const timer = this.#next();
      if (timer === undefined || timer.at > end) break;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.action();
      await settle();
    }
    this.#now = end;
  }

  /** Advances in steps until `condition` holds; throws if it does not within `limitMs`. */
  async until(condition: () => boolean, limitMs: number, stepMs = 10): Promise<void> {
    const limit = this.#now + limitMs;
    await settle();
    while (!condition()) {
      if (this.#now >= limit) throw new Error(`not within ${limitMs} ms of virtual time`);
      await this.advance(stepMs);
    }
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (
        next === undefined || timer.at < next.at ||
        (timer.at === next.at && timer.order < next.order)
      ) next = timer;
    }
    return next;
  }
}

/** Resolves when all microtasks that are due have run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
