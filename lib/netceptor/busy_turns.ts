/**
 * Keeps the turns of the event loop short while links bring more than can be handled at once. All
 * links together may keep the loop busy for a while; then one of them goes on in each turn, so that
 * timers and other sockets are served in between. Those that wait take turns by where they come
 * from: a host with hundreds of links holds up another's by one turn only.
 */
import { FairQueue } from "../base/fair_queue.ts";
import { MAX_BUSY_MS } from "./limits.ts";

export class BusyTurns {
  readonly #waiting = new FairQueue<() => void>();
  /** What links have taken since one of them had to wait. */
  #busyMs = 0;

  /** Counts what a link has taken. */
  spend(ms: number): void {
    this.#busyMs += ms;
  }

  /** Whether a link that is busy for `ms` now has to wait for its next turn. */
  isOver(ms: number): boolean {
    return this.#busyMs + ms >= MAX_BUSY_MS;
  }

  /** Resolves when a link from `host` may go on. */
  next(host: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.isEmpty) setImmediate(this.#resume);
      this.#waiting.add(host, resolve);
    });
  }

  readonly #resume = (): void => {
    this.#busyMs = 0;
    this.#waiting.take()!();
    if (!this.#waiting.isEmpty) setImmediate(this.#resume);
  };
}
