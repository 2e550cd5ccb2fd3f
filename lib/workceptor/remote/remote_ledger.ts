/** The record of a unit on another node, read and changed by what is special to such units. */
import { UnitState } from "../../control/work_service.ts";
import { readRemoteExtraData, type StoredRemoteExtraData } from "./remote_extra_data.ts";
import type { UnitLedger } from "../unit_ledger.ts";

export class RemoteLedger {
  constructor(readonly unit: UnitLedger) {}

  get extra(): StoredRemoteExtraData {
    return readRemoteExtraData(this.unit.record.ExtraData);
  }

  /** Puts on record what the next network step relies on; rejects when the disk refuses. */
  update(changed: Partial<StoredRemoteExtraData>): Promise<void> {
    return this.unit.update(() => ({ ExtraData: { ...this.extra, ...changed } }));
  }

  /** Notes what a user asked for; it is done even if the disk does not take the note. */
  wish(changed: Partial<StoredRemoteExtraData>): Promise<void> {
    return this.unit.settle(() => ({ ExtraData: { ...this.extra, ...changed } }));
  }

  /** The next attempt goes out under another id, as if none had been made. */
  replaceId(RemoteUnitID: string): Promise<void> {
    return this.unit.update(() => {
      const { PayloadSent: _, ...rest } = this.extra;
      return { ExtraData: { ...rest, RemoteUnitID } };
    });
  }

  async fail(Detail: string): Promise<void> {
    const StdoutSize = await this.stdoutSize();
    await this.unit.settle({ State: UnitState.Failed, Detail, StdoutSize });
  }

  /** Bytes of output that are here. */
  stdoutSize(): Promise<number> {
    return this.unit.store.stdoutSize(this.unit.id);
  }
}
