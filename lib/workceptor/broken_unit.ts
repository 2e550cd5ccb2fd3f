/**
 * A unit on disk whose status cannot be read: cut off by a crash, damaged, or still being copied.
 * Its files are left as they are; its output can be read, and it can be released.
 */
import { messageOf } from "../base/error_message.ts";
import type { StartReply, Unit } from "./unit.ts";
import type { UnitLedger } from "./unit_ledger.ts";
import { UnitState } from "../control/work_service.ts";
import type { UnitRecord } from "./unit_record.ts";
import { details, UNKNOWN_WORK_TYPE } from "./work_texts.ts";

/** What is shown of such a unit; it is never written to disk. */
export function brokenRecord(problem: unknown): UnitRecord {
  const Detail = problem instanceof Deno.errors.NotFound
    ? details.noStatus
    : details.failedToRestart(messageOf(problem));
  return {
    State: UnitState.Failed,
    Detail,
    StdoutSize: 0,
    WorkType: "",
    ExtraData: UNKNOWN_WORK_TYPE,
  };
}

export class BrokenUnit implements Unit {
  readonly extraData = UNKNOWN_WORK_TYPE;
  readonly signWork = false;
  readonly outputDue = false;

  constructor(readonly ledger: UnitLedger) {}

  watchOutput(): Disposable {
    return { [Symbol.dispose]() {} };
  }

  start(): Promise<StartReply> {
    return Promise.reject(new TypeError("a unit found on disk is resumed, not started"));
  }

  abandon(): Promise<void> {
    return Promise.resolve();
  }

  resume(): Promise<void> {
    return Promise.resolve();
  }

  cancel(): Promise<{ pending: boolean }> {
    return Promise.resolve({ pending: false });
  }

  async release(): Promise<{ pending: boolean }> {
    await this.ledger.remove();
    return { pending: false };
  }

  idle(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
