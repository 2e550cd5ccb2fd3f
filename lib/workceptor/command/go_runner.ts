/**
 * A job that the Go daemon left running on a node that has since been upgraded. Its runner writes
 * the status file itself until the job's end.
 */
import { UnitState } from "../../control/work_service.ts";
import { isComplete, type UnitRecord } from "../unit_record.ts";
import { details } from "../work_texts.ts";
import { type Job, type JobDeps, type JobOutcome, lookAgain } from "./job.ts";
import type { JobTrace } from "./job_processes.ts";
import { isRunning, type ProcessIdentity, readProcess } from "./process_identity.ts";

export class GoRunnerJob implements Job {
  readonly interruptible = Promise.resolve();
  readonly trace: JobTrace;
  readonly #deps: JobDeps;

  private constructor(deps: JobDeps, runner: ProcessIdentity) {
    this.#deps = deps;
    this.trace = { leader: runner };
  }

  /** The job whose runner has this pid; `undefined` if that is another process. */
  static async find(deps: JobDeps, pid: number): Promise<GoRunnerJob | undefined> {
    const { store, id } = deps.ledger;
    const runner = pid > 1 ? readProcess(pid) : undefined;
    if (runner === undefined || !await isGoRunner(pid, store.unitFolder(id))) return undefined;
    return new GoRunnerJob(deps, runner);
  }

  async follow(signal: AbortSignal): Promise<JobOutcome> {
    const { ledger } = this.#deps;
    return await lookAgain(this.#deps, { name: "status", signal }, async () => {
      // The order matters: the runner writes the end before it ends.
      const running = isRunning(this.trace.leader);
      let end: UnitRecord | undefined;
      await ledger.reload((record) => {
        if (!isComplete(record.State)) return record;
        // The unit decides when its end is due, and whether it counts as cancelled.
        end = record;
        return ledger.record;
      });
      if (end !== undefined) return { State: end.State, Detail: end.Detail, unseen: false };
      if (running) return undefined;
      return { State: UnitState.Failed, Detail: details.processGone, unseen: true };
    });
  }
}

/**
 * Whether `pid` is the Go daemon's command runner for the unit in `folder`: its command line says
 * so, which that of no later process with the same pid does.
 */
async function isGoRunner(pid: number, folder: string): Promise<boolean> {
  try {
    const words = (await Deno.readTextFile(`/proc/${pid}/cmdline`)).split("\0");
    return words.includes("--command-runner") && words.includes(`unitdir=${folder}`);
  } catch {
    return false;
  }
}
