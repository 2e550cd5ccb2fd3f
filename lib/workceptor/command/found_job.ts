/** A job that an earlier daemon started: its end is known from its supervisor's files. */
import { type Clock, sleep } from "../../base/clock.ts";
import { details } from "../work_texts.ts";
import { recordRunning } from "./command_record.ts";
import { type Job, type JobDeps, type JobOutcome, lookAgain } from "./job.ts";
import { describeJobEnd } from "./job_end_text.ts";
import type { JobTrace } from "./job_processes.ts";
import { isRunning, type ProcessIdentity, readBootId } from "./process_identity.ts";
import { readJobEnd, readSupervisorRecord, type SupervisorRecord } from "./supervisor_files.ts";

/** Within this time a newly spawned supervisor has taken its unit and written its whole record. */
export const TAKING_MS = 2_000;
const TAKING_INTERVAL_MS = 50;

/** What the supervisor's files say of a unit. */
export type Finding =
  /** No supervisor has taken the unit, so far. */
  | { readonly is: "untouched" }
  /** It was taken, but no job was started. */
  | { readonly is: "never started" }
  /** With its outcome, if already known. */
  | { readonly is: "a job"; readonly job: FoundJob; readonly outcome?: JobOutcome };

export class FoundJob implements Job {
  readonly interruptible = Promise.resolve();
  readonly #deps: JobDeps;
  readonly #folder: string;
  readonly #supervisor: ProcessIdentity;
  /** Whether it was started since the machine booted; if not, its pids mean nothing. */
  readonly #isOfThisBoot: boolean;
  #command: ProcessIdentity | undefined;

  private constructor(
    deps: JobDeps,
    supervisor: ProcessIdentity,
    { isOfThisBoot, command }: { isOfThisBoot: boolean; command: ProcessIdentity | undefined },
  ) {
    this.#deps = deps;
    this.#folder = deps.ledger.store.unitFolder(deps.ledger.id);
    this.#supervisor = supervisor;
    this.#isOfThisBoot = isOfThisBoot;
    this.#command = command;
  }

  static async find(deps: JobDeps, signal: AbortSignal): Promise<Finding> {
    const folder = deps.ledger.store.unitFolder(deps.ledger.id);
    const record = await readFinished(folder, deps.clock, signal);
    if (record === undefined) return { is: "untouched" };
    const { supervisor, command } = record;
    if (supervisor === undefined) return { is: "never started" };
    const bootId = await readBootId();
    const isOfThisBoot = record.bootId === bootId || bootId === "";
    const job = new FoundJob(deps, supervisor, { isOfThisBoot, command });
    const end = await readJobEnd(folder);
    if (end !== undefined) return { is: "a job", job, outcome: describeJobEnd(end, "") };
    if (isOfThisBoot) return { is: "a job", job };
    const lost = describeJobEnd({ kind: "lost" }, details.machineRestarted);
    return { is: "a job", job, outcome: { ...lost, unseen: false } };
  }

  get trace(): JobTrace | undefined {
    return this.#isOfThisBoot ? { leader: this.#supervisor, command: this.#command } : undefined;
  }

  async follow(signal: AbortSignal): Promise<JobOutcome> {
    const { pid } = this.#supervisor;
    return await lookAgain(this.#deps, { name: "exit", signal }, async () => {
      this.#command ??= (await readSupervisorRecord(this.#folder))?.command;
      if (this.#command !== undefined) {
        await recordRunning(this.#deps.ledger, { pid: this.#command.pid, supervisor: pid });
      }
      // The order matters: a supervisor writes the status before it ends.
      const running = isRunning(this.#supervisor);
      const end = await readJobEnd(this.#folder);
      if (end === undefined && running) return undefined;
      return describeJobEnd(end ?? { kind: "lost" }, details.supervisorGone(pid));
    });
  }
}

/** Reads the supervisor's record, waiting for one that is just being written. */
async function readFinished(
  folder: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<SupervisorRecord | undefined> {
  const deadline = clock.now() + TAKING_MS;
  while (true) {
    const record = await readSupervisorRecord(folder);
    const isFinished = record === undefined || record.supervisor !== undefined;
    if (isFinished || clock.now() >= deadline) return record;
    await sleep(clock, TAKING_INTERVAL_MS, { signal });
  }
}
