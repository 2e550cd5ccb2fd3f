/** Sends signals to processes and groups of which the caller knows who they are. */
import { isRunning, type ProcessIdentity } from "./process_identity.ts";

/**
 * Signals a whole process group, of which the caller knows that it is the job's: its number stays
 * taken as long as one of its processes is there.
 */
export function signalGroup(group: number, signal: Deno.Signal): void {
  // 0 and 1 mean "everything of mine" and "everything" to kill(2).
  if (!Number.isInteger(group) || group <= 1) throw new RangeError(`bad process group ${group}`);
  send(-group, signal);
}

/**
 * Signals the very process that `identity` describes, if it still runs and is ours to signal. Does
 * so at once: between the look at who has the pid and the signal nothing else gets its turn.
 */
export function signalProcess(identity: ProcessIdentity, signal: Deno.Signal): void {
  if (isRunning(identity)) send(identity.pid, signal);
}

function send(target: number, signal: Deno.Signal): void {
  try {
    Deno.kill(target, signal);
  } catch {
    // It is gone, or another user's: whoever looks for what is left will find the latter.
  }
}
