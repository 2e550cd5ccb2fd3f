/**
 * The one place where a unit's record changes: on disk first, one change after the other, then in
 * memory, then whoever waits is told.
 */
import type { Log } from "../base/log.ts";
import { ChangeNotifier } from "./change_notifier.ts";
import { encodeRecord, isComplete, stateName, type UnitRecord } from "./unit_record.ts";
import type { UnitStore } from "./unit_store.ts";

/** Given the record as it stands when the change's turn has come; `undefined` leaves it. */
export type RecordChange =
  | Partial<UnitRecord>
  | ((record: Readonly<UnitRecord>) => Partial<UnitRecord> | undefined);

export class UnitLedger {
  readonly id: string;
  readonly store: UnitStore;
  /** Fires when the record changed, the output grew, or the unit was removed. */
  readonly changes: ChangeNotifier = new ChangeNotifier();
  readonly #log: Log;
  readonly #onRemoved: (ledger: UnitLedger) => void;
  #record: UnitRecord;
  #removed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: {
    id: string;
    store: UnitStore;
    log: Log;
    record: UnitRecord;
    onRemoved: (ledger: UnitLedger) => void;
  }) {
    this.id = parts.id;
    this.store = parts.store;
    this.#log = parts.log;
    this.#record = parts.record;
    this.#onRemoved = parts.onRemoved;
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
   * Changes the record; resolves once that is on the disk and visible. Rejects, with the record
   * unchanged, when the disk refuses.
   */
  update(change: RecordChange): Promise<void> {
    return this.#afterOthers(() => this.#apply(change));
  }

  /**
   * Changes a record to what is a fact already, or a wish to be granted, whether or not the disk
   * takes it: a full disk must not make a finished job look unfinished.
   */
  settle(change: RecordChange): Promise<void> {
    return this.#afterOthers(async () => {
      try {
        await this.#apply(change);
      } catch (error) {
        this.#log.error(`Error updating status file of work unit ${this.id}: ${error}`, {
          unit_id: this.id,
        });
        this.#publish({ ...this.#record, ...changeOf(this.#record, change) });
      }
    });
  }

  /**
   * Takes over, as `revise` makes it, what another program wrote into the status file; a
   * half-written one is left.
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
   * Removes the unit: nobody sees it any more, and its files are deleted. Rejects, and may be called
   * again, when the disk refuses.
   */
  remove(): Promise<void> {
    return this.#afterOthers(async () => {
      if (this.#removed) return;
      const deleteFiles = await this.store.takeAway(this.id);
      this.forget();
      await deleteFiles().catch((error) => {
        this.#log.warning(`Files of removed work unit ${this.id} could not be deleted: ${error}`, {
          unit_id: this.id,
        });
      });
    });
  }

  /** The folder was removed by somebody else. */
  forget(): void {
    if (this.#removed) return;
    this.#removed = true;
    this.#onRemoved(this);
    this.changes.notify();
  }

  async #apply(change: RecordChange): Promise<void> {
    if (this.#removed) return;
    const changed = changeOf(this.#record, change);
    if (changed === undefined) return;
    const record = { ...this.#record, ...changed };
    await this.store.save(this.id, record);
    this.#publish(record);
  }

  #publish(record: UnitRecord): void {
    const before = this.#record;
    this.#record = record;
    if (before.State !== record.State) {
      this.#log.debug(
        `Work unit ${this.id}: ${stateName(before.State)} -> ${stateName(record.State)}`,
        { unit_id: this.id, detail: record.Detail },
      );
    }
    this.changes.notify();
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
