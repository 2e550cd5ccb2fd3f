/**
 * Carries out the steps that `remote_decision.ts` chooses from: each tries once, records what it
 * achieved, and tells those who wait for it. If it throws, it should be tried again.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import { ControlError } from "../../control/control_error.ts";
import { UnitState } from "../../control/work_service.ts";
import { details, refusals } from "../work_texts.ts";
import type { RemoteControl } from "./remote_control.ts";
import {
  isFetched,
  isNeverRun,
  type RemoteMemory,
  type RemoteStatus,
  type RemoteStep,
} from "./remote_decision.ts";
import { expirationTime, formatExpiration } from "./remote_extra_data.ts";
import { followRemote } from "./remote_follow.ts";
import type { RemoteLedger } from "./remote_ledger.ts";
import { type RemoteSubmission, SubmitRefusedError } from "./remote_submission.ts";
import type { RemoteWaiters } from "./remote_waiters.ts";

/** How often to ask for the rest of a complete unit's output that stays short. */
const MAX_SHORT_ROUNDS = 5;

export interface RemoteStepsDeps {
  /** Its lines name the unit. */
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly control: RemoteControl;
  readonly ledger: RemoteLedger;
  readonly submission: RemoteSubmission;
  readonly waiters: RemoteWaiters;
}

/** One try of a step. */
export interface Attempt {
  readonly step: Exclude<RemoteStep, "rest">;
  /** Ends it early. */
  readonly stop: AbortController;
  /** Output came in: the remote node is alive, whatever may go wrong afterwards. */
  progress: boolean;
}

export class RemoteSteps {
  readonly #deps: RemoteStepsDeps;
  #cancelPassed = false;
  #shortRounds = 0;

  constructor(deps: RemoteStepsDeps) {
    this.#deps = deps;
  }

  get memory(): RemoteMemory {
    return { mayBeSent: this.#deps.submission.mayBeSent, cancelPassed: this.#cancelPassed };
  }

  /** `signal` ends the attempt, also when the daemon stops. */
  async perform(attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { ledger } = this.#deps;
    switch (attempt.step) {
      case "submit":
        return await this.#submit(signal);
      case "inquire":
        return await this.#inquire(signal);
      case "follow":
        return await this.#follow(attempt, signal);
      case "cancel":
        return await this.#passCancel(signal);
      case "release":
        return await this.#passRelease(signal);
      case "delete":
        return await ledger.unit.remove();
      case "drop":
        return await ledger.fail(details.locallyCancelled);
      case "expire":
        return await this.#expire();
    }
  }

  async #submit(signal: AbortSignal): Promise<void> {
    const { ledger, submission, waiters } = this.#deps;
    try {
      await submission.submit(signal);
      waiters.start("Job Started");
    } catch (error) {
      if (!(error instanceof SubmitRefusedError)) throw error;
      await ledger.fail(details.errorStarting(error.message));
      waiters.refuseStart(new ControlError(error.message, { cause: error }));
    }
  }

  async #inquire(signal: AbortSignal): Promise<void> {
    const { ledger, submission, waiters } = this.#deps;
    await submission.inquire(signal);
    if (ledger.extra.RemoteStarted) waiters.start("Job Started");
  }

  /** Fetches output and state until both are complete. */
  async #follow(attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { ledger } = this.#deps;
    const onProgress = () => void (attempt.progress = true);
    const end = await followRemote({ ...this.#deps, onProgress }, signal);
    if (end === undefined) return await this.#failAsGone();
    const { status, outputLost } = end;
    const bytes = await ledger.stdoutSize();
    if (isNeverRun(status) && !ledger.extra.LocalCancelled) {
      await ledger.update({ RemoteStarted: false });
      throw new Error(`it was lost there before it ran: ${status.Detail}`);
    }
    if (outputLost) return await ledger.fail(details.outputLostThere(status.Detail));
    if (isFetched(status, bytes)) return await this.#complete(status, bytes);
    this.#shortRounds = attempt.progress ? 0 : this.#shortRounds + 1;
    if (this.#shortRounds < MAX_SHORT_ROUNDS) throw new Error("results ended too early");
    await ledger.fail(details.outputShort(bytes, status.StdoutSize));
  }

  async #complete({ State, Detail }: RemoteStatus, StdoutSize: number): Promise<void> {
    const { ledger } = this.#deps;
    const { LocalCancelled, RemoteStarted } = ledger.extra;
    if (LocalCancelled && !RemoteStarted && State === UnitState.Failed) {
      return await ledger.fail(details.locallyCancelled);
    }
    await ledger.unit.settle({ State, Detail, StdoutSize });
    await ledger.unit.store.syncStdout(ledger.unit.id).catch(() => {});
  }

  async #failAsGone(): Promise<void> {
    const { log, ledger } = this.#deps;
    const { LocalCancelled, RemoteStarted, RemoteUnitID, RemoteNode } = ledger.extra;
    log.debug(`Work unit ${RemoteUnitID} on node ${RemoteNode} is gone.`);
    const neverRan = LocalCancelled && !RemoteStarted;
    await ledger.fail(neverRan ? details.locallyCancelled : details.remoteGone);
  }

  async #passCancel(signal: AbortSignal): Promise<void> {
    const { control, ledger, waiters } = this.#deps;
    try {
      await control.tell("cancel", signal);
      this.#cancelPassed = true;
      waiters.answer({ pending: false });
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      // The remote node was told and refused, and would refuse again.
      this.#cancelPassed = true;
      const isGone = control.isUnknownUnit(error);
      if (isGone && !ledger.unit.complete) await this.#failAsGone();
      if (!isGone || ledger.extra.RemoteStarted) this.#refuse(error);
    }
  }

  async #passRelease(signal: AbortSignal): Promise<void> {
    const { control, ledger } = this.#deps;
    try {
      await control.tell("release", signal);
    } catch (error) {
      // A unit that is gone there has been released.
      if (!control.isUnknownUnit(error)) {
        if (error instanceof ControlError) this.#refuse(error);
        throw error;
      }
    }
    await ledger.unit.remove();
  }

  #refuse(error: ControlError): void {
    const refusal = new ControlError(refusals.remoteCancel(error.message), { cause: error });
    this.#deps.log.warning(refusal.message);
    this.#deps.waiters.refuse(refusal);
  }

  async #expire(): Promise<void> {
    const { ledger } = this.#deps;
    const { extra } = ledger;
    // A submission of unknown outcome may have arrived there.
    if (extra.RemoteUnitID !== "") await ledger.update({ LocalCancelled: true });
    await ledger.fail(details.expired(formatExpiration(expirationTime(extra)!)));
  }
}
