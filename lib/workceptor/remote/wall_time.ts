/** Timers for a time of day. */
import type { Clock } from "../../base/clock.ts";

/** Longest delay of a JavaScript timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Runs `action` once when the wall clock shows `time` (milliseconds; `undefined` for never), and
 * not a moment before, however far ahead that is. Disposing cancels it.
 */
export function atWallTime(
  clock: Clock,
  time: number | undefined,
  action: () => void,
): Disposable {
  let timer: Disposable | undefined;
  const look = () => {
    const delayMs = time! - clock.wallTime();
    if (delayMs <= 0) action();
    else timer = clock.after(Math.min(Math.ceil(delayMs), MAX_TIMER_MS), look);
  };
  if (time !== undefined) look();
  return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
}
