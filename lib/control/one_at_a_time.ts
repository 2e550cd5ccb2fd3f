/**
 * Long tasks for clients that nobody knows, one at a time: those that wait take turns by their
 * owner.
 */
import { FairQueue } from "../base/fair_queue.ts";

export class OneAtATime {
  readonly #waiting = new FairQueue<() => void>();
  #isRunning = false;

  /** Runs `task` when its turn has come. */
  async run<T>(owner: string, task: () => Promise<T>): Promise<T> {
    if (this.#isRunning) await new Promise<void>((resolve) => this.#waiting.add(owner, resolve));
    this.#isRunning = true;
    try {
      return await task();
    } finally {
      const next = this.#waiting.take();
      if (next === undefined) this.#isRunning = false;
      else next();
    }
  }
}
