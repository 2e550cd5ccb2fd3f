/**
 * A unit that runs on another node: sends it there once, follows it, and passes cancel and release
 * on, through lost links and restarts of either side. `remote_decision.ts` says what to do next;
 * this does it, one step at a time, and tries again what failed.
 */
import { messageOf } from "../../base/error_message.ts";
import { ControlError } from "../../control/control_error.ts";
import { UnitState } from "../../control/work_service.ts";
import { ChangeNotifier } from "../change_notifier.ts";
import { isTlsFailure, type RemoteAccess } from "./remote_access.ts";
import { RemoteControl } from "./remote_control.ts";
import { isFetched, nextStep, type RemoteStatus, type RemoteStep } from "./remote_decision.ts";
import { expirationTime, formatExpiration, visibleRemoteExtraData } from "./remote_extra_data.ts";
import { followRemote } from "./remote_follow.ts";
import { RemoteLedger } from "./remote_ledger.ts";
import { RemoteSubmission, SubmitRefusedError } from "./remote_submission.ts";
import { RetryDelay } from "./retry_delay.ts";
import type { StartReply, Unit, UnitDeps } from "../unit.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import { isComplete } from "../unit_record.ts";
import { details, refusals } from "../work_texts.ts";

export interface RemoteUnitParts extends UnitDeps, RemoteAccess {
  readonly nodeId: string;
}

/** How long a cancel or release waits for the remote node before it is answered `pending`. */
const REQUEST_REPLY_MS = 1_000;

/** How often a complete unit whose output stays short is asked for the rest. */
const MAX_SHORT_ROUNDS = 5;

/** Longest delay of a JavaScript timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

type Outcome = PromiseWithResolvers<{ pending: boolean }>;

export class RemoteUnit implements Unit {
  readonly ledger: UnitLedger;
  readonly #record: RemoteLedger;
  readonly #parts: RemoteUnitParts;
  readonly #control: RemoteControl;
  readonly #submission: RemoteSubmission;
  readonly #ending = new AbortController();
  readonly #wake = new ChangeNotifier();
  readonly #started = Promise.withResolvers<StartReply>();
  readonly #requests = new Set<Outcome>();
  #begun = false;
  #driving: Promise<void> | undefined;
  #step: RemoteStep = "rest";
  #attempt = new AbortController();
  #hadRoute = false;
  /** See `RemoteMemory`. */
  #cancelPassed = false;
  /** Output came in during the step that is under way. */
  #progress = false;
  #shortRounds = 0;

  /** `params` as submitted, secrets included; absent for a unit found on disk. */
  constructor(
    parts: RemoteUnitParts,
    ledger: UnitLedger,
    params?: Readonly<Record<string, string>>,
  ) {
    this.#parts = parts;
    this.ledger = ledger;
    this.#record = new RemoteLedger(ledger);
    this.#control = new RemoteControl(parts, this.#record);
    const { clock, random, nodeId } = parts;
    this.#submission = new RemoteSubmission(
      { control: this.#control, ledger: this.#record, clock, random, nodeId },
      params,
    );
    // Only a start looks at it; a resumed unit has none.
    this.#started.promise.catch(() => {});
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

  watchOutput(): Disposable {
    // What comes in is told to the ledger where it is written.
    return { [Symbol.dispose]() {} };
  }

  /** Resolves to "Job Submitted" when the remote node could not be reached at the first try. */
  async start(): Promise<StartReply> {
    const { id, store } = this.ledger;
    if (this.#begun) throw new ControlError(refusals.startedAlready(id));
    this.#begun = true;
    await store.syncStdin(id).catch(() => {});
    await this.ledger.update(({ State }) =>
      isComplete(State) ? undefined : { Detail: details.startingWorker }
    );
    if (this.ledger.removed) throw new ControlError(refusals.releasedBeforeStart(id));
    if (this.ledger.complete || this.#record.extra.LocalCancelled) {
      throw new ControlError(refusals.cancelledBeforeStart(id));
    }
    this.#drive();
    return await this.#started.promise;
  }

  async abandon(reason: string): Promise<void> {
    if (this.#begun || this.ledger.complete) return;
    this.#begun = true;
    await this.#record.fail(reason);
  }

  async resume(): Promise<void> {
    this.#begun = true;
    const { State, Detail, StdoutSize } = this.ledger.record;
    const { RemoteUnitID, RemoteStarted, LocalReleased } = this.#record.extra;
    if (State === UnitState.Pending && RemoteUnitID === "" && Detail === details.waitingForInput) {
      if (!LocalReleased) return this.#record.fail(details.notStarted);
    }
    // The record of the end reaches the disk ahead of the last output: a machine that died in
    // between has lost some, and the remote node still has it.
    const mayBeShort = isComplete(State) && RemoteStarted && !LocalReleased;
    if (mayBeShort && await this.#record.stdoutSize() < StdoutSize) {
      await this.ledger.update({ State: UnitState.Running });
    }
    this.#drive();
  }

  async cancel(): Promise<{ pending: boolean }> {
    if (this.ledger.complete) return { pending: false };
    await this.#record.wish({ LocalCancelled: true });
    return this.#request();
  }

  async release({ force }: { force: boolean }): Promise<{ pending: boolean }> {
    await this.#record.wish({ LocalCancelled: true, LocalReleased: true });
    if (!force) return this.#request();
    await this.#request().catch((error) => this.#log("warning", `Forced release: ${error}`));
    await this.ledger.remove();
    this.#interrupt();
    return { pending: false };
  }

  async idle(): Promise<void> {
    while (this.#driving !== undefined) await this.#driving;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error("the node is shutting down"));
    await this.idle();
  }

  /** Has the recorded wish done, and waits a moment for how that ends. */
  async #request(): Promise<{ pending: boolean }> {
    const outcome: Outcome = Promise.withResolvers();
    this.#requests.add(outcome);
    using _timer = this.#parts.clock.after(
      REQUEST_REPLY_MS,
      () => outcome.resolve({ pending: true }),
    );
    this.#interrupt();
    this.#drive();
    try {
      return await outcome.promise;
    } finally {
      this.#requests.delete(outcome);
    }
  }

  #answer(reply: (outcome: Outcome) => void): void {
    for (const outcome of this.#requests) reply(outcome);
  }

  /** Ends the step or wait that is under way, so that the next one is chosen anew. */
  #interrupt(): void {
    this.#attempt.abort(new Error("interrupted"));
    this.#wake.notify();
  }

  #drive(): void {
    this.#driving ??= this.#loop().catch((error) => {
      if (!this.#ending.signal.aborted) this.#log("error", messageOf(error));
    }).finally(() => {
      this.#driving = undefined;
      const isOver = this.#ending.signal.aborted || this.ledger.removed;
      // A wish that came in just now found the loop still there.
      if (!isOver && this.#nextStep() !== "rest") return this.#drive();
      this.#started.resolve("Job Submitted");
      const pending = !this.ledger.removed && this.#nextStep() !== "rest";
      this.#answer((outcome) => outcome.resolve({ pending }));
    });
  }

  async #loop(): Promise<void> {
    const { mesh, clock, random } = this.#parts;
    using _routes = mesh.onRoutesChanged(() => this.#onRoutesChanged());
    this.#hadRoute = mesh.hasRoute(this.#record.extra.RemoteNode);
    const delay = new RetryDelay(random);
    const ending = this.#ending.signal;
    while (!ending.aborted && !this.ledger.removed) {
      const { version } = this.#wake;
      const step = this.#nextStep();
      this.#step = step;
      if (step === "rest") return;
      this.#attempt = new AbortController();
      const signal = AbortSignal.any([ending, this.#attempt.signal]);
      this.#progress = false;
      using _expiry = this.#interruptAtExpiration();
      try {
        await this.#perform(step, signal);
        delay.reset();
      } catch (error) {
        if (signal.aborted) continue;
        if (this.#progress) delay.reset();
        await this.#onFailure(error);
        await this.#wake.past(version, { clock, timeoutMs: delay.next(), signal: ending });
      }
    }
  }

  #nextStep(): RemoteStep {
    const { mayBeSent } = this.#submission;
    const memory = { mayBeSent, cancelPassed: this.#cancelPassed };
    return nextStep(
      this.ledger.record,
      this.#record.extra,
      memory,
      this.#parts.clock.wallTime(),
    );
  }

  async #perform(step: Exclude<RemoteStep, "rest">, signal: AbortSignal): Promise<void> {
    switch (step) {
      case "submit":
        return await this.#submit(signal);
      case "inquire":
        await this.#submission.inquire(signal);
        if (this.#record.extra.RemoteStarted) this.#started.resolve("Job Started");
        return;
      case "follow":
        return await this.#follow(signal);
      case "cancel":
        return await this.#passCancel(signal);
      case "release":
        return await this.#passRelease(signal);
      case "delete":
        return await this.ledger.remove();
      case "drop":
        return await this.#record.fail(details.locallyCancelled);
      case "expire":
        return await this.#expire();
    }
  }

  async #onFailure(error: unknown): Promise<void> {
    const { RemoteNode, RemoteStarted } = this.#record.extra;
    this.#log("info", `Connection to ${RemoteNode} failed with error: ${messageOf(error)}`);
    this.#hadRoute = this.#parts.mesh.hasRoute(RemoteNode);
    if (isTlsFailure(error) && !RemoteStarted && !this.ledger.complete) {
      await this.#record.fail(details.remoteTls(messageOf(error)));
    }
    this.#started.resolve("Job Submitted");
    this.#answer((outcome) => outcome.resolve({ pending: true }));
  }

  #onRoutesChanged(): void {
    const hasRoute = this.#parts.mesh.hasRoute(this.#record.extra.RemoteNode);
    const isRegained = hasRoute && !this.#hadRoute;
    this.#hadRoute = hasRoute;
    if (!isRegained) return;
    // A node that restarted knows nothing of our streams, which would take their idle time to find
    // out. A payload is too dear to be sent twice for what may have been a short cut.
    if (this.#step === "submit") this.#wake.notify();
    else this.#interrupt();
  }

  #interruptAtExpiration(): Disposable {
    const { extra } = this.#record;
    const time = extra.RemoteStarted || this.ledger.complete ? undefined : expirationTime(extra);
    if (time === undefined) return { [Symbol.dispose]() {} };
    const delayMs = Math.max(0, time - this.#parts.clock.wallTime());
    return this.#parts.clock.after(Math.min(delayMs, MAX_TIMER_MS), () => this.#interrupt());
  }

  async #submit(signal: AbortSignal): Promise<void> {
    try {
      await this.#submission.submit(signal);
      this.#started.resolve("Job Started");
    } catch (error) {
      if (!(error instanceof SubmitRefusedError)) throw error;
      await this.#record.fail(details.errorStarting(error.message));
      this.#started.reject(new ControlError(error.message, { cause: error }));
    }
  }

  /** Fetches output and state until both are complete; throws to be tried again. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts;
    const status = await followRemote({
      control: this.#control,
      ledger: this.#record,
      clock,
      random,
      onProgress: () => this.#progress = true,
    }, signal);
    if (status === undefined) return await this.#onGone();
    const bytes = await this.#record.stdoutSize();
    if (isFetched(status, bytes)) return await this.#complete(status, bytes);
    this.#shortRounds = this.#progress ? 0 : this.#shortRounds + 1;
    if (this.#shortRounds < MAX_SHORT_ROUNDS) throw new Error("results ended too early");
    await this.#record.fail(details.outputShort(bytes, status.StdoutSize));
  }

  async #complete({ State, Detail }: RemoteStatus, StdoutSize: number): Promise<void> {
    const { LocalCancelled, RemoteStarted } = this.#record.extra;
    if (LocalCancelled && !RemoteStarted && State === UnitState.Failed) {
      return await this.#record.fail(details.locallyCancelled);
    }
    await this.ledger.settle({ State, Detail, StdoutSize });
    await this.ledger.store.syncStdout(this.ledger.id).catch(() => {});
  }

  async #onGone(): Promise<void> {
    const { LocalCancelled, RemoteStarted, RemoteUnitID, RemoteNode } = this.#record.extra;
    this.#log("debug", `Work unit ${RemoteUnitID} on node ${RemoteNode} is gone.`);
    const neverRan = LocalCancelled && !RemoteStarted;
    await this.#record.fail(neverRan ? details.locallyCancelled : details.remoteGone);
  }

  async #passCancel(signal: AbortSignal): Promise<void> {
    using client = await this.#control.connect(signal);
    try {
      await this.#control.tell(client, "cancel", signal);
      this.#cancelPassed = true;
      this.#answer((outcome) => outcome.resolve({ pending: false }));
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      // The remote node was told and refused: told again it would refuse again.
      this.#cancelPassed = true;
      const isGone = this.#control.isUnknownUnit(error);
      if (isGone && !this.ledger.complete) await this.#onGone();
      if (!isGone || this.#record.extra.RemoteStarted) this.#answerRefused(error);
    }
  }

  async #passRelease(signal: AbortSignal): Promise<void> {
    using client = await this.#control.connect(signal);
    try {
      await this.#control.tell(client, "release", signal);
    } catch (error) {
      // One that is gone there has been released.
      if (!this.#control.isUnknownUnit(error)) {
        if (error instanceof ControlError) this.#answerRefused(error);
        throw error;
      }
    }
    await this.ledger.remove();
  }

  #answerRefused(error: ControlError): void {
    const refusal = new ControlError(refusals.remoteCancel(error.message), { cause: error });
    this.#log("warning", refusal.message);
    this.#answer((outcome) => outcome.reject(refusal));
  }

  async #expire(): Promise<void> {
    const { extra } = this.#record;
    // A submit of unknown outcome may have got there.
    if (extra.RemoteUnitID !== "") await this.#record.update({ LocalCancelled: true });
    await this.#record.fail(details.expired(formatExpiration(expirationTime(extra)!)));
  }

  #log(level: "error" | "warning" | "info" | "debug", message: string): void {
    const { id } = this.ledger;
    this.#parts.log[level](`[${id}] ${message}`, {
      unit_id: id,
      remote_id: this.#record.extra.RemoteNode,
    });
  }
}
