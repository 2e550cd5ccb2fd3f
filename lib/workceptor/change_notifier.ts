/** Tells waiters that something changed, without saying what: they check for themselves. */
import type { Clock } from "../base/clock.ts";

export class ChangeNotifier {
  #version = 0;
  #waiters = new Set<() => void>();

  /**
   * Counts changes. Read it before checking and pass it to `past` afterwards, so that no change is
   * missed.
   */
  get version(): number {
    return this.#version;
  }

  notify(): void {
    this.#version++;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  /**
   * Resolves once there has been a change after `version`, or after `timeoutMs` in any case, or
   * when `signal` aborts; never rejects.
   */
  past(
    version: number,
    options: { clock: Clock; timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    const { clock, timeoutMs, signal } = options;
    if (this.#version !== version || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        timer[Symbol.dispose]();
        signal.removeEventListener("abort", wake);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = clock.after(timeoutMs, wake);
      signal.addEventListener("abort", wake, { once: true });
      this.#waiters.add(wake);
    });
  }
}
