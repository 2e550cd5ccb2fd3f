/** The record of a unit on another node, with access to what is special to such units. */
import { UnitState } from "../../control/work_service.ts";
import { readRemoteExtraData, type StoredRemoteExtraData } from "./remote_extra_data.ts";
import type { UnitLedger } from "../unit_ledger.ts";

export class RemoteLedger {
  constructor(readonly unit: UnitLedger) {}

  get extra(): StoredRemoteExtraData {
    return readRemoteExtraData(this.unit.record.ExtraData);
  }

  /** Records what the next network step relies on; rejects if the disk refuses. */
  update(changed: Partial<StoredRemoteExtraData>): Promise<void> {
    return this.unit.update(() => ({ ExtraData: { ...this.extra, ...changed } }));
  }

  /** Notes what a user asked for; it is done even if the disk does not accept the note. */
  wish(changed: Partial<StoredRemoteExtraData>): Promise<void> {
    return this.unit.settle(() => ({ ExtraData: { ...this.extra, ...changed } }));
  }

  /** The next attempt uses another id, as if none had been made. */
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

  /** Bytes of output on this node. */
  async stdoutSize(): Promise<number> {
    return await this.unit.store.stdoutSize(this.unit.id) ?? 0;
  }
}
