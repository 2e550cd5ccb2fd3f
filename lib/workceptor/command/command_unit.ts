/**
 * A unit that runs a command on this node. The command outlives the daemon; whoever follows it,
 * the daemon that started it or a later one, learns its end from the supervisor.
 */
import { abortable } from "../../base/abortable.ts";
import { type Clock, sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/error_message.ts";
import type { Log } from "../../base/log.ts";
import { ControlError } from "../../control/control_error.ts";
import { UnitState } from "../../control/work_service.ts";
import { findExecutable } from "./find_executable.ts";
import type { FileWatcher } from "../file_watcher.ts";
import { isGoRunner } from "./go_runner.ts";
import { describeJobEnd } from "./job_end_text.ts";
import { isRunning, readBootId, signalGroup } from "./process_identity.ts";
import { splitWords } from "./shell_words.ts";
import { stopGroup } from "./stop_group.ts";
import {
  type JobEnd,
  readJobEnd,
  readSupervisorRecord,
  startSupervisor,
  type Supervisor,
  type SupervisorRecord,
  takeFromSupervisor,
} from "./supervisor.ts";
import type { StartReply, Unit, UnitDeps } from "../unit.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import { isComplete } from "../unit_record.ts";
import { details, refusals, UNKNOWN_WORK_TYPE } from "../work_texts.ts";

/** What a `work-command` action says. */
export interface CommandWorkType {
  readonly command: string;
  /** Fixed parameters, in front of the user's; split as a shell would. */
  readonly params?: string | undefined;
  /** Whether a submit may bring `params` of its own. */
  readonly allowRuntimeParams?: boolean | undefined;
  /** Whether what does not come over the unix socket must be signed. */
  readonly verifySignature?: boolean | undefined;
}

export interface CommandUnitParts extends UnitDeps {
  /** Folders with commands, colon-separated. */
  readonly searchPath: string;
  /** `undefined` for a unit found on disk whose work type nobody registered. */
  readonly workType: CommandWorkType | undefined;
}

/** `ExtraData` on disk. The original knows the first two and ignores the others. */
interface CommandExtraData {
  /** The supervisor's pid. */
  readonly Pid: number;
  readonly Params: string;
  readonly CancelRequested?: boolean;
  readonly ReleaseRequested?: boolean;
}

/** How long `cancel` waits for an obedient job's end, so that its reply finds it ended. */
const CANCEL_REPLY_MS = 250;

/** How often a job is looked for when nothing was heard of it. */
const LIVENESS_INTERVAL_MS = 1_000;

/** Within this time a supervisor that was just spawned has taken its unit and said so in full. */
const TAKING_MS = 2_000;
const TAKING_INTERVAL_MS = 50;

/**
 * `ExtraData` of a new unit. Throws a `ControlError` when the work type takes no parameters from
 * users and there are some.
 */
export function newCommandExtraData(
  type: CommandWorkType,
  params: Record<string, string>,
): CommandExtraData {
  const own = params.params ?? "";
  if (own !== "" && !type.allowRuntimeParams) throw new ControlError(refusals.runtimeParams);
  return { Pid: 0, Params: [type.params ?? "", own].filter((part) => part !== "").join(" ") };
}

export class CommandUnit implements Unit {
  readonly ledger: UnitLedger;
  readonly signWork = false;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #watcher: FileWatcher;
  readonly #searchPath: string;
  readonly #workType: CommandWorkType | undefined;
  readonly #folder: string;
  readonly #ending = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  #begun = false;
  #cancelRequested = false;
  #releaseRequested = false;
  /** The job's process group, as long as there is one. */
  #group: number | undefined;
  /** Resolves when the command itself is what a SIGINT to the group meets. */
  #interruptible: Promise<unknown> = Promise.resolve();
  #stopping = false;

  constructor(parts: CommandUnitParts, ledger: UnitLedger) {
    this.ledger = ledger;
    this.#log = parts.log;
    this.#clock = parts.clock;
    this.#watcher = parts.watcher;
    this.#searchPath = parts.searchPath;
    this.#workType = parts.workType;
    this.#folder = ledger.store.unitFolder(ledger.id);
  }

  get extraData(): unknown {
    if (this.#workType === undefined) return UNKNOWN_WORK_TYPE;
    if (this.ledger.complete) return null;
    const { Pid, Params } = this.#extra;
    return { Pid, Params };
  }

  watchOutput(): Disposable {
    return this.#watch("stdout");
  }

  async start(): Promise<StartReply> {
    if (this.#begun) throw new ControlError(refusals.startedAlready(this.ledger.id));
    this.#begun = true;
    this.#throwIfStopped();
    let words: string[];
    try {
      words = await this.#prepare();
    } catch (error) {
      // The original's runner finds this out only after the reply: the job is what failed.
      await this.#settle(UnitState.Failed, messageOf(error));
      return "Job Started";
    }
    this.#throwIfStopped();
    try {
      this.#attend(startSupervisor(this.#folder, words));
    } catch (error) {
      await this.#settle(UnitState.Failed, details.errorStarting(messageOf(error)));
      throw new ControlError(messageOf(error), { cause: error });
    }
    return "Job Started";
  }

  async abandon(reason: string): Promise<void> {
    if (this.#begun || this.ledger.complete) return;
    this.#begun = true;
    await this.#settle(UnitState.Failed, reason);
  }

  async resume(): Promise<void> {
    this.#begun = true;
    this.#cancelRequested = this.#extra.CancelRequested === true;
    this.#releaseRequested = this.#extra.ReleaseRequested === true;
    if (this.ledger.complete) {
      if (this.#releaseRequested) await this.ledger.remove();
      return;
    }
    const supervised = await readSupervisorRecord(this.#folder);
    if (supervised !== undefined) return this.#follow(supervised);
    if (await isGoRunner(this.#extra.Pid, this.#folder)) return this.#followGoRunner();
    if (this.#workType === undefined) return;
    if (this.ledger.record.State === UnitState.Running) {
      return this.#settle(UnitState.Failed, details.processGone);
    }
    // A supervisor that the last daemon spawned in its last moment may still come: one of the two
    // of us gets the unit.
    if (!await takeFromSupervisor(this.#folder)) return this.resume();
    await this.#settle(UnitState.Failed, this.#neverStarted);
  }

  async cancel(): Promise<{ pending: boolean }> {
    await this.#requestStop({ CancelRequested: true });
    await this.#untilComplete(CANCEL_REPLY_MS);
    return { pending: false };
  }

  async release({ force }: { force: boolean }): Promise<{ pending: boolean }> {
    if (force) {
      this.#cancelRequested = true;
      if (this.#group !== undefined && !this.ledger.complete) {
        signalGroup(this.#group, "SIGKILL");
        await this.#untilComplete(CANCEL_REPLY_MS);
      }
    } else {
      this.#releaseRequested = true;
      await this.#requestStop({ CancelRequested: true, ReleaseRequested: true });
      await this.#untilComplete(CANCEL_REPLY_MS);
      if (!this.ledger.complete && this.#group !== undefined) return { pending: true };
    }
    await this.ledger.remove();
    return { pending: false };
  }

  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A supervisor that has not taken its unit yet would find that the next daemon did.
    const held = new AbortController();
    const giveUp = sleep(this.#clock, TAKING_MS, { signal: held.signal }).catch(() => {});
    await Promise.race([this.#interruptible, giveUp]);
    held.abort();
    this.#ending.abort(new Error("the node is shutting down"));
    await this.idle();
  }

  get #extra(): CommandExtraData {
    const { ExtraData } = this.ledger.record;
    const extra = typeof ExtraData === "object" && ExtraData !== null ? ExtraData : {};
    const { Pid, Params, CancelRequested, ReleaseRequested } = extra as Record<string, unknown>;
    return {
      Pid: Number.isSafeInteger(Pid) ? Pid as number : 0,
      Params: typeof Params === "string" ? Params : "",
      ...(CancelRequested === true ? { CancelRequested } : {}),
      ...(ReleaseRequested === true ? { ReleaseRequested } : {}),
    };
  }

  get #neverStarted(): string {
    const { Detail } = this.ledger.record;
    return Detail === details.waitingForInput ? details.notStarted : details.pendingAtRestart;
  }

  #watch(name: "stdout" | "exit" | "status"): Disposable {
    return this.#watcher.watch(`${this.#folder}/${name}`, () => this.ledger.changes.notify());
  }

  #throwIfStopped(): void {
    const { id, removed } = this.ledger;
    if (removed) throw new ControlError(refusals.releasedBeforeStart(id));
    if (this.#cancelRequested || this.ledger.complete) {
      throw new ControlError(refusals.cancelledBeforeStart(id));
    }
  }

  /** Everything that can go wrong before there is a process. */
  async #prepare(): Promise<string[]> {
    const { command } = this.#workType!;
    const words = [command, ...splitWords(this.#extra.Params)];
    await findExecutable(command, this.#searchPath);
    (await this.ledger.store.openStdout(this.ledger.id)).close();
    return words;
  }

  /** A job of our own making. */
  #attend(supervisor: Supervisor): void {
    this.#group = supervisor.pid;
    this.#interruptible = supervisor.command;
    let end: JobEnd | undefined;
    supervisor.ended.then((value) => end = value);
    this.#run(async (signal) => {
      signal.addEventListener("abort", () => supervisor.detach(), { once: true });
      const command = await abortable(supervisor.command, signal);
      if (command !== undefined && end === undefined) {
        await this.#recordRunning(command.pid, supervisor.pid);
      }
      await abortable(supervisor.ended, signal);
      await this.#finish(end!, details.supervisorGone(supervisor.pid));
    });
  }

  /** A job that an earlier daemon started. */
  async #follow(found: SupervisorRecord): Promise<void> {
    const record = found.supervisor === undefined ? await this.#awaitTaking() : found;
    const { supervisor } = record;
    if (supervisor === undefined) return this.#settle(UnitState.Failed, this.#neverStarted);
    const bootId = await readBootId();
    const ended = await readJobEnd(this.#folder);
    if (ended !== undefined) return this.#finish(ended, "");
    if (record.bootId !== bootId && bootId !== "") {
      return this.#finish({ kind: "lost" }, details.machineRestarted);
    }
    this.#group = supervisor.pid;
    this.#run(async (signal) => {
      using _watch = this.#watch("exit");
      const { changes } = this.ledger;
      if (record.command !== undefined && this.ledger.record.State === UnitState.Pending) {
        await this.#recordRunning(record.command.pid, supervisor.pid);
      }
      while (true) {
        signal.throwIfAborted();
        const { version } = changes;
        // In this order: a supervisor writes the status before it ends.
        const running = await isRunning(supervisor);
        const end = await readJobEnd(this.#folder);
        if (end !== undefined || !running) {
          // Only a process that we recognise vouches for the group: its number may be another's.
          const { command } = await readSupervisorRecord(this.#folder) ?? record;
          if (!running && !(command && await isRunning(command))) this.#group = undefined;
          await this.#finish(end ?? { kind: "lost" }, details.supervisorGone(supervisor.pid));
          return;
        }
        if (this.#cancelRequested) this.#stopGroup();
        await changes.past(version, {
          clock: this.#clock,
          timeoutMs: LIVENESS_INTERVAL_MS,
          signal,
        });
      }
    });
  }

  async #awaitTaking(): Promise<SupervisorRecord> {
    const deadline = this.#clock.now() + TAKING_MS;
    while (true) {
      const record = await readSupervisorRecord(this.#folder);
      if (record?.supervisor !== undefined || this.#clock.now() >= deadline) {
        return record ?? { bootId: "", supervisor: undefined, command: undefined };
      }
      await sleep(this.#clock, TAKING_INTERVAL_MS, { signal: this.#ending.signal });
    }
  }

  /** A job of the Go daemon, whose runner writes the status file itself until the job's end. */
  #followGoRunner(): void {
    const pid = this.#extra.Pid;
    this.#group = pid;
    this.#run(async (signal) => {
      using _watch = this.#watch("status");
      while (true) {
        signal.throwIfAborted();
        const { version } = this.ledger.changes;
        const running = await isGoRunner(pid, this.#folder);
        await this.ledger.reload((record) =>
          this.#cancelRequested && isComplete(record.State)
            ? { ...record, State: UnitState.Canceled, Detail: details.canceled }
            : record
        );
        if (this.ledger.complete) break;
        if (!running) return this.#finish({ kind: "lost" }, details.processGone);
        if (this.#cancelRequested) this.#stopGroup();
        await this.ledger.changes.past(version, {
          clock: this.#clock,
          timeoutMs: LIVENESS_INTERVAL_MS,
          signal,
        });
      }
      const { State, Detail } = this.ledger.record;
      await this.#settle(State, Detail);
      if (this.#releaseRequested) await this.#removeQuietly();
    });
  }

  async #recordRunning(pid: number, supervisor: number): Promise<void> {
    await this.ledger.settle(({ State }) =>
      State === UnitState.Pending
        ? {
          State: UnitState.Running,
          Detail: details.running(pid),
          ExtraData: { ...this.#extra, Pid: supervisor },
        }
        : undefined
    );
  }

  async #finish(end: JobEnd, lost: string): Promise<void> {
    const { State, Detail } = this.#cancelRequested
      ? { State: UnitState.Canceled, Detail: details.canceled }
      : describeJobEnd(end, lost);
    await this.#settle(State, Detail);
    // What a cancelled job, or a lost one's, left in its group must not run on unseen.
    if (this.#cancelRequested || end.kind === "lost") this.#stopGroup();
    if (this.#releaseRequested) await this.#removeQuietly();
    else await this.ledger.store.syncStdout(this.ledger.id).catch(() => {});
  }

  async #settle(State: UnitState, Detail: string): Promise<void> {
    const StdoutSize = await this.ledger.store.stdoutSize(this.ledger.id);
    await this.ledger.settle({ State, Detail, StdoutSize, ExtraData: null });
  }

  async #requestStop(flags: Partial<CommandExtraData>): Promise<void> {
    if (this.ledger.complete) return;
    // Nobody here knows how to stop what this is; a later daemon may.
    if (this.#workType === undefined && this.#group === undefined) return;
    this.#cancelRequested = true;
    if (this.#group === undefined) {
      // A start that is under way sees the request before it spawns.
      await this.#settle(UnitState.Canceled, details.canceled);
      return;
    }
    await this.ledger.settle(({ State }) =>
      isComplete(State) ? undefined : { ExtraData: { ...this.#extra, ...flags } }
    );
    this.#stopGroup();
  }

  #stopGroup(): void {
    const group = this.#group;
    if (group === undefined || this.#stopping) return;
    this.#stopping = true;
    this.#run(async (signal) => {
      await abortable(this.#interruptible, signal);
      try {
        await stopGroup(group, { clock: this.#clock, signal });
      } catch (error) {
        // A unit that is not complete is taken up again, this one's rest is not.
        const { complete, removed } = this.ledger;
        if (signal.aborted && (complete || removed)) signalGroup(group, "SIGKILL");
        throw error;
      }
    });
  }

  async #untilComplete(timeoutMs: number): Promise<void> {
    const { ledger } = this;
    const until = this.#clock.now() + timeoutMs;
    const { signal } = this.#ending;
    while (!ledger.complete && !ledger.removed && !signal.aborted) {
      const left = until - this.#clock.now();
      if (left <= 0) return;
      const { version } = ledger.changes;
      await ledger.changes.past(version, { clock: this.#clock, timeoutMs: left, signal });
    }
  }

  async #removeQuietly(): Promise<void> {
    try {
      await this.ledger.remove();
    } catch (error) {
      this.#log.error(refusals.notRemoved(this.ledger.id, messageOf(error)));
    }
  }

  /** Runs something that ends with the unit; what goes wrong in it is told to the log. */
  #run(task: (signal: AbortSignal) => Promise<void>): void {
    const { signal } = this.#ending;
    const running = task(signal).catch((error) => {
      if (!signal.aborted) this.#log.error(`[${this.ledger.id}] ${messageOf(error)}`);
    }).finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }
}
