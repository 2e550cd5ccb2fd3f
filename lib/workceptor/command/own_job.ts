/** A job that this daemon started: it learns of the end from its child. */
import { abortable } from "../../base/abortable.ts";
import { details } from "../work_texts.ts";
import { recordRunning } from "./command_record.ts";
import type { Job, JobDeps, JobOutcome } from "./job.ts";
import { describeJobEnd } from "./job_end_text.ts";
import type { JobTrace } from "./job_processes.ts";
import { type ProcessIdentity, readProcess } from "./process_identity.ts";
import { startSupervisor, type Supervisor } from "./supervisor.ts";

export class OwnJob implements Job {
  readonly #deps: JobDeps;
  readonly #supervisor: Supervisor;
  #leader: ProcessIdentity | undefined;
  #command: ProcessIdentity | undefined;
  #ended = false;

  /** Starts `words` as the unit's job. Throws what the spawn throws. */
  constructor(deps: JobDeps, words: readonly string[]) {
    const { store, id } = deps.ledger;
    this.#deps = deps;
    this.#supervisor = startSupervisor(store.unitFolder(id), words);
    this.#leader = this.#supervisor.identity;
    this.#supervisor.ended.then(() => this.#ended = true);
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
