/**
 * A unit that runs a command on this node. The command outlives the daemon; whoever follows it, the
 * daemon that started it or a later one, learns of its end from the supervisor. `transition`
 * decides what happens when; this carries it out.
 */
import { abortable } from "../../base/abortable.ts";
import { sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/error_message.ts";
import { ControlError } from "../../control/control_error.ts";
import { UnitState } from "../../control/work_service.ts";
import type { StartReply, Unit, UnitDeps } from "../unit.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import { details, refusals, UNKNOWN_WORK_TYPE } from "../work_texts.ts";
import {
  type CommandEvent,
  type CommandPhase,
  type CommandStep,
  transition,
} from "./command_decision.ts";
import {
  commandExtraData,
  type CommandWorkType,
  DEFAULT_CANCEL_GRACE_MS,
  hasOutputFile,
  recordEnd,
  recordWish,
  wishOf,
} from "./command_record.ts";
import type { ExecutableCheck } from "./executable_check.ts";
import { FoundJob, TAKING_MS } from "./found_job.ts";
import { GoRunnerJob } from "./go_runner.ts";
import { type Job, type JobDeps, LIVENESS_INTERVAL_MS } from "./job.ts";
import { OwnJob } from "./own_job.ts";
import { splitWords } from "./shell_words.ts";
import type { Spawner } from "./spawner.ts";
import { stopJob } from "./stop_job.ts";
import { takeFromSupervisor } from "./supervisor_files.ts";

export interface CommandUnitDeps extends UnitDeps {
  /** Of the work type's command. */
  readonly executable: ExecutableCheck;
  readonly spawner: Spawner;
  /** `undefined` for a unit found on disk whose work type nobody registered. */
  readonly workType: CommandWorkType | undefined;
}

/** How long `cancel` waits for a job that obeys, so that it has ended by the time of the reply. */
const CANCEL_REPLY_MS = 500;

/** How long a stopping daemon waits for the kill of a job that no later daemon will find. */
const LAST_STOP_MS = 15_000;

export class CommandUnit implements Unit {
  readonly ledger: UnitLedger;
  readonly signWork = false;
  readonly #deps: CommandUnitDeps;
  readonly #jobDeps: JobDeps;
  readonly #ending = new AbortController();
  /** Cuts short the grace of a job that is being stopped. */
  readonly #insist = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  /**
   * While a spawn is under way, resolves when it is known what has become of it: only then can the
   * job be stopped. To be looked at again after each wait.
   */
  #spawning: Promise<void> | undefined;
  /** The task that ends the job's processes. */
  #stopTask: Promise<void> = Promise.resolve();
  #phase: CommandPhase<Job> = { is: "waiting" };

  constructor(deps: CommandUnitDeps, ledger: UnitLedger) {
    this.ledger = ledger;
    this.#deps = deps;
    this.#jobDeps = { ledger, log: deps.log, clock: deps.clock, watcher: deps.watcher };
  }

  get extraData(): unknown {
    if (this.#deps.workType === undefined) return UNKNOWN_WORK_TYPE;
    if (this.ledger.complete) return null;
    const { Pid, Params } = commandExtraData(this.ledger.record);
    return { Pid, Params };
  }

  get outputDue(): boolean {
    return this.#deps.workType !== undefined && hasOutputFile(this.ledger.record);
  }

  watchOutput(): Disposable {
    const { ledger } = this;
    return this.#deps.watcher.watch(
      ledger.store.stdoutPath(ledger.id),
      () => ledger.changes.notify(),
    );
  }

  async start(): Promise<StartReply> {
    this.#throwUnless("waiting");
    await this.#on({ is: "start" });
    let words: string[];
    try {
      words = await this.#prepare();
    } catch (error) {
      // The original's runner finds this out only after the reply, so it counts as the job's
      // failure.
      await this.#on({ is: "not started", reason: messageOf(error) });
      return "Job Started";
    }
    this.#throwUnless("starting");
    this.#ending.signal.throwIfAborted();
    const spawned = this.#spawn(words);
    this.#spawning = spawned.catch(() => {}).then(() => this.#spawning = undefined);
    await spawned;
    return "Job Started";
  }

  async abandon(reason: string): Promise<void> {
    await this.#on({ is: "abandoned", reason });
  }

  async resume(): Promise<void> {
    const { ledger } = this;
    const wish = wishOf(ledger.record);
    if (ledger.complete) {
      await this.#on({ is: "found complete" });
      if (wish === "release") await ledger.remove();
      return;
    }
    const finding = await FoundJob.find(this.#jobDeps, this.#ending.signal);
    if (finding.is === "a job") {
      await this.#on({ ...finding, is: "found", wish });
    } else if (finding.is === "never started") {
      await this.#on({ is: "not started", reason: this.#neverStarted });
    } else {
      await this.#resumeUntouched();
    }
  }

  async cancel(): Promise<{ pending: boolean }> {
    while (this.#spawning !== undefined) await this.#spawning;
    await this.#on({ is: "wish", wish: "cancel" });
    await this.#untilComplete(CANCEL_REPLY_MS);
    return { pending: false };
  }

  async release({ force }: { force: boolean }): Promise<{ pending: boolean }> {
    while (this.#spawning !== undefined) await this.#spawning;
    await this.#on(force ? { is: "forced release" } : { is: "wish", wish: "release" });
    if (this.#phase.is === "stopping") await this.#untilComplete(CANCEL_REPLY_MS);
    if (this.#phase.is === "stopping" && !force) return { pending: true };
    await this.ledger.remove();
    return { pending: false };
  }

  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#spawning !== undefined) await this.#spawning;
    const phase = this.#phase;
    if (phase.is === "running" || phase.is === "stopping") {
      // A supervisor that has not claimed its unit yet would find that the next daemon has.
      await this.#atMost(TAKING_MS, phase.job.interruptible);
    }
    if (this.ledger.removed) {
      // No later daemon will know of this unit's job.
      this.#insist.abort();
      await this.#atMost(LAST_STOP_MS, this.#stopTask);
    }
    this.#ending.abort(new Error("the node is shutting down"));
    await this.idle();
  }

  get #neverStarted(): string {
    const { Detail } = this.ledger.record;
    return Detail === details.waitingForInput ? details.notStarted : details.pendingAtRestart;
  }

  /** No supervisor of ours has the unit. */
  async #resumeUntouched(): Promise<void> {
    const { ledger } = this;
    const { Pid } = commandExtraData(ledger.record);
    const goJob = await GoRunnerJob.find(this.#jobDeps, Pid);
    if (goJob !== undefined) {
      await this.#on({ is: "found", job: goJob, wish: wishOf(ledger.record) });
    } else if (this.#deps.workType === undefined) {
      await this.#on({ is: "found unknown" });
    } else if (ledger.record.State === UnitState.Running) {
      await this.#on({ is: "not started", reason: details.processGone });
    } else if (await takeFromSupervisor(ledger.store.unitFolder(ledger.id))) {
      await this.#on({ is: "not started", reason: this.#neverStarted });
    } else {
      // A supervisor that the last daemon spawned just before it ended was quicker: it has the job.
      await this.resume();
    }
  }

  #throwUnless(expected: "waiting" | "starting"): void {
    const { id, removed } = this.ledger;
    if (this.#phase.is === expected) return;
    if (removed) throw new ControlError(refusals.releasedBeforeStart(id));
    if (this.#phase.is === "over" && !this.#phase.started) {
      throw new ControlError(refusals.cancelledBeforeStart(id));
    }
    throw new ControlError(refusals.startedAlready(id));
  }

  async #spawn(words: readonly string[]): Promise<void> {
    let job: Job;
    try {
      job = await OwnJob.start(this.#jobDeps, this.#deps.spawner, words);
    } catch (error) {
      const reason = messageOf(error);
      await this.#on({ is: "not started", reason: details.errorStarting(reason) });
      throw new ControlError(reason, { cause: error });
    }
    await this.#on({ is: "started", job });
  }

  /** Everything that can go wrong before there is a process. */
  async #prepare(): Promise<string[]> {
    const { ledger } = this;
    const { command } = this.#deps.workType!;
    const words = [command, ...splitWords(commandExtraData(ledger.record).Params)];
    await this.#deps.executable.throwUnlessRunnable(this.#deps.clock.now());
    await ledger.unlessRemoved(async () => (await ledger.store.openStdout(ledger.id)).close());
    return words;
  }

  /** The phase changes at once; resolves when the steps are taken, or under way in their tasks. */
  async #on(event: CommandEvent<Job>): Promise<void> {
    const { phase, steps } = transition(this.#phase, event);
    this.#phase = phase;
    for (const step of steps) await this.#take(step);
  }

  async #take(step: CommandStep<Job>): Promise<void> {
    const { ledger } = this;
    switch (step.do) {
      case "record wish":
        return await recordWish(ledger, step.wish);
      case "follow":
        this.#run(async (signal) => {
          await this.#on({ is: "ended", outcome: await step.job.follow(signal) });
        });
        return;
      case "stop":
        this.#stopTask = this.#run((signal) => this.#stop(step.job, signal));
        return;
      case "insist":
        return this.#insist.abort();
      case "end":
        await recordEnd(ledger, step.end);
        return await ledger.store.syncStdout(ledger.id).catch(() => {});
      case "remove":
        return await ledger.remove().catch((error) => {
          this.#deps.log.error(refusals.notRemoved(ledger.id, messageOf(error)));
        });
    }
  }

  async #stop(job: Job, signal: AbortSignal): Promise<void> {
    const { clock, log, workType } = this.#deps;
    const insist = this.#insist.signal;
    await abortable(job.interruptible, AbortSignal.any([signal, insist])).catch(() => {});
    signal.throwIfAborted();
    const graceMs = workType?.cancelGraceMs ?? DEFAULT_CANCEL_GRACE_MS;
    const left = await this.#untilDone(
      signal,
      () =>
        job.trace ? stopJob(job.trace, { clock, graceMs, insist, signal }) : Promise.resolve([]),
    );
    for (const { pid, name } of left) {
      log.warning(`Process ${pid} (${name}) of work unit ${this.ledger.id} could not be stopped`, {
        unit_id: this.ledger.id,
      });
    }
    await this.#on({ is: "stopped", left });
  }

  /**
   * Retries until it works: the machine may be short of something (file descriptors) for a while.
   */
  async #untilDone<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    while (true) {
      try {
        return await attempt();
      } catch (error) {
        signal.throwIfAborted();
        const { id } = this.ledger;
        this.#deps.log.error(`Cannot stop work unit ${id}: ${messageOf(error)}`, { unit_id: id });
        await sleep(this.#deps.clock, LIVENESS_INTERVAL_MS, { signal });
      }
    }
  }

  async #untilComplete(timeoutMs: number): Promise<void> {
    const { ledger } = this;
    const { clock } = this.#deps;
    const until = clock.now() + timeoutMs;
    const { signal } = this.#ending;
    while (!ledger.complete && !ledger.removed && !signal.aborted) {
      const left = until - clock.now();
      if (left <= 0) return;
      const { version } = ledger.changes;
      await ledger.changes.past(version, { clock, timeoutMs: left, signal });
    }
  }

  /** Runs something that ends with the unit; its errors are logged. */
  #run(task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#ending;
    const running = task(signal).catch((error) => {
      if (!signal.aborted) this.#deps.log.error(`[${this.ledger.id}] ${messageOf(error)}`);
    }).finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
    return running;
  }

  /** Waits for `promise`, which never rejects, but no longer than `timeoutMs`. */
  async #atMost(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
    const held = new AbortController();
    const giveUp = sleep(this.#deps.clock, timeoutMs, { signal: held.signal }).catch(() => {});
    await Promise.race([promise, giveUp]);
    held.abort();
  }
}
