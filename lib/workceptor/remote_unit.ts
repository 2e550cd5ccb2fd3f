/**
 * A unit that runs on another node: sends it there once, follows it, and passes cancel and release
 * on, through lost links and restarts of either side. `remote_decision.ts` says what to do next;
 * this does it, one step at a time, and tries again what failed.
 */
import { sleep } from "../base/clock.ts";
import type { ControlClient } from "../control/client.ts";
import { ControlError } from "../control/control_error.ts";
import { UnitState } from "../control/work_service.ts";
import { ChangeNotifier } from "./change_notifier.ts";
import { connectToRemote, isTlsFailure, type RemoteAccess } from "./remote_access.ts";
import {
  isFetched,
  judgeSubmission,
  nextStep,
  readRemoteStatus,
  type RemoteStatus,
  type RemoteStep,
} from "./remote_decision.ts";
import {
  expirationTime,
  formatExpiration,
  readRemoteExtraData,
  type StoredRemoteExtraData,
  visibleRemoteExtraData,
} from "./remote_extra_data.ts";
import { fetchOutput } from "./remote_output.ts";
import { RetryDelay } from "./retry_delay.ts";
import type { StartReply, Unit, UnitParts } from "./unit.ts";
import { newUnitId } from "./unit_id.ts";
import type { UnitLedger } from "./unit_ledger.ts";
import { isComplete } from "./unit_record.ts";
import { details, refusals } from "./work_texts.ts";

export interface RemoteUnitParts extends UnitParts, RemoteAccess {
  /** This node: replacement ids begin with it. */
  readonly nodeId: string;
}

/** How long a cancel or release waits for the remote node before it is answered `pending`. */
const REQUEST_REPLY_MS = 1_000;

/** A remote node that answers takes no longer for one command, but for Go's cancel (10 s). */
const COMMAND_TIMEOUT_MS = 60_000;

/**
 * How long a unit there may wait for a payload that was cut off before it is given up: a broken
 * stream is found out by its idle time (30 s) at the latest.
 */
const STALE_PAYLOAD_MS = 45_000;
const STALE_PAYLOAD_INTERVAL_MS = 1_000;

/** State and detail are asked for soon after the start, then ever less often; output is not. */
const FIRST_STATUS_INTERVAL_MS = 50;
const MAX_STATUS_INTERVAL_MS = 30_000;

/** After the remote said complete, its results stream has this long to end by itself. */
const OUTPUT_END_GRACE_MS = 1_000;

/** How often a complete unit whose output stays short is asked for the rest. */
const MAX_SHORT_ROUNDS = 5;

/** Up to this size the end of a payload goes out with its beginning. */
const SMALL_PAYLOAD_BYTES = 64 * 1024;
const PAYLOAD_CHUNK_BYTES = 256 * 1024;

/** Longest delay of a JavaScript timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

type Outcome = PromiseWithResolvers<{ pending: boolean }>;

export class RemoteUnit implements Unit {
  readonly ledger: UnitLedger;
  readonly #parts: RemoteUnitParts;
  /** As submitted, secrets included; `undefined` for a unit found on disk, and once it was sent. */
  #params: Readonly<Record<string, string>> | undefined;
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
  #mayBeSent = false;
  #cancelPassed = false;
  /** Output came in since this was last cleared. */
  #progress = false;
  #shortRounds = 0;

  constructor(
    parts: RemoteUnitParts,
    ledger: UnitLedger,
    params?: Readonly<Record<string, string>>,
  ) {
    this.#parts = parts;
    this.ledger = ledger;
    this.#params = params;
    // Only a start looks at it; a resumed unit has none.
    this.#started.promise.catch(() => {});
  }

  get extraData(): unknown {
    return visibleRemoteExtraData(this.#extra);
  }

  get signWork(): boolean {
    return this.#extra.SignWork;
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
    if (this.ledger.complete || this.#extra.LocalCancelled) {
      throw new ControlError(refusals.cancelledBeforeStart(id));
    }
    this.#drive();
    return await this.#started.promise;
  }

  async abandon(reason: string): Promise<void> {
    if (this.#begun || this.ledger.complete) return;
    this.#begun = true;
    await this.#fail(reason);
  }

  async resume(): Promise<void> {
    this.#begun = true;
    const { State, Detail, StdoutSize } = this.ledger.record;
    const { RemoteUnitID, RemoteStarted, LocalReleased } = this.#extra;
    if (State === UnitState.Pending && RemoteUnitID === "" && Detail === details.waitingForInput) {
      if (!LocalReleased) return this.#fail(details.notStarted);
    }
    if (this.ledger.complete && RemoteStarted && !LocalReleased) {
      // The record of the end reaches the disk ahead of the last output: a machine that died in
      // between has lost some, and the remote node still has it.
      const { store, id } = this.ledger;
      if (await store.stdoutSize(id) < StdoutSize) {
        await this.ledger.update(() => ({ State: UnitState.Running }));
      }
    }
    this.#drive();
  }

  async cancel(): Promise<{ pending: boolean }> {
    if (this.ledger.complete) return { pending: false };
    await this.#wish({ LocalCancelled: true });
    return this.#request();
  }

  async release({ force }: { force: boolean }): Promise<{ pending: boolean }> {
    await this.#wish({ LocalCancelled: true, LocalReleased: true });
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

  get #extra(): StoredRemoteExtraData {
    return readRemoteExtraData(this.ledger.record.ExtraData);
  }

  /** On record before the network step that it is about. */
  #update(changed: Partial<StoredRemoteExtraData>): Promise<void> {
    return this.ledger.update(() => ({ ExtraData: { ...this.#extra, ...changed } }));
  }

  /** What a user asked for is done even if the disk does not take note of it. */
  #wish(changed: Partial<StoredRemoteExtraData>): Promise<void> {
    return this.ledger.settle(() => ({ ExtraData: { ...this.#extra, ...changed } }));
  }

  async #fail(Detail: string): Promise<void> {
    const StdoutSize = await this.ledger.store.stdoutSize(this.ledger.id);
    await this.ledger.settle({ State: UnitState.Failed, Detail, StdoutSize });
  }

  /** Has the recorded wish done, and waits a moment for how that ends. */
  async #request(): Promise<{ pending: boolean }> {
    const outcome: Outcome = Promise.withResolvers();
    outcome.promise.catch(() => {});
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
      const over = this.#ending.signal.aborted || this.ledger.removed;
      // A wish that came in just now found the loop still there.
      if (!over && this.#nextStep() !== "rest") return this.#drive();
      this.#started.resolve("Job Submitted");
      this.#answer((outcome) => outcome.resolve({ pending: !this.#settled }));
    });
  }

  /** Whether nothing more is to be done about this unit. */
  get #settled(): boolean {
    return this.ledger.removed || this.#nextStep() === "rest";
  }

  async #loop(): Promise<void> {
    const { mesh, clock, random } = this.#parts;
    using _routes = mesh.onRoutesChanged(() => this.#onRoutesChanged());
    this.#hadRoute = mesh.hasRoute(this.#extra.RemoteNode);
    const delay = new RetryDelay(random);
    const ending = this.#ending.signal;
    while (!ending.aborted && !this.ledger.removed) {
      const { version } = this.#wake;
      const step = this.#nextStep();
      this.#step = step;
      if (step === "rest") break;
      this.#attempt = new AbortController();
      const signal = AbortSignal.any([ending, this.#attempt.signal]);
      this.#progress = false;
      try {
        using _expiry = this.#interruptAtExpiration();
        await this.#perform(step, signal);
        delay.reset();
      } catch (error) {
        if (signal.aborted) continue;
        if (this.#progress) delay.reset();
        await this.#onFailure(error);
        const timeoutMs = delay.next();
        using _expiry = this.#interruptAtExpiration();
        await this.#wake.past(version, { clock, timeoutMs, signal: ending });
      }
    }
  }

  #nextStep(): RemoteStep {
    const memory = { mayBeSent: this.#mayBeSent, cancelPassed: this.#cancelPassed };
    return nextStep(this.ledger.record, this.#extra, memory, this.#parts.clock.wallTime());
  }

  async #perform(step: Exclude<RemoteStep, "rest">, signal: AbortSignal): Promise<void> {
    switch (step) {
      case "submit":
        return await this.#submit(signal);
      case "inquire":
        return await this.#inquire(signal);
      case "follow":
        return await this.#follow(signal);
      case "cancel":
        return await this.#passCancel(signal);
      case "release":
        return await this.#passRelease(signal);
      case "delete":
        return await this.ledger.remove();
      case "drop":
        return await this.#fail(details.locallyCancelled);
      case "expire":
        return await this.#expire();
    }
  }

  async #onFailure(error: unknown): Promise<void> {
    const { RemoteNode, RemoteStarted } = this.#extra;
    this.#log("info", `Connection to ${RemoteNode} failed with error: ${messageOf(error)}`);
    this.#hadRoute = this.#parts.mesh.hasRoute(RemoteNode);
    if (isTlsFailure(error) && !RemoteStarted && !this.ledger.complete) {
      await this.#fail(details.remoteTls(messageOf(error)));
    }
    this.#started.resolve("Job Submitted");
    this.#answer((outcome) => outcome.resolve({ pending: true }));
  }

  #onRoutesChanged(): void {
    const hasRoute = this.#parts.mesh.hasRoute(this.#extra.RemoteNode);
    const regained = hasRoute && !this.#hadRoute;
    this.#hadRoute = hasRoute;
    if (!regained) return;
    // A node that restarted knows nothing of our streams, which would take their idle time to find
    // out. A payload is too dear to be sent twice for what may have been a short cut.
    if (this.#step === "submit") this.#wake.notify();
    else this.#interrupt();
  }

  #interruptAtExpiration(): Disposable {
    const extra = this.#extra;
    const time = extra.RemoteStarted || this.ledger.complete ? undefined : expirationTime(extra);
    if (time === undefined) return { [Symbol.dispose]() {} };
    const delayMs = Math.max(0, time - this.#parts.clock.wallTime());
    return this.#parts.clock.after(Math.min(delayMs, MAX_TIMER_MS), () => this.#interrupt());
  }

  async #connect(signal: AbortSignal): Promise<ControlClient> {
    const extra = this.#extra;
    if (!this.#parts.mesh.hasRoute(extra.RemoteNode)) throw new Error("no route to node");
    return await connectToRemote(this.#parts, extra, signal);
  }

  async #signature(): Promise<{ signature: string } | Record<never, never>> {
    const { SignWork, RemoteNode } = this.#extra;
    if (!SignWork) return {};
    if (this.#parts.signWork === undefined) throw new Error(refusals.noSigningKey);
    return { signature: await this.#parts.signWork(RemoteNode) };
  }

  /** One work command about the unit there. */
  async #command(
    client: ControlClient,
    subcommand: "status" | "cancel" | "release",
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    const timeout = new AbortController();
    using _timer = this.#parts.clock.after(
      COMMAND_TIMEOUT_MS,
      () => timeout.abort(new Error(`no reply to work ${subcommand}`)),
    );
    const { RemoteUnitID: unitid } = this.#extra;
    const signed = subcommand === "status" ? {} : await this.#signature();
    return await client.command({ command: "work", subcommand, unitid, ...signed }, {
      signal: AbortSignal.any([signal, timeout.signal]),
    });
  }

  async #status(client: ControlClient, signal: AbortSignal): Promise<RemoteStatus> {
    return readRemoteStatus(await this.#command(client, "status", signal));
  }

  async #submit(signal: AbortSignal): Promise<void> {
    const extra = this.#extra;
    if (extra.SecretParams !== undefined && this.#params === undefined) {
      await this.#refuse(details.secretsLost);
      return;
    }
    using client = await this.#connect(signal);
    const signed = await this.#signature();
    const size = (await Deno.stat(this.ledger.store.stdinPath(this.ledger.id))).size;
    const small = size <= SMALL_PAYLOAD_BYTES;
    const workUnitId = extra.RemoteUnitID || this.ledger.id;
    await this.#update({ RemoteUnitID: workUnitId, ...(small ? { PayloadSent: true } : {}) });
    signal.throwIfAborted();
    this.#mayBeSent = false;
    let created = false;
    try {
      await client.submit(
        {
          node: extra.RemoteNode,
          workType: extra.RemoteWorkType,
          workUnitId,
          params: { ...(this.#params ?? extra.RemoteParams) },
          ...signed,
        },
        this.#payload(signal, { recordEnd: !small }),
        {
          signal,
          onCreated: async (unitId) => {
            created = true;
            // A node older than 1.6 takes an id of its own.
            if (unitId !== workUnitId) await this.#update({ RemoteUnitID: unitId });
          },
        },
      );
    } catch (error) {
      const isRefusal = error instanceof ControlError || error instanceof TypeError;
      const isInUse = error instanceof ControlError &&
        error.message === refusals.unitIdInUse(workUnitId);
      if (!isRefusal || isInUse || error.message.startsWith(details.inputError)) throw error;
      if (!created) await this.#update({ RemoteUnitID: "" });
      await this.#refuse(refusals.fromRemote(error.message));
      return;
    }
    await this.#recordStarted();
  }

  async *#payload(
    signal: AbortSignal,
    { recordEnd }: { recordEnd: boolean },
  ): AsyncGenerator<Uint8Array> {
    using file = await Deno.open(this.ledger.store.stdinPath(this.ledger.id));
    const buffer = new Uint8Array(PAYLOAD_CHUNK_BYTES);
    for (let count; (count = await file.read(buffer)) !== null;) {
      signal.throwIfAborted();
      yield buffer.subarray(0, count);
    }
    if (recordEnd) await this.#update({ PayloadSent: true });
    signal.throwIfAborted();
  }

  async #recordStarted(): Promise<void> {
    await this.#update({
      RemoteStarted: true,
      // What the original wrote of secrets has served its purpose.
      RemoteParams: visibleRemoteExtraData(this.#extra).RemoteParams,
    });
    this.#params = undefined;
    this.#started.resolve("Job Started");
  }

  async #refuse(problem: string): Promise<void> {
    await this.#fail(details.errorStarting(problem));
    this.#started.reject(new ControlError(problem));
  }

  /** What became of a submit that was cut off, or that an earlier daemon sent. */
  async #inquire(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const extra = this.#extra;
    using client = await this.#connect(signal);
    const giveUpAt = clock.now() + STALE_PAYLOAD_MS;
    while (true) {
      let status: RemoteStatus;
      try {
        status = await this.#status(client, signal);
      } catch (error) {
        if (!isUnknownUnit(error, extra.RemoteUnitID)) throw error;
        this.#mayBeSent = true;
        return;
      }
      const verdict = judgeSubmission(status, extra.PayloadSent === true);
      if (verdict === "started") return await this.#recordStarted();
      if (verdict === "never ran" || clock.now() >= giveUpAt) break;
      await sleep(clock, STALE_PAYLOAD_INTERVAL_MS, { signal });
    }
    try {
      await this.#command(client, "release", signal);
    } catch (error) {
      if (!isUnknownUnit(error, extra.RemoteUnitID)) throw error;
    }
    const RemoteUnitID = newUnitId(this.#parts.nodeId, this.#parts.random);
    await this.ledger.update(() => {
      const { PayloadSent: _, ...rest } = this.#extra;
      return { ExtraData: { ...rest, RemoteUnitID } };
    });
    this.#mayBeSent = true;
  }

  /** Fetches output and state until both are complete; throws to be tried again. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { ledger } = this;
    const stop = new Error("the other half has ended");
    const over = new AbortController();
    const both = AbortSignal.any([signal, over.signal]);
    const outputEnded = new AbortController();
    const output = this.#fetch(both).finally(() => outputEnded.abort());
    const states = this.#watchState(both, outputEnded.signal);
    // The last state ends both, and whichever fails ends the other.
    states.finally(() => over.abort(stop)).catch(() => {});
    output.catch(() => over.abort(stop));
    const [fetched, watched] = await Promise.allSettled([output, states]);
    signal.throwIfAborted();
    const failures = [fetched, watched].flatMap((result) =>
      result.status === "rejected" && result.reason !== stop ? [result.reason] : []
    );
    if (failures.some((error) => isUnknownUnit(error, this.#extra.RemoteUnitID))) {
      return await this.#onGone();
    }
    if (watched.status === "rejected") throw failures[0] ?? stop;
    const status = watched.value;
    const bytes = await ledger.store.stdoutSize(ledger.id);
    if (!isComplete(status.State)) throw new Error("results ended before the unit did");
    if (!isFetched(status, bytes)) {
      if (fetched.status === "rejected") throw fetched.reason;
      this.#shortRounds = this.#progress ? 0 : this.#shortRounds + 1;
      if (this.#shortRounds < MAX_SHORT_ROUNDS) throw new Error("results ended too early");
      return await this.#fail(details.outputShort(bytes, status.StdoutSize));
    }
    await this.#complete(status, bytes);
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const { ledger } = this;
    using client = await this.#connect(signal);
    using file = await ledger.store.openStdout(ledger.id);
    const { size } = await file.stat();
    const results = await client.results(this.#extra.RemoteUnitID, size, {
      ...await this.#signature(),
      signal,
    });
    await fetchOutput(results, file, signal, () => {
      this.#progress = true;
      ledger.changes.notify();
    });
  }

  /**
   * Keeps state and detail up to date; resolves to the status once the unit is complete and its
   * output is here, or to the one asked for when the output ended. Lost connections are made anew
   * as long as output may still come.
   */
  async #watchState(
    signal: AbortSignal,
    outputEnded: AbortSignal,
  ): Promise<RemoteStatus> {
    const { ledger } = this;
    const { clock, random } = this.#parts;
    const delay = new RetryDelay(random);
    let intervalMs = FIRST_STATUS_INTERVAL_MS;
    while (true) {
      try {
        using client = await this.#connect(signal);
        while (true) {
          const ended = outputEnded.aborted;
          const status = await this.#status(client, signal);
          if (ended) return status;
          delay.reset();
          await this.#showState(status);
          const size = await ledger.store.stdoutSize(ledger.id);
          if (isFetched(status, size)) {
            await sleep(clock, OUTPUT_END_GRACE_MS, {
              signal: AbortSignal.any([signal, outputEnded]),
            }).catch(() => {});
            return status;
          }
          await sleep(clock, intervalMs, { signal: AbortSignal.any([signal, outputEnded]) })
            .catch(() => {});
          signal.throwIfAborted();
          intervalMs = Math.min(2 * intervalMs, MAX_STATUS_INTERVAL_MS);
        }
      } catch (error) {
        if (signal.aborted || outputEnded.aborted || error instanceof ControlError) throw error;
        await sleep(clock, delay.next(), { signal: AbortSignal.any([signal, outputEnded]) })
          .catch(() => {});
      }
    }
  }

  /** A state short of the end; that one is shown together with the last of the output. */
  async #showState({ State, Detail }: RemoteStatus): Promise<void> {
    if (isComplete(State)) return;
    await this.ledger.update((record) =>
      record.State === State && record.Detail === Detail ? undefined : { State, Detail }
    );
  }

  async #complete({ State, Detail }: RemoteStatus, StdoutSize: number): Promise<void> {
    const { LocalCancelled, RemoteStarted } = this.#extra;
    if (LocalCancelled && !RemoteStarted && State === UnitState.Failed) {
      return await this.#fail(details.locallyCancelled);
    }
    await this.ledger.settle({ State, Detail, StdoutSize });
    await this.ledger.store.syncStdout(this.ledger.id).catch(() => {});
  }

  async #onGone(): Promise<void> {
    const { LocalCancelled, RemoteStarted, RemoteUnitID, RemoteNode } = this.#extra;
    this.#log("debug", `Work unit ${RemoteUnitID} on node ${RemoteNode} is gone.`);
    const never = LocalCancelled && !RemoteStarted;
    await this.#fail(never ? details.locallyCancelled : details.remoteGone);
  }

  async #passCancel(signal: AbortSignal): Promise<void> {
    const { RemoteUnitID, RemoteStarted } = this.#extra;
    using client = await this.#connect(signal);
    try {
      await this.#command(client, "cancel", signal);
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      if (isUnknownUnit(error, RemoteUnitID)) {
        if (!this.ledger.complete) await this.#onGone();
        this.#cancelPassed = true;
        if (!RemoteStarted) return;
      }
      // The remote node was told and refused: told again it would refuse again.
      this.#cancelPassed = true;
      const refusal = new ControlError(refusals.remoteCancel(error.message), { cause: error });
      this.#log("warning", refusal.message);
      this.#answer((outcome) => outcome.reject(refusal));
      return;
    }
    this.#cancelPassed = true;
    this.#answer((outcome) => outcome.resolve({ pending: false }));
  }

  async #passRelease(signal: AbortSignal): Promise<void> {
    const { RemoteUnitID } = this.#extra;
    using client = await this.#connect(signal);
    try {
      await this.#command(client, "release", signal);
    } catch (error) {
      // One that is gone there has been released.
      if (!isUnknownUnit(error, RemoteUnitID)) {
        if (!(error instanceof ControlError)) throw error;
        const refusal = new ControlError(refusals.remoteCancel(error.message), { cause: error });
        this.#answer((outcome) => outcome.reject(refusal));
        throw refusal;
      }
    }
    await this.ledger.remove();
  }

  async #expire(): Promise<void> {
    const extra = this.#extra;
    // A submit of unknown outcome may have got there.
    if (extra.RemoteUnitID !== "") await this.#update({ LocalCancelled: true });
    await this.#fail(details.expired(formatExpiration(expirationTime(extra)!)));
  }

  #log(level: "error" | "warning" | "info" | "debug", message: string): void {
    const { id } = this.ledger;
    this.#parts.log[level](`[${id}] ${message}`, {
      unit_id: id,
      remote_id: this.#extra.RemoteNode,
    });
  }
}

function isUnknownUnit(error: unknown, unitId: string): boolean {
  return error instanceof ControlError && error.message === refusals.unknownUnit(unitId);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
