/** A job that this daemon started: it learns the end from its child. */
import { abortable } from "../../base/abortable.ts";
import { details } from "../work_texts.ts";
import { recordRunning } from "./command_record.ts";
import type { Job, JobDeps, JobOutcome } from "./job.ts";
import { describeJobEnd } from "./job_end_text.ts";
import type { JobTrace } from "./job_processes.ts";
import type { ProcessIdentity } from "./process_identity.ts";
import { startSupervisor, type Supervisor } from "./supervisor.ts";

export class OwnJob implements Job {
  readonly #deps: JobDeps;
  readonly #supervisor: Supervisor;
  #command: ProcessIdentity | undefined;

  /** Starts `words` as the unit's job. Throws what the spawn throws. */
  constructor(deps: JobDeps, words: readonly string[]) {
    const { store, id } = deps.ledger;
    this.#deps = deps;
    this.#supervisor = startSupervisor(store.unitFolder(id), words);
  }

  get trace(): JobTrace | undefined {
    const { identity } = this.#supervisor;
    return identity && { leader: identity, command: this.#command };
  }

  get interruptible(): Promise<unknown> {
    return this.#supervisor.command;
  }

  async follow(signal: AbortSignal): Promise<JobOutcome> {
    const supervisor = this.#supervisor;
    signal.addEventListener("abort", () => supervisor.detach(), { once: true });
    const { pid } = supervisor;
    let ended = false;
    supervisor.ended.then(() => ended = true);
    this.#command = await abortable(supervisor.command, signal);
    if (this.#command !== undefined && !ended) {
      await recordRunning(this.#deps.ledger, { pid: this.#command.pid, supervisor: pid });
    }
    const end = await abortable(supervisor.ended, signal);
    return describeJobEnd(end, details.supervisorGone(pid));
  }
}
