/** Ends a job's whole process group: asks first, insists later. */
import { type Clock, sleep } from "../../base/clock.ts";
import { signalGroup } from "./process_identity.ts";

/** From SIGINT to SIGKILL, as in the original. */
export const STOP_GRACE_MS = 10_000;

/** The end of a group is told by nobody; this is asked only while one is being stopped. */
const CHECK_INTERVAL_MS = 100;

/**
 * Sends SIGINT to the group, and SIGKILL to what is left of it after `STOP_GRACE_MS`. Resolves
 * when the group is gone or was killed. An abort of `signal` ends the wait without the kill and
 * rejects with its reason. The caller knows that the group is the job's: its number stays taken
 * as long as one of its processes is there.
 */
export async function stopGroup(
  group: number,
  options: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  const { clock, signal } = options;
  if (!signalGroup(group, "SIGINT")) return;
  const killAt = clock.now() + STOP_GRACE_MS;
  while (clock.now() < killAt) {
    await sleep(clock, CHECK_INTERVAL_MS, { signal });
    if (!groupExists(group)) return;
  }
  signalGroup(group, "SIGKILL");
}

export function groupExists(group: number): boolean {
  try {
    // Signal 0 only asks.
    Deno.kill(-group, 0);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied;
  }
}
