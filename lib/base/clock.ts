/**
 * Time as an input. Everything that waits or stamps takes a `Clock`, so that a test can run a
 * thousand nodes in virtual time.
 */
export interface Clock {
  /** Monotonic milliseconds, with a fraction. */
  now(): number;
  /** Wall-clock milliseconds since 1970. */
  wallTime(): number;
  /** Runs `action` once after `delayMs`; disposing, which may be repeated, cancels it. */
  after(delayMs: number, action: () => void): Disposable;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/**
 * Resolves after `delayMs` on `clock`; rejects with the signal's reason if that aborts first.
 */
export function sleep(
  clock: Clock,
  delayMs: number,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      timer[Symbol.dispose]();
      reject(signal!.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
