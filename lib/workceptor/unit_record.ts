/**
 * What is known about a unit of work, as stored in the unit's `status` file: one line of JSON with
 * the original's members in the original's order, so that either daemon reads the other's.
 */
import { UnitState } from "../control/work_service.ts";

export interface UnitRecord {
  State: UnitState;
  Detail: string;
  /**
   * Bytes of output when the record was written; while a unit runs, the output file itself is more
   * accurate.
   */
  StdoutSize: number;
  WorkType: string;
  ExtraData: unknown;
}

const STATE_NAMES = ["Pending", "Running", "Succeeded", "Failed", "Canceled"] as const;

export function stateName(state: UnitState): string {
  return STATE_NAMES[state];
}

/** Whether a unit in this state has ended for good. */
export function isComplete(state: UnitState): boolean {
  return state >= UnitState.Succeeded;
}

export function encodeRecord(record: UnitRecord): string {
  const { State, Detail, StdoutSize, WorkType, ExtraData } = record;
  return JSON.stringify({ State, Detail, StdoutSize, WorkType, ExtraData }) + "\n";
}

/**
 * Reads a `status` file. As in the original, an absent member reads as its zero value; anything
 * else that is not a record throws a `SyntaxError` that says what is wrong.
 */
export function decodeRecord(text: string): UnitRecord {
  if (text.trim() === "") throw new SyntaxError("unexpected end of JSON input");
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError("status is not a JSON object");
  }
  const members = value as Record<string, unknown>;
  const state = member(members, "State", 0);
  if (!Number.isInteger(state) || state < 0 || state >= STATE_NAMES.length) {
    throw new SyntaxError(`State must be a number from 0 to 4, got ${state}`);
  }
  return {
    State: state as UnitState,
    Detail: member(members, "Detail", ""),
    StdoutSize: member(members, "StdoutSize", 0),
    WorkType: member(members, "WorkType", ""),
    ExtraData: members.ExtraData ?? null,
  };
}

function member<T extends string | number>(
  members: Record<string, unknown>,
  name: string,
  absent: T,
): T extends string ? string : number {
  const value = members[name] ?? absent;
  if (typeof value !== typeof absent) {
    throw new SyntaxError(`${name} must be a ${typeof absent}, got ${JSON.stringify(value)}`);
  }
  return value as T extends string ? string : number;
}
