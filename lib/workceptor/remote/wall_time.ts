/** Timers for a time of day. */
import type { Clock } from "../../base/clock.ts";

/** Longest delay of a JavaScript timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Runs `action` once the wall clock shows `time` (milliseconds; `undefined` for never), and not
 * before, however far in the future that is. Disposing cancels it.
 */
export function atWallTime(
  clock: Clock,
  time: number | undefined,
  action: () => void,
): Disposable {
  if (time === undefined) return { [Symbol.dispose]() {} };
  let timer: Disposable;
  const wait = () => {
    const delayMs = Math.max(0, Math.ceil(time - clock.wallTime()));
    timer = clock.after(Math.min(delayMs, MAX_TIMER_MS), look);
  };
  const look = () => clock.wallTime() >= time ? action() : wait();
  wait();
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}
