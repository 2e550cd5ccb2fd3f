/** Sends signals to processes and groups whose identity the caller knows. */
import { isRunning, type ProcessIdentity } from "./process_identity.ts";

/**
 * Signals a whole process group, which the caller knows to be the job's: its number stays taken as
 * long as one of its processes exists.
 */
export function signalGroup(group: number, signal: Deno.Signal): void {
  // 0 and 1 mean "everything of mine" and "everything" to kill(2).
  if (!Number.isInteger(group) || group <= 1) throw new RangeError(`bad process group ${group}`);
  send(-group, signal);
}

/**
 * Signals the very process that `identity` describes, if it still runs and we may signal it.
 * Synchronous: nothing else runs between the check of who has the pid and the signal.
 */
export function signalProcess(identity: ProcessIdentity, signal: Deno.Signal): void {
  if (isRunning(identity)) send(identity.pid, signal);
}

function send(target: number, signal: Deno.Signal): void {
  try {
    Deno.kill(target, signal);
  } catch {
    // It is gone, or another user's: a later look for what is left will find the latter.
  }
}
