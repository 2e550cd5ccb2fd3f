/**
 * Units of work: takes submits for this node and for others, keeps every unit on disk, takes up
 * after a restart what was left, and answers for the control service.
 */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import { parseGoDurationNs } from "../base/go_duration.ts";
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
import { brokenRecord, BrokenUnit } from "./broken_unit.ts";
import { CommandUnit, type CommandWorkType, newCommandExtraData } from "./command/command_unit.ts";
import { FileWatcher } from "./file_watcher.ts";
import { IncomingPayload } from "./incoming_payload.ts";
import { interruptible } from "./command/interruptible.ts";
import { readOutput } from "./read_output.ts";
import { isSecret, newRemoteExtraData, REMOTE_WORK_TYPE } from "./remote/remote_extra_data.ts";
import type { RemoteAccess } from "./remote/remote_access.ts";
import { RemoteUnit } from "./remote/remote_unit.ts";
import type { Unit } from "./unit.ts";
import { isAcceptableUnitId, isUnitFolderName, MAX_UNIT_ID_LENGTH, newUnitId } from "./unit_id.ts";
import { UnitLedger } from "./unit_ledger.ts";
import { isComplete, stateName, type UnitRecord } from "./unit_record.ts";
import { UnitStore } from "./unit_store.ts";
import { details, refusals } from "./work_texts.ts";
import { UnitState } from "../control/work_service.ts";

export interface WorkceptorParts extends RemoteAccess {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Checks the signature of a command about a unit whose type wants one; rejects with a
   * `ControlError`. Absent: no verifying key is configured, and no signature is good.
   */
  readonly verifySignature?: ((signature: string) => Promise<void>) | undefined;
}

export interface WorkceptorOptions {
  readonly nodeId: string;
  /** Holds a folder for each node. The original's default is `/tmp/receptor`. */
  readonly dataDir: string;
  /** Folders with commands, colon-separated; the jobs themselves get this process' environment. */
  readonly searchPath: string;
}

/** Units read from disk at one time. */
const SCAN_BATCH = 64;

/** The coarsest time stamps of a file system in use (FAT). */
const MTIME_GRAIN_MS = 2_000;

export class Workceptor implements WorkService, AsyncDisposable {
  readonly #parts: WorkceptorParts;
  readonly #options: WorkceptorOptions;
  readonly #watcher: FileWatcher;
  readonly #types = new Map<string, CommandWorkType>();
  readonly #units = new Map<string, Unit>();
  /** Units being read from disk, so that each is taken up once. */
  readonly #adopting = new Map<string, Promise<Unit | undefined>>();
  /** Removed units whose jobs are still being stopped. */
  readonly #leaving = new Set<Unit>();
  /** Units of a submit that is not through yet: what is on disk of them is not all. */
  readonly #making = new Set<string>();
  readonly #payloads = new Set<IncomingPayload>();
  readonly #resources = new AsyncDisposableStack();
  #openStore: UnitStore | undefined;
  #scannedAt: number | undefined;

  constructor(parts: WorkceptorParts, options: WorkceptorOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#watcher = new FileWatcher(parts.clock);
  }

  /**
   * Makes a work type known. Once started, units of this type that were found before it are taken
   * up. Throws a `TypeError` when the name is taken.
   */
  registerWorkType(name: string, type: CommandWorkType): void {
    if (name === REMOTE_WORK_TYPE || this.#types.has(name)) {
      throw new TypeError(refusals.workTypeRegistered(name));
    }
    this.#types.set(name, type);
    for (const unit of [...this.#units.values()]) {
      if (unit.ledger.record.WorkType === name) void this.#adoptAnew(unit);
    }
  }

  /** What is advertised to the mesh. */
  workTypes(): AdvertisedWorkType[] {
    return [...this.#types].map(([WorkType, { verifySignature }]) => ({
      WorkType,
      Secure: verifySignature === true,
    }));
  }

  /**
   * Opens the data folder and takes up the units in it. Throws a `StoreInUseError` when another
   * daemon has it.
   */
  async start(): Promise<void> {
    const { dataDir, nodeId } = this.#options;
    this.#openStore = this.#resources.use(await UnitStore.open(dataDir, nodeId));
    this.#resources.use(await interruptible());
    await this.#scan();
  }

  async submit(request: SubmitRequest, caller: Caller): Promise<PendingUnit> {
    const { node, workType, workUnitId } = request;
    await this.#authorize(workType, request.signWork, { caller, signature: request.signature });
    const isLocal = node === this.#options.nodeId || node.toLowerCase() === "localhost";
    const make = isLocal ? this.#prepareCommand(request) : this.#prepareRemote(request);
    if (workUnitId !== "" && !isAcceptableUnitId(workUnitId)) {
      throw new ControlError(refusals.badUnitId(workUnitId, MAX_UNIT_ID_LENGTH));
    }
    const id = await this.#makeFolder(workUnitId);
    this.#making.add(id);
    try {
      const record: UnitRecord = {
        State: UnitState.Pending,
        Detail: details.waitingForInput,
        StdoutSize: 0,
        WorkType: isLocal ? workType : REMOTE_WORK_TYPE,
        ExtraData: make.extraData,
      };
      await this.#store.save(id, record);
      const stdin = await this.#store.openStdin(id);
      const unit = make.unit(this.#ledger(id, record));
      this.#units.set(id, unit);
      const payload = new IncomingPayload(unit, stdin, (closed) => this.#payloads.delete(closed));
      this.#payloads.add(payload);
      return payload;
    } catch (error) {
      await this.#store.remove(id).catch(() => {});
      throw error;
    } finally {
      this.#making.delete(id);
    }
  }

  async list(unitId?: string): Promise<Record<string, UnitStatus>> {
    if (unitId !== undefined) return { [unitId]: await this.status(unitId) };
    await this.#scan();
    const units = [...this.#units.values()];
    return Object.fromEntries(
      await Promise.all(units.map(async (unit) => [unit.ledger.id, await statusOf(unit)])),
    );
  }

  async status(unitId: string): Promise<UnitStatus> {
    return statusOf(await this.#find(unitId));
  }

  async cancel(unitId: string, auth: Authorization): Promise<{ pending: boolean }> {
    const unit = await this.#findFor(unitId, auth);
    return unit.cancel();
  }

  async release(
    unitId: string,
    auth: Authorization & { force: boolean },
  ): Promise<{ pending: boolean }> {
    const unit = await this.#findFor(unitId, auth);
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
    const unit = await this.#findFor(unitId, request);
    const { startPos, signal } = request;
    return readOutput(unit, startPos, { clock: this.#parts.clock, signal });
  }

  /** Leaves running jobs alone: the next daemon finds them. May be repeated. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const payload of this.#payloads) payload.close();
    const units = [...this.#units.values(), ...this.#leaving];
    await Promise.all(units.map((unit) => unit[Symbol.asyncDispose]()));
    await this.#resources.disposeAsync();
  }

  get #store(): UnitStore {
    if (this.#openStore === undefined) throw new TypeError("Workceptor is not started");
    return this.#openStore;
  }

  /** Checks a submit for this node; what it returns makes the unit. */
  #prepareCommand({ workType, ttl, params }: SubmitRequest) {
    if (ttl !== "") throw new ControlError(refusals.ttlNotRemote);
    const type = this.#types.get(workType);
    if (type === undefined) throw new ControlError(refusals.unknownWorkType(workType));
    return {
      extraData: newCommandExtraData(type, params),
      unit: (ledger: UnitLedger): Unit => new CommandUnit(this.#commandParts(type), ledger),
    };
  }

  /** Checks a submit for another node. */
  #prepareRemote({ node, workType, tlsClient, ttl, signWork, params }: SubmitRequest) {
    if (tlsClient !== "" && this.#parts.tlsClient(tlsClient) === undefined) {
      throw new ControlError(refusals.unknownTls(tlsClient));
    }
    if (tlsClient === "" && Object.keys(params).some(isSecret)) {
      throw new ControlError(refusals.secretsWithoutTls);
    }
    if (signWork && this.#parts.signWork === undefined) {
      throw new ControlError(refusals.noSigningKey);
    }
    const expiresAt = ttl === "" ? undefined : this.#parts.clock.wallTime() + durationMs(ttl);
    return {
      extraData: newRemoteExtraData({ node, workType, tlsClient, signWork, params, expiresAt }),
      unit: (ledger: UnitLedger): Unit => new RemoteUnit(this.#remoteParts(), ledger, params),
    };
  }

  /** Makes the folder of a new unit, under the id asked for or one of our own. */
  async #makeFolder(wanted: string): Promise<string> {
    while (true) {
      const id = wanted || newUnitId(this.#options.nodeId, this.#parts.random);
      try {
        await this.#store.create(id);
        return id;
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
        if (wanted !== "") throw new ControlError(refusals.unitIdInUse(id), { cause: error });
      }
    }
  }

  async #findFor(unitId: string, auth: Authorization): Promise<Unit> {
    const unit = await this.#find(unitId);
    await this.#authorize(unit.ledger.record.WorkType, unit.signWork, auth);
    return unit;
  }

  /** As the original: a caller on the unix socket needs no signature, and none may be idle. */
  async #authorize(
    workType: string,
    signWork: boolean,
    { caller, signature }: Authorization,
  ): Promise<void> {
    const wanted = workType === REMOTE_WORK_TYPE
      ? signWork
      : this.#types.get(workType)?.verifySignature === true;
    if (!wanted && signature !== "") throw new ControlError(refusals.unexpectedSignature);
    if (!wanted || caller.via === "unix") return;
    if (signature === "") throw new ControlError(refusals.emptySignature);
    if (this.#parts.verifySignature === undefined) throw new ControlError(refusals.noVerifyingKey);
    await this.#parts.verifySignature(signature);
  }

  /** A unit we have, or one that was put into the data folder by hand. */
  async #find(id: string): Promise<Unit> {
    const known = this.#units.get(id);
    if (known !== undefined && !(known instanceof BrokenUnit)) {
      if (!known.ledger.complete || await this.#store.has(id)) return known;
      // Somebody removed its folder.
      known.ledger.forget();
    } else {
      const found = isUnitFolderName(id) ? await this.#adopt(id) : undefined;
      if (found !== undefined) return found;
    }
    throw new ControlError(refusals.unknownUnit(id));
  }

  /** Takes up the units on disk that we do not have; cheap when the folder has not changed. */
  async #scan(): Promise<void> {
    const changedAt = await this.#store.changedAt();
    const broken = [...this.#units.values()].some((unit) => unit instanceof BrokenUnit);
    if (!broken && changedAt !== undefined && changedAt === this.#scannedAt) return;
    const ids = new Set(await this.#store.list());
    for (const [id, unit] of [...this.#units]) {
      if (!ids.has(id) && unit.ledger.complete) unit.ledger.forget();
    }
    const unknown = [...ids].filter((id) => {
      const unit = this.#units.get(id);
      return unit === undefined || unit instanceof BrokenUnit;
    });
    for (let start = 0; start < unknown.length; start += SCAN_BATCH) {
      await Promise.all(unknown.slice(start, start + SCAN_BATCH).map((id) => this.#adopt(id)));
    }
    // A file system's clock is coarse: only a change that is some time past is surely all of them.
    const settled = changedAt !== undefined &&
      this.#parts.clock.wallTime() - changedAt > MTIME_GRAIN_MS;
    this.#scannedAt = settled ? changedAt : undefined;
  }

  async #adoptAnew(unit: Unit): Promise<void> {
    const { id } = unit.ledger;
    this.#units.delete(id);
    try {
      await unit[Symbol.asyncDispose]();
      await this.#adopt(id);
    } catch (error) {
      this.#parts.log.error(`Failed to take up work unit ${id}: ${error}`, { unit_id: id });
    }
  }

  #adopt(id: string): Promise<Unit | undefined> {
    let adopting = this.#adopting.get(id);
    if (adopting === undefined) {
      adopting = this.#load(id).finally(() => this.#adopting.delete(id));
      this.#adopting.set(id, adopting);
    }
    return adopting;
  }

  async #load(id: string): Promise<Unit | undefined> {
    if (this.#making.has(id)) return undefined;
    if (!await this.#store.has(id)) {
      this.#units.delete(id);
      return undefined;
    }
    let unit: Unit;
    try {
      const record = await this.#store.load(id);
      unit = this.#unitFrom(this.#ledger(id, record));
    } catch (error) {
      unit = new BrokenUnit(this.#ledger(id, brokenRecord(error)));
    }
    const known = this.#units.get(id);
    if (known !== undefined && !(known instanceof BrokenUnit)) return known;
    if (this.#making.has(id)) return undefined;
    this.#units.set(id, unit);
    try {
      await unit.resume();
    } catch (error) {
      this.#parts.log.warning(`Failed to restart worker ${id}: ${error}`, { unit_id: id });
    }
    return unit;
  }

  #unitFrom(ledger: UnitLedger): Unit {
    const { WorkType } = ledger.record;
    return WorkType === REMOTE_WORK_TYPE
      ? new RemoteUnit(this.#remoteParts(), ledger)
      : new CommandUnit(this.#commandParts(this.#types.get(WorkType)), ledger);
  }

  #ledger(id: string, record: UnitRecord): UnitLedger {
    const onRemoved = (ledger: UnitLedger) => {
      const unit = this.#units.get(id);
      if (unit?.ledger !== ledger) return;
      this.#units.delete(id);
      this.#leaving.add(unit);
      void unit.idle().then(() => this.#leaving.delete(unit));
    };
    return new UnitLedger({ id, store: this.#store, log: this.#parts.log, record, onRemoved });
  }

  #commandParts(workType: CommandWorkType | undefined) {
    const { log, clock } = this.#parts;
    const { searchPath } = this.#options;
    return { log, clock, watcher: this.#watcher, searchPath, workType };
  }

  #remoteParts() {
    const { nodeId } = this.#options;
    return { ...this.#parts, watcher: this.#watcher, nodeId };
  }
}

async function statusOf({ ledger, extraData }: Unit): Promise<UnitStatus> {
  const { Detail, State, StdoutSize, WorkType } = ledger.record;
  return {
    Detail,
    ExtraData: extraData,
    State,
    StateName: stateName(State),
    StdoutSize: isComplete(State) ? StdoutSize : await ledger.store.stdoutSize(ledger.id),
    WorkType,
  };
}

/** Throws a `ControlError` in Go's words. */
function durationMs(ttl: string): number {
  try {
    return parseGoDurationNs(ttl) / 1e6;
  } catch (error) {
    throw new ControlError(messageOf(error), {
      cause: error,
    });
  }
}
