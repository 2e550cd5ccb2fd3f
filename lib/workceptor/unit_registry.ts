/**
 * All units of a node: those created by this daemon, and those found on disk, which are resumed
 * where an earlier daemon left them.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { guardObserver } from "../base/observer.ts";
import { printable } from "../base/printable.ts";
import type { Random } from "../base/random.ts";
import { ControlError } from "../control/control_error.ts";
import { brokenRecord, BrokenUnit } from "./broken_unit.ts";
import { FileWatcher } from "./file_watcher.ts";
import { type UnitEvent, workceptorEvents, type WorkceptorObserver } from "./observer.ts";
import type { Unit, UnitDeps } from "./unit.ts";
import { isUnitFolderName, newUnitId } from "./unit_id.ts";
import { UnitLedger, type UnitLedgerDeps } from "./unit_ledger.ts";
import type { UnitRecord } from "./unit_record.ts";
import { UnitStore } from "./unit_store.ts";
import { refusals } from "./work_texts.ts";
import type { WorkTypes } from "./work_types.ts";

/** Makes a unit around its record. */
export type UnitMaker = (ledger: UnitLedger, deps: UnitDeps) => Unit;

export interface UnitRegistryDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly types: WorkTypes;
  /** For a unit found on disk whose work type is not registered. */
  readonly loadUnregistered: UnitMaker;
  readonly observer?: WorkceptorObserver | undefined;
}

export interface UnitRegistryOptions {
  readonly nodeId: string;
  /** Holds a folder for each node. */
  readonly dataDir: string;
}

/** How many units to read from disk at a time. */
const SCAN_BATCH = 64;

/** Resolution of the coarsest time stamps of any file system in use (FAT). */
const MTIME_GRAIN_MS = 2_000;

export class UnitRegistry implements AsyncDisposable {
  readonly #deps: UnitRegistryDeps;
  readonly #nodeId: string;
  readonly #store: UnitStore;
  readonly #unitDeps: UnitDeps;
  readonly #ledgerDeps: UnitLedgerDeps;
  readonly #observer: Required<WorkceptorObserver>;
  readonly #units = new Map<string, Unit>();
  /** Units being read from disk, so that each is loaded once. */
  readonly #adopting = new Map<string, Promise<Unit | undefined>>();
  /** Removed units whose jobs are still being stopped. */
  readonly #leaving = new Set<Unit>();
  /** Units being created, by id: if they are already on disk, they must not be loaded. */
  readonly #making = new Map<string, Promise<void>>();
  #scannedAt: number | undefined;
  /** Folders on disk that others made or can change, which the log was told of. */
  readonly #foreign = new Set<string>();

  private constructor(deps: UnitRegistryDeps, nodeId: string, store: UnitStore) {
    const { log, clock } = deps;
    this.#deps = deps;
    this.#nodeId = nodeId;
    this.#store = store;
    this.#unitDeps = { log, clock, watcher: new FileWatcher(clock) };
    this.#ledgerDeps = {
      store,
      clock,
      log,
      onChanged: (ledger, before) => this.#onChanged(ledger, before),
      onRemoved: (ledger) => this.#onRemoved(ledger),
    };
    this.#observer = guardObserver(deps.observer ?? {}, workceptorEvents, {
      log,
      what: "units of work",
    });
  }

  /**
   * Opens the data folder and loads the units in it. Throws a `StoreInUseError` if another daemon
   * has it.
   */
  static async open(deps: UnitRegistryDeps, options: UnitRegistryOptions): Promise<UnitRegistry> {
    const { dataDir, nodeId } = options;
    const store = await UnitStore.open(dataDir, nodeId);
    const registry = new UnitRegistry(deps, nodeId, store);
    await store.sweep().catch((error) => {
      deps.log.warning(`Failed to delete what is left of removed work units: ${error}`);
    });
    try {
      await registry.#scan();
      return registry;
    } catch (error) {
      await registry[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Creates a unit with its folder, its record and an empty payload, under the requested id or, for
   * `""`, a new one. Throws a `ControlError` if the requested id is in use. The caller closes
   * `stdin`.
   */
  async create(
    wanted: string,
    record: UnitRecord,
    make: UnitMaker,
  ): Promise<{ unit: Unit; stdin: Deno.FsFile }> {
    while (true) {
      const id = wanted || newUnitId(this.#nodeId, this.#deps.random);
      try {
        return await this.#create(id, record, make);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
        if (wanted !== "") throw new ControlError(refusals.unitIdInUse(id), { cause: error });
      }
    }
  }

  /** All units, including any that were put into the data folder by hand. */
  async all(): Promise<Unit[]> {
    await this.#scan();
    await Promise.all(this.#adopting.values());
    return [...this.#units.values()];
  }

  /** The unit with this id. Throws a `ControlError` if there is none. */
  async find(id: string): Promise<Unit> {
    // A submitter that did not wait for the reply may already ask: told that there is no such unit,
    // it would forget one that is about to run.
    await this.#making.get(id);
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

  /** A work type was registered: its units that were found earlier are loaded again. */
  onRegistered(workType: string): void {
    for (const unit of [...this.#units.values()]) {
      if (unit.ledger.record.WorkType === workType) this.#adoptAnew(unit);
    }
  }

  /** Leaves running jobs alone: the next daemon finds them. May be repeated. */
  async [Symbol.asyncDispose](): Promise<void> {
    const units = [...this.#units.values(), ...this.#leaving];
    await Promise.all(units.map(async (unit) => {
      await unit[Symbol.asyncDispose]();
      await unit.ledger[Symbol.asyncDispose]();
    }));
    this.#store[Symbol.dispose]();
  }

  /** Throws `Deno.errors.AlreadyExists` if the id is in use, here or on disk. */
  async #create(
    id: string,
    record: UnitRecord,
    make: UnitMaker,
  ): Promise<{ unit: Unit; stdin: Deno.FsFile }> {
    // Checked here too, since somebody may have removed the folder of a unit that we have.
    if (this.#making.has(id) || this.#units.has(id)) {
      throw new Deno.errors.AlreadyExists(`work unit ${id} already exists`);
    }
    const made = Promise.withResolvers<void>();
    this.#making.set(id, made.promise);
    try {
      const stdin = await this.#store.create(id, record);
      const unit = make(this.#ledger(id, record), this.#unitDeps);
      this.#add(unit, undefined);
      return { unit, stdin };
    } finally {
      this.#making.delete(id);
      made.resolve();
    }
  }

  /** Loads the units on disk that we do not have; cheap if the folder has not changed. */
  async #scan(): Promise<void> {
    const changedAt = await this.#store.changedAt();
    const broken = [...this.#units.values()].some((unit) => unit instanceof BrokenUnit);
    if (!broken && changedAt !== undefined && changedAt === this.#scannedAt) return;
    // A unit created from here on may be complete before the list is.
    const known = [...this.#units];
    const ids = new Set(await this.#store.list());
    for (const [id, unit] of known) {
      if (!ids.has(id) && unit.ledger.complete) unit.ledger.forget();
    }
    const unknown = [...ids].filter((id) => {
      const unit = this.#units.get(id);
      return unit === undefined || unit instanceof BrokenUnit;
    });
    for (let start = 0; start < unknown.length; start += SCAN_BATCH) {
      await Promise.all(unknown.slice(start, start + SCAN_BATCH).map((id) => this.#adopt(id)));
    }
    // A file system's clock is coarse: another change may get the same time stamp as a recent one
    // did.
    const settled = changedAt !== undefined &&
      this.#deps.clock.wallTime() - changedAt > MTIME_GRAIN_MS;
    this.#scannedAt = settled ? changedAt : undefined;
  }

  #adoptAnew(unit: Unit): void {
    const { id, record } = unit.ledger;
    this.#units.delete(id);
    const reload = async () => {
      try {
        await unit[Symbol.asyncDispose]();
        await unit.ledger[Symbol.asyncDispose]();
      } catch (error) {
        this.#deps.log.error(`Failed to load work unit ${id}: ${error}`, { unit_id: id });
      }
      return await this.#load(id, record);
    };
    this.#adopting.set(id, reload().finally(() => this.#adopting.delete(id)));
  }

  #adopt(id: string): Promise<Unit | undefined> {
    let adopting = this.#adopting.get(id);
    if (adopting === undefined) {
      adopting = this.#load(id).finally(() => this.#adopting.delete(id));
      this.#adopting.set(id, adopting);
    }
    return adopting;
  }

  /** `before` is what was known about the unit, if anything. */
  async #load(
    id: string,
    before: Readonly<UnitRecord> | undefined = this.#units.get(id)?.ledger.record,
  ): Promise<Unit | undefined> {
    if (this.#making.has(id)) return undefined;
    if (!await this.#store.has(id)) {
      await this.#warnOfForeign(id);
      this.#units.get(id)?.ledger.forget();
      return undefined;
    }
    let unit: Unit;
    try {
      const record = await this.#store.load(id);
      const load = this.#loaderOf(record.WorkType);
      unit = load(this.#ledger(id, record), this.#unitDeps);
    } catch (error) {
      unit = new BrokenUnit(this.#ledger(id, brokenRecord(error)));
    }
    const known = this.#units.get(id);
    if (known !== undefined && !(known instanceof BrokenUnit)) return known;
    if (this.#making.has(id)) return undefined;
    this.#add(unit, before);
    try {
      await unit.resume();
    } catch (error) {
      this.#deps.log.warning(`Failed to restart worker ${id}: ${error}`, { unit_id: id });
    }
    return unit;
  }

  /** What somebody else made is no unit of ours: its job would run as ours. Told once. */
  async #warnOfForeign(id: string): Promise<void> {
    const problem = await this.#store.problemWith(id);
    if (problem === undefined || this.#foreign.has(id)) return;
    this.#foreign.add(id);
    this.#deps.log.warning(`Not taken for a work unit: ${printable(problem)}`);
  }

  #loaderOf(workType: string): UnitMaker {
    const type = this.#deps.types.get(workType);
    return type === undefined
      ? this.#deps.loadUnregistered
      : (ledger, deps) => type.load(ledger, deps);
  }

  #ledger(id: string, record: UnitRecord): UnitLedger {
    return new UnitLedger(this.#ledgerDeps, { id, record });
  }

  #add(unit: Unit, before: Readonly<UnitRecord> | undefined): void {
    const { id, record } = unit.ledger;
    this.#units.set(id, unit);
    this.#tellChange(unit, before, record);
  }

  #onChanged(ledger: UnitLedger, before: Readonly<UnitRecord>): void {
    const unit = this.#units.get(ledger.id);
    if (unit?.ledger === ledger) this.#tellChange(unit, before, ledger.record);
  }

  #onRemoved(ledger: UnitLedger): void {
    const unit = this.#units.get(ledger.id);
    if (unit?.ledger !== ledger) return;
    this.#units.delete(ledger.id);
    this.#leaving.add(unit);
    void unit.idle().then(() => this.#leaving.delete(unit));
    this.#observer.unitRemoved(eventOf(unit));
  }

  #tellChange(
    unit: Unit,
    before: Readonly<UnitRecord> | undefined,
    { State, Detail }: Readonly<UnitRecord>,
  ): void {
    if (before?.State === State && before.Detail === Detail) return;
    this.#observer.unitChanged({ ...eventOf(unit), before: before?.State });
  }
}

function eventOf({ ledger, remoteNode }: Unit): UnitEvent {
  const { State, Detail, WorkType } = ledger.record;
  return { id: ledger.id, workType: WorkType, state: State, detail: Detail, remoteNode };
}
