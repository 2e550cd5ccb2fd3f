/** A job as its unit sees it, whoever started it. */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { FileWatcher } from "../file_watcher.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import type { UnitRecord } from "../unit_record.ts";
import type { JobTrace } from "./job_processes.ts";

/** How a job ended: its unit's final state and detail. */
export interface JobOutcome extends Pick<UnitRecord, "State" | "Detail"> {
  /** Nobody saw the command's end: it, or processes of it, may still run. */
  readonly unseen: boolean;
}

export interface Job {
  /** Where to look for its processes; `undefined` if there can be none left. */
  readonly trace: JobTrace | undefined;
  /**
   * Resolves when a SIGINT to the job's group reaches the command, and no longer the shell that is
   * about to become it. Never rejects.
   */
  readonly interruptible: Promise<unknown>;
  /**
   * Keeps the unit's record up to date while the job runs. Once its command has ended, resolves to
   * how; rejects with the signal's reason on abort, after which the job goes on by itself.
   */
  follow(signal: AbortSignal): Promise<JobOutcome>;
}

/** What following a job takes. */
export interface JobDeps {
  readonly ledger: UnitLedger;
  readonly log: Log;
  readonly clock: Clock;
  readonly watcher: FileWatcher;
}

/** How often to look for a job when nothing is heard of it. */
export const LIVENESS_INTERVAL_MS = 1_000;

/**
 * Calls `look` now, at each change of the file `name` in the unit's folder, and from time to time,
 * until it has an outcome. A failed look is repeated: what cannot be read now may be readable
 * later.
 */
export async function lookAgain(
  { ledger, log, clock, watcher }: JobDeps,
  { name, signal }: { name: string; signal: AbortSignal },
  look: () => Promise<JobOutcome | undefined>,
): Promise<JobOutcome> {
  const { changes, store, id } = ledger;
  using _watch = watcher.watch(`${store.unitFolder(id)}/${name}`, () => changes.notify());
  let told = false;
  while (true) {
    signal.throwIfAborted();
    const { version } = changes;
    try {
      const outcome = await look();
      if (outcome !== undefined) return outcome;
    } catch (error) {
      if (!told) log.error(`Cannot check on work unit ${id}: ${error}`, { unit_id: id });
      told = true;
    }
    await changes.past(version, { clock, timeoutMs: LIVENESS_INTERVAL_MS, signal });
  }
}
