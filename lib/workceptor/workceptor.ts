/**
 * Units of work for the control service. Authorization, submission and the units themselves have
 * their own files; this puts them together.
 */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { ControlError } from "../control/control_error.ts";
import type {
  Authorization,
  Caller,
  PendingUnit,
  SubmitRequest,
  UnitStatus,
  WorkService,
} from "../control/work_service.ts";
import type { AdvertisedWorkType } from "../netceptor/mesh.ts";
import { Authorizer, type VerifySignature } from "./authorization.ts";
import { EndGrace } from "./end_grace.ts";
import type { WorkceptorObserver } from "./observer.ts";
import { isOutputGone, readOutput } from "./read_output.ts";
import { submitCommand, unitCommand } from "./signed_command.ts";
import { Submission } from "./submission.ts";
import type { Unit } from "./unit.ts";
import { isComplete, stateName } from "./unit_record.ts";
import { type UnitMaker, UnitRegistry } from "./unit_registry.ts";
import type { WorkType } from "./work_type.ts";
import { refusals } from "./work_texts.ts";
import { WorkTypes } from "./work_types.ts";

export interface WorkceptorDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Checks the signature of a command about a unit whose type requires one; rejects with a
   * `ControlError`. If absent, no verifying key is configured, and no signature is valid.
   */
  readonly verifySignature?: VerifySignature | undefined;
  /** Takes a unit found on disk whose work type is not registered. */
  readonly loadUnregistered: UnitMaker;
  readonly observer?: WorkceptorObserver | undefined;
}

export interface WorkceptorOptions {
  readonly nodeId: string;
  /** Holds a folder for each node. The Go daemon's default is `/tmp/receptor`. */
  readonly dataDir: string;
  /** Nodes for which this one signs work, if their certificates name them. */
  readonly signFor?: readonly string[] | undefined;
}

/** The parts that need an open data folder. */
interface Running {
  readonly registry: UnitRegistry;
  readonly submission: Submission;
}

export class Workceptor implements WorkService, AsyncDisposable {
  readonly #deps: WorkceptorDeps;
  readonly #options: WorkceptorOptions;
  readonly #types = new WorkTypes();
  readonly #authorizer: Authorizer;
  readonly #endGrace: EndGrace;
  #running: Running | undefined;

  constructor(deps: WorkceptorDeps, options: WorkceptorOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#endGrace = new EndGrace(deps.clock);
    const { verifySignature } = deps;
    this.#authorizer = new Authorizer({ types: this.#types, verifySignature }, options);
  }

  /**
   * Makes a work type known. Once started, units of this type that were found earlier are resumed.
   * Throws a `TypeError` if the name is taken.
   */
  registerWorkType(name: string, type: WorkType): void {
    this.#types.register(name, type);
    this.#running?.registry.onRegistered(name);
  }

  /** What is advertised to the mesh. */
  workTypes(): AdvertisedWorkType[] {
    return this.#types.advertised();
  }

  /**
   * Opens the data folder and resumes the units in it. Throws a `StoreInUseError` if another daemon
   * has it.
   */
  async start(): Promise<void> {
    const types = this.#types;
    const registry = await UnitRegistry.open({ ...this.#deps, types }, this.#options);
    const submission = new Submission({ registry, types }, this.#options);
    this.#running = { registry, submission };
  }

  async submit(request: SubmitRequest, caller: Caller): Promise<PendingUnit> {
    const { submission } = this.#started;
    const { workType, signWork, signature, workUnitId } = request;
    const command = submitCommand(workUnitId, request);
    await this.#authorizer.check({ workType, signWork, command }, { caller, signature });
    if (signWork && !submission.isHere(request)) this.#authorizer.checkSigning(caller);
    return submission.submit(request);
  }

  async list(unitId?: string): Promise<Record<string, UnitStatus>> {
    if (unitId !== undefined) return { [unitId]: await this.status(unitId) };
    const units = await this.#started.registry.all();
    return Object.fromEntries(
      await Promise.all(units.map(async (unit) => [unit.ledger.id, await statusOf(unit)])),
    );
  }

  async status(unitId: string): Promise<UnitStatus> {
    const unit = await this.#started.registry.find(unitId);
    await this.#endGrace.end(unit.ledger);
    return statusOf(unit);
  }

  async cancel(unitId: string, auth: Authorization): Promise<{ pending: boolean }> {
    const unit = await this.#find("cancel", unitId, auth);
    return unit.cancel();
  }

  async release(
    unitId: string,
    auth: Authorization & { force: boolean },
  ): Promise<{ pending: boolean }> {
    const unit = await this.#find("release", unitId, auth);
    try {
      return await unit.release({ force: auth.force });
    } catch (error) {
      if (error instanceof ControlError) throw error;
      const problem = messageOf(error);
      throw new ControlError(refusals.notRemoved(unitId, problem), { cause: error });
    }
  }

  async results(
    unitId: string,
    request: Authorization & { startPos: number; signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    const unit = await this.#find("results", unitId, request);
    const { startPos, signal } = request;
    // Once the stream has begun, a client can no longer be told.
    if (await isOutputGone(unit, startPos)) throw new ControlError(refusals.outputLost(unitId));
    const output = readOutput(unit, startPos, { clock: this.#deps.clock, signal });
    return this.#endGrace.follow(unit.ledger, output);
  }

  /** Leaves running jobs alone: the next daemon finds them. May be repeated. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#endGrace[Symbol.dispose]();
    this.#running?.submission[Symbol.dispose]();
    await this.#running?.registry[Symbol.asyncDispose]();
  }

  get #started(): Running {
    if (this.#running === undefined) throw new TypeError("Workceptor is not started");
    return this.#running;
  }

  /** The unit that a command is about, if the command is allowed. */
  async #find(
    subcommand: Parameters<typeof unitCommand>[0],
    unitId: string,
    auth: Authorization,
  ): Promise<Unit> {
    const unit = await this.#started.registry.find(unitId);
    const { ledger, signWork } = unit;
    const command = unitCommand(subcommand, unitId);
    await this.#authorizer.check({ workType: ledger.record.WorkType, signWork, command }, auth);
    return unit;
  }
}

async function statusOf({ ledger, extraData }: Unit): Promise<UnitStatus> {
  const { Detail, State, StdoutSize, WorkType } = ledger.record;
  return {
    Detail,
    ExtraData: extraData,
    State,
    StateName: stateName(State),
    StdoutSize: isComplete(State) ? StdoutSize : await ledger.store.stdoutSize(ledger.id) ?? 0,
    WorkType,
  };
}
