/**
 * A unit that runs on another node: sends it there once, follows it, and passes on cancel and
 * release, through lost links and restarts of either side. `remote_decision.ts` says what to do
 * next and `remote_steps.ts` does it; this goes from step to step and retries what failed.
 */
import { messageOf } from "../../base/error_message.ts";
import type { Log } from "../../base/log.ts";
import { ControlError } from "../../control/control_error.ts";
import { UnitState } from "../../control/work_service.ts";
import { ChangeNotifier } from "../change_notifier.ts";
import type { StartReply, Unit, UnitDeps } from "../unit.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import { isComplete } from "../unit_record.ts";
import { details, refusals } from "../work_texts.ts";
import { isTlsFailure, type RemoteAccess } from "./remote_access.ts";
import { RemoteControl } from "./remote_control.ts";
import { nextStep, type RemoteDecision } from "./remote_decision.ts";
import { visibleRemoteExtraData } from "./remote_extra_data.ts";
import { RemoteLedger } from "./remote_ledger.ts";
import type { RemoteNodes } from "./remote_nodes.ts";
import { type Attempt, RemoteSteps } from "./remote_steps.ts";
import { RemoteSubmission } from "./remote_submission.ts";
import { RemoteWaiters, type RequestReply } from "./remote_waiters.ts";
import { RetryDelay } from "./retry_delay.ts";
import { RouteWatch } from "./route_watch.ts";
import { atWallTime } from "./wall_time.ts";

export interface RemoteUnitDeps extends UnitDeps, RemoteAccess {
  readonly nodeId: string;
  readonly nodes: RemoteNodes;
}

/**
 * How long a cancel or release waits for a remote node that has a route. The Go daemon waits 15 s
 * for a connection and 5 s for its greeting, and its cancel takes up to 10 s.
 */
const REQUEST_REPLY_MS = 30_000;

type Phase =
  /** Its payload is being written. */
  | { readonly kind: "new" }
  /** No step is left, or there never was one. */
  | { readonly kind: "resting" }
  /** Going from step to step; between two tries there is no attempt. */
  | { readonly kind: "driving"; readonly ended: Promise<void>; attempt: Attempt | undefined };

export class RemoteUnit implements Unit {
  readonly ledger: UnitLedger;
  readonly #deps: RemoteUnitDeps;
  readonly #log: Log;
  readonly #record: RemoteLedger;
  readonly #steps: RemoteSteps;
  readonly #waiters = new RemoteWaiters();
  readonly #ending = new AbortController();
  readonly #wake = new ChangeNotifier();
  #phase: Phase = { kind: "new" };

  /** `params` as submitted, secrets included; absent for a unit found on disk. */
  constructor(
    deps: RemoteUnitDeps,
    ledger: UnitLedger,
    params?: Readonly<Record<string, string>>,
  ) {
    this.#deps = deps;
    this.ledger = ledger;
    const record = this.#record = new RemoteLedger(ledger);
    this.#log = aboutUnit(deps.log, record);
    const control = new RemoteControl({ ...deps, ledger: record });
    const parts = { ...deps, log: this.#log, control, ledger: record };
    const submission = new RemoteSubmission(parts, params);
    this.#steps = new RemoteSteps({ ...parts, submission, waiters: this.#waiters });
  }

  get extraData(): unknown {
    return visibleRemoteExtraData(this.#record.extra);
  }

  get remoteNode(): string {
    return this.#record.extra.RemoteNode;
  }

  get signWork(): boolean {
    return this.#record.extra.SignWork;
  }

  get outputDue(): boolean {
    // What is missing here is fetched again.
    return false;
  }

  watchOutput(): Disposable {
    // The ledger is told where the output is written.
    return { [Symbol.dispose]() {} };
  }

  /** Resolves to "Job Submitted" if the remote node could not be reached at the first try. */
  async start(): Promise<StartReply> {
    const { id, store } = this.ledger;
    if (this.#phase.kind !== "new") throw new ControlError(refusals.startedAlready(id));
    this.#phase = { kind: "resting" };
    await store.syncStdin(id).catch(() => {});
    await this.ledger.update(({ State }) =>
      isComplete(State) ? undefined : { Detail: details.startingWorker }
    );
    if (this.ledger.removed) throw new ControlError(refusals.releasedBeforeStart(id));
    if (this.ledger.complete || this.#record.extra.LocalCancelled) {
      throw new ControlError(refusals.cancelledBeforeStart(id));
    }
    this.#drive();
    return await this.#waiters.started;
  }

  async abandon(reason: string): Promise<void> {
    if (this.#phase.kind !== "new" || this.ledger.complete) return;
    this.#phase = { kind: "resting" };
    await this.#record.fail(reason);
  }

  async resume(): Promise<void> {
    this.#phase = { kind: "resting" };
    const { State, Detail, StdoutSize } = this.ledger.record;
    const { RemoteUnitID, RemoteStarted, LocalReleased } = this.#record.extra;
    if (State === UnitState.Pending && RemoteUnitID === "" && Detail === details.waitingForInput) {
      if (!LocalReleased) return this.#record.fail(details.notStarted);
    }
    // The record of the end reaches the disk before the last output: if the machine died in
    // between, some output is lost here, but the remote node still has it.
    const mayBeShort = isComplete(State) && RemoteStarted && !LocalReleased;
    if (mayBeShort && await this.#record.stdoutSize() < StdoutSize) {
      await this.ledger.update({ State: UnitState.Running });
    }
    this.#drive();
  }

  async cancel(): Promise<RequestReply> {
    if (this.ledger.complete) return { pending: false };
    await this.#record.wish({ LocalCancelled: true });
    return this.#request();
  }

  async release({ force }: { force: boolean }): Promise<RequestReply> {
    await this.#record.wish({ LocalCancelled: true, LocalReleased: true });
    if (!force) return this.#request();
    await this.#request().catch((error) => this.#log.warning(`Forced release: ${error}`));
    await this.ledger.remove();
    this.#interrupt();
    return { pending: false };
  }

  async idle(): Promise<void> {
    while (this.#phase.kind === "driving") await this.#phase.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error("the node is shutting down"));
    await this.idle();
  }

  /** Carries out the recorded wish, and waits for the result. */
  #request(): Promise<RequestReply> {
    return this.#waiters.request(this.#deps.clock, REQUEST_REPLY_MS, () => {
      this.#interrupt();
      this.#drive();
    });
  }

  /** Ends the attempt or wait that is under way, so that the next step is chosen again. */
  #interrupt(): void {
    if (this.#phase.kind === "driving") {
      this.#phase.attempt?.stop.abort(new Error("interrupted"));
    }
    this.#wake.notify();
  }

  /** Starts going from step to step unless already under way. */
  #drive(): void {
    if (this.#phase.kind === "driving") return;
    const over = Promise.withResolvers<void>();
    this.#phase = { kind: "driving", ended: over.promise, attempt: undefined };
    this.#takeSteps().catch((error) => {
      if (!this.#ending.signal.aborted) this.#log.error(messageOf(error));
    }).finally(() => {
      this.#phase = { kind: "resting" };
      over.resolve();
      const isOver = this.#ending.signal.aborted || this.ledger.removed;
      const isAtRest = this.ledger.removed || this.#decide().step === "rest";
      // A wish that came in just now saw the phase still "driving".
      if (!isOver && !isAtRest) return this.#drive();
      this.#waiters.start("Job Submitted");
      this.#waiters.answer({ pending: !isAtRest });
    });
  }

  async #takeSteps(): Promise<void> {
    const { mesh, clock, random } = this.#deps;
    using route = new RouteWatch(mesh, this.#record.extra.RemoteNode, {
      // It may take long to come back, so tell those who wait now.
      lost: () => this.#waiters.answer({ pending: true }),
      regained: () => this.#onRouteRegained(),
    });
    const delay = new RetryDelay(random);
    const ending = this.#ending.signal;
    while (!ending.aborted && !this.ledger.removed) {
      const { version } = this.#wake;
      const { step, until } = this.#decide();
      if (step === "rest") return;
      const attempt = { step, stop: new AbortController(), progress: false };
      this.#setAttempt(attempt);
      const signal = AbortSignal.any([ending, attempt.stop.signal]);
      using _deadline = atWallTime(clock, until, () => this.#interrupt());
      try {
        await this.#steps.perform(attempt, signal);
        // Learning that it has to be sent again is no progress.
        if (step !== "inquire") delay.reset();
      } catch (error) {
        if (signal.aborted) continue;
        this.#setAttempt(undefined);
        if (attempt.progress) delay.reset();
        route.look();
        await this.#onFailure(error);
        await this.#wake.past(version, { clock, timeoutMs: delay.next(), signal: ending });
      }
    }
  }

  #setAttempt(attempt: Attempt | undefined): void {
    if (this.#phase.kind === "driving") this.#phase.attempt = attempt;
  }

  #decide(): RemoteDecision {
    const now = this.#deps.clock.wallTime();
    return nextStep(this.ledger.record, this.#record.extra, this.#steps.memory, now);
  }

  async #onFailure(error: unknown): Promise<void> {
    const { RemoteNode, RemoteStarted } = this.#record.extra;
    this.#log.info(`Connection to ${RemoteNode} failed with error: ${messageOf(error)}`);
    if (isTlsFailure(error) && !RemoteStarted && !this.ledger.complete) {
      await this.#record.fail(details.remoteTls(messageOf(error)));
    }
    this.#waiters.start("Job Submitted");
    this.#waiters.answer({ pending: true });
  }

  #onRouteRegained(): void {
    const attempt = this.#phase.kind === "driving" ? this.#phase.attempt : undefined;
    // A node that restarted does not know our streams, which would notice only after their idle
    // timeout. But a payload is too expensive to send twice because of what may have been a short
    // interruption.
    if (attempt?.step === "submit") this.#wake.notify();
    else this.#interrupt();
  }
}

/** The log of one unit: every line names it and its node. */
function aboutUnit(log: Log, { unit: { id }, extra }: RemoteLedger): Log {
  const fields = { unit_id: id, remote_id: extra.RemoteNode };
  const about = (level: keyof Log) => (message: string) => log[level](`[${id}] ${message}`, fields);
  return {
    error: about("error"),
    warning: about("warning"),
    info: about("info"),
    debug: about("debug"),
  };
}
