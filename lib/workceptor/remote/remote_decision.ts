/**
 * What to do next about a unit on another node: pure decisions based on the record and on what the
 * remote node says. They guarantee that no unit runs twice, whichever side fails when:
 *
 * - the id there is on record before a submission is sent, so a submission of unknown outcome is
 *   inquired about, not repeated;
 * - that the payload ends is on record before its end is sent, so a payload without an end is known
 *   not to have run;
 * - an attempt that is given up is first released there, and the next one has another id, so late
 *   remains of the first cannot start anything.
 */
import { ControlProtocolError } from "../../control/client.ts";
import { UnitState } from "../../control/work_service.ts";
import { expirationTime, type StoredRemoteExtraData } from "./remote_extra_data.ts";
import { isComplete, type UnitRecord } from "../unit_record.ts";
import { details } from "../work_texts.ts";

export type RemoteStep =
  /** Nothing is left to do. */
  | "rest"
  /** Send it, for the first time or again. */
  | "submit"
  /** It may have been submitted: ask what became of it. */
  | "inquire"
  /** Fetch output and state until complete. */
  | "follow"
  /** Pass the cancel on. */
  | "cancel"
  /** Pass the release on, then delete. */
  | "release"
  /** Nothing was ever sent: delete. */
  | "delete"
  /** Nothing was ever sent: fail as cancelled. */
  | "drop"
  /** It was not started in time. */
  | "expire";

export interface RemoteDecision {
  readonly step: RemoteStep;
  /**
   * Wall-clock milliseconds at which to decide again, even while the step is under way. If absent,
   * only when the step has ended or something is requested.
   */
  readonly until?: number;
}

/** What is known beyond the record, and lost in a restart. */
export interface RemoteMemory {
  /** No submission under the recorded id can have arrived, so it may be sent. */
  readonly mayBeSent: boolean;
  /** The remote node has been told of the cancel. */
  readonly cancelPassed: boolean;
}

/**
 * The only place where a step and its deadline are decided. The deadline of a step is always in the
 * future, so that nothing is interrupted twice for the same reason.
 */
export function nextStep(
  record: Pick<UnitRecord, "State">,
  extra: StoredRemoteExtraData,
  memory: RemoteMemory,
  nowMs: number,
): RemoteDecision {
  const neverSent = extra.RemoteUnitID === "";
  if (extra.LocalReleased) return { step: neverSent ? "delete" : "release" };
  const cancelDue = extra.LocalCancelled && !memory.cancelPassed && !neverSent;
  if (isComplete(record.State)) {
    // An expired unit may have been sent after all; whatever has started ends there too.
    return { step: cancelDue && !extra.RemoteStarted ? "cancel" : "rest" };
  }
  if (extra.RemoteStarted) return { step: cancelDue ? "cancel" : "follow" };
  if (extra.LocalCancelled && neverSent) return { step: "drop" };
  const until = expirationTime(extra) ?? Infinity;
  if (nowMs >= until) return { step: "expire" };
  const step = cancelDue
    ? "cancel"
    : extra.LocalCancelled
    ? "follow"
    : neverSent || memory.mayBeSent
    ? "submit"
    : "inquire";
  return until === Infinity ? { step } : { step, until };
}

/** What a remote node says about a unit. */
export interface RemoteStatus {
  readonly State: UnitState;
  readonly Detail: string;
  readonly StdoutSize: number;
}

/** How many characters of a remote node's text to keep: as many as anybody reads. */
const MAX_DETAIL_LENGTH = 16_384;

/** Throws a `ControlProtocolError` for a reply that is not a status. */
export function readRemoteStatus(reply: Record<string, unknown>): RemoteStatus {
  const { State, Detail, StdoutSize } = reply;
  if (
    !Object.values(UnitState).includes(State as UnitState) || typeof Detail !== "string" ||
    !Number.isSafeInteger(StdoutSize) || (StdoutSize as number) < 0
  ) {
    throw new ControlProtocolError(
      `expected the status of a unit, got ${JSON.stringify(reply).slice(0, 200)}`,
    );
  }
  return {
    State: State as UnitState,
    Detail: Detail.slice(0, MAX_DETAIL_LENGTH),
    StdoutSize: StdoutSize as number,
  };
}

export type SubmissionVerdict =
  /** It was taken completely: it runs, or ran, or failed there for reasons of its own. */
  | "started"
  /**
   * It waits for the rest of a payload that will not come; the remote node may not know that yet.
   */
  | "waiting"
  /** It never ran and never will. */
  | "never ran";

/** What either daemon says about a unit whose payload is not complete. */
const WAITING: readonly string[] = ["Unit Created", details.waitingForInput];

/** Judges a submission of unknown outcome by the state of its unit there. */
export function judgeSubmission(
  status: RemoteStatus,
  payloadSent: boolean,
): SubmissionVerdict {
  const { State, Detail } = status;
  if (State === UnitState.Pending) return WAITING.includes(Detail) ? "waiting" : "started";
  if (State !== UnitState.Failed) return "started";
  if (isNeverRun(status)) return "never ran";
  // Go also says this about a unit that its runner had just started, so it may have run.
  if (Detail === details.pendingAtRestart && !payloadSent) return "never ran";
  return "started";
}

/**
 * Whether the remote node says that it had no complete payload: such a unit never ran. It may even
 * say so about one that it had taken completely, if it died before the job was started.
 */
export function isNeverRun({ State, Detail }: RemoteStatus): boolean {
  return State === UnitState.Failed && Detail.startsWith(details.inputError);
}

/** Whether we have all the output that the remote node says there is. */
export function isFetched(status: RemoteStatus, bytesHere: number): boolean {
  return isComplete(status.State) && bytesHere >= status.StdoutSize;
}
