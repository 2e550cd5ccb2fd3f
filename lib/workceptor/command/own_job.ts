/** A job that this daemon started: it learns of the end from its child. */
import { abortable } from "../../base/abortable.ts";
import { details } from "../work_texts.ts";
import { recordRunning } from "./command_record.ts";
import type { Job, JobDeps, JobOutcome } from "./job.ts";
import { describeJobEnd } from "./job_end_text.ts";
import type { JobTrace } from "./job_processes.ts";
import { type ProcessIdentity, readProcess } from "./process_identity.ts";
import type { Spawner } from "./spawner.ts";
import { startSupervisor, type Supervisor } from "./supervisor.ts";

export class OwnJob implements Job {
  readonly #deps: JobDeps;
  readonly #supervisor: Supervisor;
  #leader: ProcessIdentity | undefined;
  #command: ProcessIdentity | undefined;
  #ended = false;

  private constructor(deps: JobDeps, supervisor: Supervisor) {
    this.#deps = deps;
    this.#supervisor = supervisor;
    this.#leader = supervisor.identity;
    supervisor.ended.then(() => this.#ended = true);
  }

  /** Starts `words` as the unit's job. Rejects with what the spawn rejects with. */
  static async start(
    deps: JobDeps,
    spawner: Spawner,
    words: readonly string[],
  ): Promise<OwnJob> {
    const { store, id } = deps.ledger;
    return new OwnJob(deps, await startSupervisor(spawner, store.unitFolder(id), words));
  }

  get trace(): JobTrace | undefined {
    // A child that has not been waited for yet still has its pid.
    if (!this.#ended) this.#leader ??= readProcess(this.#supervisor.pid);
    return this.#leader && { leader: this.#leader, command: this.#command };
  }

  get interruptible(): Promise<unknown> {
    return this.#supervisor.command;
  }

  async follow(signal: AbortSignal): Promise<JobOutcome> {
    const supervisor = this.#supervisor;
    signal.addEventListener("abort", () => supervisor.detach(), { once: true });
    const { pid } = supervisor;
    this.#command = await abortable(supervisor.command, signal);
    if (this.#command !== undefined && !this.#ended) {
      await recordRunning(this.#deps.ledger, { pid: this.#command.pid, supervisor: pid });
    }
    const end = await abortable(supervisor.ended, signal);
    return describeJobEnd(end, details.supervisorGone(pid));
  }
}
