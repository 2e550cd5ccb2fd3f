/** Keeps up with a unit that runs on another node: its output as it is written, and its state. */
import { type Clock, sleep } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { ControlError } from "../../control/control_error.ts";
import type { RemoteControl } from "./remote_control.ts";
import { isFetched, type RemoteStatus } from "./remote_decision.ts";
import type { RemoteLedger } from "./remote_ledger.ts";
import { fetchOutput } from "./remote_output.ts";
import { RetryDelay } from "./retry_delay.ts";
import { isComplete } from "../unit_record.ts";

/**
 * State and detail are polled, soon after the start and then less and less often; output is not.
 */
const FIRST_STATUS_INTERVAL_MS = 50;
const MAX_STATUS_INTERVAL_MS = 30_000;

/**
 * How long the results stream has to end by itself once the remote node reports the unit complete.
 */
const OUTPUT_END_GRACE_MS = 1_000;

export interface RemoteFollowDeps {
  readonly control: RemoteControl;
  readonly ledger: RemoteLedger;
  readonly clock: Clock;
  readonly random: Random;
  /** Some output came in. */
  onProgress(): void;
}

export interface RemoteEnd {
  readonly status: RemoteStatus;
  /** The remote node no longer has the output. */
  readonly outputLost: boolean;
}

/**
 * Resolves to the end of the unit once it is complete and its results stream has ended, or to
 * `undefined` if the remote node does not know the unit. Rejects if it has to be tried again;
 * output that arrived is kept, and the next try continues after it.
 */
export async function followRemote(
  deps: RemoteFollowDeps,
  signal: AbortSignal,
): Promise<RemoteEnd | undefined> {
  const stop = new Error("the other half has ended");
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const outputEnded = new AbortController();
  const output = followOutput(deps, both).finally(() => outputEnded.abort());
  const states = followState(deps, both, outputEnded.signal);
  // The final state ends both, and a failure of either ends the other, except that the state of a
  // unit without output is still worth knowing.
  states.finally(() => over.abort(stop)).catch(() => {});
  output.catch((error) => {
    if (!deps.control.isOutputLost(error)) over.abort(stop);
  });
  const [fetched, watched] = await Promise.allSettled([output, states]);
  signal.throwIfAborted();

  const failures = [fetched, watched].flatMap((half) =>
    half.status === "rejected" && half.reason !== stop ? [half.reason] : []
  );
  if (failures.some((error) => deps.control.isUnknownUnit(error))) return undefined;
  if (watched.status === "rejected") throw failures[0] ?? watched.reason;
  const status = watched.value;
  if (!isComplete(status.State)) throw new Error("results ended before the unit did");
  const outputLost = fetched.status === "rejected" && deps.control.isOutputLost(fetched.reason);
  if (
    fetched.status === "rejected" && !outputLost &&
    !isFetched(status, await deps.ledger.stdoutSize())
  ) {
    throw fetched.reason;
  }
  return { status, outputLost };
}

async function followOutput(
  { control, ledger: { unit }, onProgress }: RemoteFollowDeps,
  signal: AbortSignal,
): Promise<void> {
  using file = await unit.unlessRemoved(() => unit.store.openStdout(unit.id));
  if (file === undefined) throw new Error("the unit was removed");
  const results = await control.results(file.statSync().size, signal);
  await fetchOutput(results, file, signal, () => {
    onProgress();
    unit.changes.notify();
  });
}

/**
 * Keeps state and detail up to date; resolves to the status once the unit is complete and its
 * output is here, or to the one requested after the output had ended. Failures are tolerated as
 * long as output may still come.
 */
async function followState(
  { control, ledger, clock, random }: RemoteFollowDeps,
  signal: AbortSignal,
  outputEnded: AbortSignal,
): Promise<RemoteStatus> {
  const delay = new RetryDelay(random);
  const pause = (ms: number) =>
    sleep(clock, ms, { signal: AbortSignal.any([signal, outputEnded]) }).catch(() => {});
  let intervalMs = FIRST_STATUS_INTERVAL_MS;
  while (true) {
    signal.throwIfAborted();
    const isLast = outputEnded.aborted;
    try {
      const status = await control.status(signal);
      if (isLast) return status;
      delay.reset();
      await showState(ledger, status);
      if (isComplete(status.State) && isFetched(status, await ledger.stdoutSize())) {
        await pause(OUTPUT_END_GRACE_MS);
        return status;
      }
      await pause(intervalMs);
      intervalMs = Math.min(2 * intervalMs, MAX_STATUS_INTERVAL_MS);
    } catch (error) {
      if (signal.aborted || isLast || error instanceof ControlError) throw error;
      await pause(delay.next());
    }
  }
}

/** Shows a state other than the final one, which is shown together with the last output. */
async function showState({ unit }: RemoteLedger, { State, Detail }: RemoteStatus): Promise<void> {
  if (isComplete(State)) return;
  await unit.update((record) =>
    record.State === State && record.Detail === Detail ? undefined : { State, Detail }
  );
}
