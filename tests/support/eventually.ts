/** Waiting for a condition that nothing announces: the one bounded loop that tests may use. */

/**
 * Long enough for a busy two-core machine and for a broken mesh stream, which is detected by its
 * idle timeout of 30 s and repaired afterwards. A test that passes never waits this long.
 */
export const PATIENCE_MS = 90_000;

export interface EventuallyOptions {
  /** Gives up after this many milliseconds. */
  timeoutMs?: number;
  /** Pause between two checks, in milliseconds. */
  intervalMs?: number;
  /** What is awaited, for the error; a function is called only if needed. */
  what?: string | (() => string);
}

/**
 * Resolves to the first result of `check` that is neither `undefined`, `null` nor `false`. A throw
 * counts as "not yet" and becomes the cause of the error when time is up.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const { timeoutMs = PATIENCE_MS, intervalMs = 20, what = "the condition" } = options;
  const end = performance.now() + timeoutMs;
  let cause: unknown;
  while (true) {
    try {
      const result = await check();
      if (result !== undefined && result !== null && result !== false) {
        return result as NonNullable<Exclude<T, false>>;
      }
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= end) {
      throw new Error(`Waited ${timeoutMs} ms in vain for ${textOf(what)}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/**
 * `promise`, or an error that names `what` (a function is called only then) after `timeoutMs`. Leaves
 * no timer behind.
 */
export async function within<T>(
  timeoutMs: number,
  what: string | (() => string),
  promise: Promise<T>,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Waited ${timeoutMs} ms in vain for ${textOf(what)}`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function textOf(what: string | (() => string)): string {
  return typeof what === "string" ? what : what();
}
