/**
 * Gets a unit to its node: sends it, and finds out what became of a submission that was cut off.
 */
import { type Clock, sleep } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { IllegalParameterError } from "../../control/client.ts";
import { ControlError } from "../../control/control_error.ts";
import type { RemoteControl } from "./remote_control.ts";
import { judgeSubmission, type RemoteStatus } from "./remote_decision.ts";
import { visibleRemoteExtraData } from "./remote_extra_data.ts";
import type { RemoteLedger } from "./remote_ledger.ts";
import { submitCommand } from "../signed_command.ts";
import { newUnitId } from "../unit_id.ts";
import { details, refusals } from "../work_texts.ts";

/** The remote node, or this one, refuses the unit: trying again would not help. */
export class SubmitRefusedError extends Error {
  override readonly name = "SubmitRefusedError";
}

/**
 * How long a unit there may wait for the rest of a cut-off payload before it is given up: a broken
 * stream is detected by its idle timeout (30 s) at the latest.
 */
const STALE_PAYLOAD_MS = 45_000;
const STALE_PAYLOAD_INTERVAL_MS = 1_000;

/** Up to this size, the end of a payload is sent with its beginning. */
const SMALL_PAYLOAD_BYTES = 64 * 1024;
const PAYLOAD_CHUNK_BYTES = 256 * 1024;

export interface RemoteSubmissionDeps {
  readonly control: RemoteControl;
  readonly ledger: RemoteLedger;
  readonly clock: Clock;
  readonly random: Random;
  /** This node: replacement ids begin with it. */
  readonly nodeId: string;
}

export class RemoteSubmission {
  readonly #deps: RemoteSubmissionDeps;
  /**
   * As submitted, secrets included; `undefined` for a unit found on disk, and once it has been
   * sent.
   */
  #params: Readonly<Record<string, string>> | undefined;
  #mayBeSent = false;

  constructor(
    deps: RemoteSubmissionDeps,
    params: Readonly<Record<string, string>> | undefined,
  ) {
    this.#deps = deps;
    this.#params = params;
  }

  /** See `RemoteMemory`. */
  get mayBeSent(): boolean {
    return this.#mayBeSent;
  }

  /**
   * Sends the unit. Throws a `SubmitRefusedError` if it was refused for good, anything else if the
   * outcome is not known.
   */
  async submit(signal: AbortSignal): Promise<void> {
    const { control, ledger } = this.#deps;
    const { extra, unit } = ledger;
    if (extra.SecretParams !== undefined && this.#params === undefined) {
      throw new SubmitRefusedError(details.secretsLost);
    }
    using client = await control.connect(signal);
    const workType = extra.RemoteWorkType;
    const params = { ...(this.#params ?? extra.RemoteParams) };
    const workUnitId = extra.RemoteUnitID || unit.id;
    const signed = await control.signature(submitCommand(workUnitId, { workType, params }));
    using payload = await this.#openPayload();
    const { size } = payload.statSync();
    const isSmall = size <= SMALL_PAYLOAD_BYTES;
    await ledger.update({ RemoteUnitID: workUnitId, ...(isSmall ? { PayloadSent: true } : {}) });
    signal.throwIfAborted();
    this.#mayBeSent = false;
    let isCreated = false;
    const request = {
      node: extra.RemoteNode,
      workType,
      workUnitId,
      params,
      ...signed,
    };
    const onCreated = async (unitId: string) => {
      isCreated = true;
      // A node older than 1.6 chooses the id itself.
      if (unitId !== workUnitId) await ledger.update({ RemoteUnitID: unitId });
    };
    try {
      await client.submit(request, this.#read(payload, { size, isSmall }, signal), {
        onCreated,
        signal,
      });
    } catch (error) {
      if (!isRefusal(error, workUnitId)) throw error;
      if (!isCreated) await ledger.update({ RemoteUnitID: "" });
      throw new SubmitRefusedError(refusals.fromRemote(error.message), { cause: error });
    }
    await this.#recordStarted();
  }

  /** Asks what became of a submission of unknown outcome, and prepares another if needed. */
  async inquire(signal: AbortSignal): Promise<void> {
    const { control, ledger, clock, nodeId, random } = this.#deps;
    const giveUpAt = clock.now() + STALE_PAYLOAD_MS;
    while (true) {
      let status: RemoteStatus;
      try {
        status = await control.status(signal);
      } catch (error) {
        if (!control.isUnknownUnit(error)) throw error;
        this.#mayBeSent = true;
        return;
      }
      const verdict = judgeSubmission(status, ledger.extra.PayloadSent === true);
      if (verdict === "started") return await this.#recordStarted();
      if (verdict === "never ran" || clock.now() >= giveUpAt) break;
      await sleep(clock, STALE_PAYLOAD_INTERVAL_MS, { signal });
    }
    try {
      await control.tell("release", signal);
    } catch (error) {
      if (!control.isUnknownUnit(error)) throw error;
    }
    await ledger.replaceId(newUnitId(nodeId, random));
    this.#mayBeSent = true;
  }

  async #openPayload(): Promise<Deno.FsFile> {
    const { store, id } = this.#deps.ledger.unit;
    try {
      return await store.readStdin(id);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      throw new SubmitRefusedError(details.payloadLost(store.stdinPath(id)), { cause });
    }
  }

  async *#read(
    file: Deno.FsFile,
    { size, isSmall }: { size: number; isSmall: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(Math.min(size || 1, PAYLOAD_CHUNK_BYTES));
    for (let count; (count = await file.read(buffer)) !== null;) {
      signal.throwIfAborted();
      yield buffer.subarray(0, count);
    }
    if (!isSmall) await this.#deps.ledger.update({ PayloadSent: true });
    signal.throwIfAborted();
  }

  async #recordStarted(): Promise<void> {
    const { ledger } = this.#deps;
    // The secrets that the Go daemon wrote have served their purpose.
    const { RemoteParams } = visibleRemoteExtraData(ledger.extra);
    await ledger.update({ RemoteStarted: true, RemoteParams });
    this.#params = undefined;
  }
}

/** Whether the failure of a submission is final: it was answered, or could never be sent. */
function isRefusal(error: unknown, workUnitId: string): error is Error {
  if (error instanceof IllegalParameterError) return true;
  return error instanceof ControlError &&
    // An earlier attempt did arrive.
    error.message !== refusals.unitIdInUse(workUnitId) &&
    // The remote node noticed the cut payload before we did.
    !error.message.startsWith(details.inputError);
}
