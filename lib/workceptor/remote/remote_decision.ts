/**
 * What to do next about a unit on another node: pure decisions over what is on record and what
 * the remote node says. They hold the promise that no unit runs twice, whichever side fails when:
 *
 * - the id there is on record before a submit is sent, so a submit of unknown outcome is asked for
 *   and not repeated;
 * - the end of the payload is on record before it is sent, so a payload that never had its end is
 *   known not to have run;
 * - an attempt that is given up is released there first, and the next one has another id, so a
 *   late rest of the first can start nothing.
 */
import { ControlProtocolError } from "../../control/client.ts";
import { UnitState } from "../../control/work_service.ts";
import { expirationTime, type StoredRemoteExtraData } from "./remote_extra_data.ts";
import { isComplete, type UnitRecord } from "../unit_record.ts";
import { details } from "../work_texts.ts";

export type RemoteStep =
  /** Nothing is left to be done. */
  | "rest"
  /** Send it, for the first time or anew. */
  | "submit"
  /** A submit has been sent, perhaps: ask what became of it. */
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
   * Wall-clock milliseconds at which the decision is made anew, even while the step is under way.
   * Absent: only when the step has ended or something was asked for.
   */
  readonly until?: number;
}

/** What is known besides the record, and lost in a restart. */
export interface RemoteMemory {
  /** No submit under the recorded id can have arrived: it may be sent. */
  readonly mayBeSent: boolean;
  /** The remote node has been told of the cancel. */
  readonly cancelPassed: boolean;
}

/**
 * The one place where a step and its deadline are decided. The deadline of a step lies ahead, so
 * that nothing is interrupted twice for the same reason.
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
    // An expired unit may have been sent after all; whatever has started is over there, too.
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

/** What a remote node says of a unit. */
export interface RemoteStatus {
  readonly State: UnitState;
  readonly Detail: string;
  readonly StdoutSize: number;
}

/** Of a remote node's words, as many characters as anybody reads. */
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
  /** It was taken in full: it runs, or ran, or failed there in its own right. */
  | "started"
  /** It waits for the rest of a payload that will not come; the remote may not know that yet. */
  | "waiting"
  /** It never ran and never will. */
  | "never ran";

/** What either daemon says of a unit whose payload is not complete. */
const WAITING: readonly string[] = ["Unit Created", details.waitingForInput];

/** Judges a submit of unknown outcome by the state of its unit there. */
export function judgeSubmission(
  status: RemoteStatus,
  payloadSent: boolean,
): SubmissionVerdict {
  const { State, Detail } = status;
  if (State === UnitState.Pending) return WAITING.includes(Detail) ? "waiting" : "started";
  if (State !== UnitState.Failed) return "started";
  if (isNeverRun(status)) return "never ran";
  // Go says this also of a unit that its runner had just started: then it may have run.
  if (Detail === details.pendingAtRestart && !payloadSent) return "never ran";
  return "started";
}

/**
 * Whether the remote node says that it had no complete payload: such a unit never ran. It may say so
 * of one that it had taken in full, when it died before the job was started.
 */
export function isNeverRun({ State, Detail }: RemoteStatus): boolean {
  return State === UnitState.Failed && Detail.startsWith(details.inputError);
}

/** Whether what we have of the output is all that the remote node says there is. */
export function isFetched(status: RemoteStatus, bytesHere: number): boolean {
  return isComplete(status.State) && bytesHere >= status.StdoutSize;
}
