/**
 * The only place where a unit's record changes: one change after the other, first on disk, then in
 * memory; then those who wait are told.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { ChangeNotifier } from "./change_notifier.ts";
import { encodeRecord, isComplete, stateName, type UnitRecord } from "./unit_record.ts";
import type { UnitStore } from "./unit_store.ts";

/** Given the record as it is when the change's turn has come; `undefined` leaves it unchanged. */
export type RecordChange =
  | Partial<UnitRecord>
  | ((record: Readonly<UnitRecord>) => Partial<UnitRecord> | undefined);

/** How long after the disk refused a record to try again: twice as long each time. */
const FIRST_SAVE_DELAY_MS = 1_000;
const MAX_SAVE_DELAY_MS = 30_000;

export interface UnitLedgerDeps {
  readonly store: UnitStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each change, with the previous record. */
  readonly onChanged: (ledger: UnitLedger, before: Readonly<UnitRecord>) => void;
  /** The unit's folder is gone for good. */
  readonly onRemoved: (ledger: UnitLedger) => void;
}

export class UnitLedger implements AsyncDisposable {
  readonly id: string;
  readonly store: UnitStore;
  /** Fires when the record changed, the output grew, or the unit was removed. */
  readonly changes: ChangeNotifier = new ChangeNotifier();
  readonly #deps: UnitLedgerDeps;
  #record: UnitRecord;
  #removed = false;
  #last: Promise<unknown> = Promise.resolve();
  /** The disk has refused what memory holds. */
  #unsaved = false;
  #saveDelayMs = FIRST_SAVE_DELAY_MS;
  #nextSave: Disposable | undefined;
  #disposed = false;

  constructor(deps: UnitLedgerDeps, unit: { id: string; record: UnitRecord }) {
    this.id = unit.id;
    this.store = deps.store;
    this.#deps = deps;
    this.#record = unit.record;
  }

  get record(): Readonly<UnitRecord> {
    return this.#record;
  }

  get complete(): boolean {
    return isComplete(this.#record.State);
  }

  /** The unit's folder is gone for good. */
  get removed(): boolean {
    return this.#removed;
  }

  /**
   * Changes the record; resolves once the change is on the disk and visible. Rejects, with the
   * record unchanged, if the disk refuses.
   */
  update(change: RecordChange): Promise<void> {
    return this.#afterOthers(() => this.#apply(change));
  }

  /**
   * Records what is already a fact, or a wish to be granted, whether or not the disk accepts it: a
   * full disk must not make a finished job look unfinished. What the disk refuses is retried until
   * it succeeds.
   */
  settle(change: RecordChange): Promise<void> {
    return this.#afterOthers(async () => {
      try {
        await this.#apply(change);
      } catch (error) {
        this.#log("error", `Error updating status file of work unit ${this.id}: ${error}`);
        this.#unsaved = true;
        this.#publish({ ...this.#record, ...changeOf(this.#record, change) });
        this.#saveLater();
      }
    });
  }

  /**
   * Takes over what another program wrote into the status file, as changed by `revise`; a
   * half-written file is left alone.
   */
  reload(revise: (record: UnitRecord) => UnitRecord): Promise<void> {
    return this.#afterOthers(async () => {
      if (this.#removed) return;
      const loaded = await this.store.load(this.id).catch(() => undefined);
      const record = loaded && revise(loaded);
      if (record && encodeRecord(record) !== encodeRecord(this.#record)) this.#publish(record);
    });
  }

  /**
   * Takes a step that could bring a removed folder back, such as making a file in it: not in the
   * middle of a removal, nor after it, when this resolves to `undefined`.
   */
  unlessRemoved<T>(step: () => Promise<T>): Promise<T | undefined> {
    return this.#afterOthers(async () => this.#removed ? undefined : await step());
  }

  /**
   * Removes the unit: nobody sees it any more, and its files are deleted. Rejects, and may be
   * called again, if the disk refuses.
   */
  remove(): Promise<void> {
    return this.#afterOthers(async () => {
      if (this.#removed) return;
      const deleteFiles = await this.store.takeAway(this.id);
      this.forget();
      await deleteFiles().catch((error) => {
        this.#log(
          "warning",
          `Files of removed work unit ${this.id} could not be deleted: ${error}`,
        );
      });
    });
  }

  /** The folder was removed by somebody else. */
  forget(): void {
    if (this.#removed) return;
    this.#removed = true;
    this.#nextSave?.[Symbol.dispose]();
    this.#deps.onRemoved(this);
    this.changes.notify();
  }

  /** Resolves when all changes so far are done. */
  async idle(): Promise<void> {
    await this.#last;
  }

  /** Gives the disk a last chance to accept what it refused. No change may follow. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#nextSave?.[Symbol.dispose]();
    await this.#afterOthers(() => this.#saveAgain());
  }

  async #apply(change: RecordChange): Promise<void> {
    if (this.#removed) return;
    const changed = changeOf(this.#record, change);
    if (changed === undefined) return;
    const record = { ...this.#record, ...changed };
    await this.#save(record);
    this.#publish(record);
  }

  async #save(record: UnitRecord): Promise<void> {
    try {
      await this.store.save(this.id, record);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      // The unit goes on without its folder, and so must its record.
      this.#log("warning", `Folder of work unit ${this.id} was removed by somebody else`);
      await this.store.restore(this.id, record);
    }
    this.#unsaved = false;
    this.#saveDelayMs = FIRST_SAVE_DELAY_MS;
  }

  #saveLater(): void {
    if (this.#disposed || this.#removed) return;
    this.#nextSave?.[Symbol.dispose]();
    this.#nextSave = this.#deps.clock.after(this.#saveDelayMs, () => {
      void this.#afterOthers(() => this.#saveAgain());
    });
    this.#saveDelayMs = Math.min(2 * this.#saveDelayMs, MAX_SAVE_DELAY_MS);
  }

  async #saveAgain(): Promise<void> {
    if (!this.#unsaved || this.#removed) return;
    try {
      await this.#save(this.#record);
      this.#log("info", `Status file of work unit ${this.id} is up to date again`);
    } catch {
      this.#saveLater();
    }
  }

  #publish(record: UnitRecord): void {
    const before = this.#record;
    this.#record = record;
    if (before.State !== record.State) {
      this.#log(
        "debug",
        `Work unit ${this.id}: ${stateName(before.State)} -> ${stateName(record.State)}`,
        { detail: record.Detail },
      );
    }
    this.#deps.onChanged(this, before);
    this.changes.notify();
  }

  #log(level: "error" | "warning" | "info" | "debug", message: string, fields = {}): void {
    this.#deps.log[level](message, { unit_id: this.id, ...fields });
  }

  #afterOthers<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#last.then(step, step);
    this.#last = result.catch(() => {});
    return result;
  }
}

function changeOf(record: UnitRecord, change: RecordChange): Partial<UnitRecord> | undefined {
  return typeof change === "function" ? change(record) : change;
}
