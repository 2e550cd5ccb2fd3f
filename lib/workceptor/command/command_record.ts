/** What a `work-command` action configures, and what a unit of it keeps on record. */
import { ControlError } from "../../control/control_error.ts";
import { UnitState } from "../../control/work_service.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import { isComplete, type UnitRecord } from "../unit_record.ts";
import { details, refusals } from "../work_texts.ts";

/** What a `work-command` action says. */
export interface CommandWorkType {
  readonly command: string;
  /** Fixed parameters, in front of the user's; split as a shell would. */
  readonly params?: string | undefined;
  /** Whether a submission may bring its own `params`. */
  readonly allowRuntimeParams?: boolean | undefined;
  /** Whether commands that do not come over the Unix socket must be signed. */
  readonly verifySignature?: boolean | undefined;
  /** How long a cancelled job may take to end by itself: milliseconds. */
  readonly cancelGraceMs?: number | undefined;
}

/** As in the original, where it is fixed. */
export const DEFAULT_CANCEL_GRACE_MS = 10_000;

/** `ExtraData` on disk. The original knows the first two and ignores the others. */
export interface CommandExtraData {
  /** The supervisor's pid. */
  readonly Pid: number;
  readonly Params: string;
  readonly CancelRequested?: boolean;
  readonly ReleaseRequested?: boolean;
}

/** What the user has asked to happen to a running job, for a later daemon. */
export type Wish = "cancel" | "release";

/**
 * `ExtraData` of a new unit. Throws a `ControlError` if there are parameters from the user and the
 * work type takes none.
 */
export function newCommandExtraData(
  type: CommandWorkType,
  params: Record<string, string>,
): CommandExtraData {
  const own = params.params ?? "";
  if (own !== "" && !type.allowRuntimeParams) throw new ControlError(refusals.runtimeParams);
  return { Pid: 0, Params: [type.params ?? "", own].filter((part) => part !== "").join(" ") };
}

/** Reads `ExtraData` as either daemon writes it; malformed fields count as absent. */
export function commandExtraData({ ExtraData }: Readonly<UnitRecord>): CommandExtraData {
  const extra = typeof ExtraData === "object" && ExtraData !== null ? ExtraData : {};
  const { Pid, Params, CancelRequested, ReleaseRequested } = extra as Record<string, unknown>;
  return {
    Pid: Number.isSafeInteger(Pid) ? Pid as number : 0,
    Params: typeof Params === "string" ? Params : "",
    ...(CancelRequested === true ? { CancelRequested } : {}),
    ...(ReleaseRequested === true ? { ReleaseRequested } : {}),
  };
}

export function wishOf(record: Readonly<UnitRecord>): Wish | undefined {
  const { CancelRequested, ReleaseRequested } = commandExtraData(record);
  return ReleaseRequested ? "release" : CancelRequested ? "cancel" : undefined;
}

export function recordWish(ledger: UnitLedger, wish: Wish): Promise<void> {
  return ledger.settle((record) =>
    isComplete(record.State) ? undefined : {
      ExtraData: {
        ...commandExtraData(record),
        CancelRequested: true,
        ...(wish === "release" ? { ReleaseRequested: true } : {}),
      },
    }
  );
}

/** The command runs as `pid`, under a supervisor. */
export function recordRunning(
  ledger: UnitLedger,
  { pid, supervisor }: { pid: number; supervisor: number },
): Promise<void> {
  return ledger.settle((record) =>
    record.State !== UnitState.Pending ? undefined : {
      State: UnitState.Running,
      Detail: details.running(pid),
      ExtraData: { ...commandExtraData(record), Pid: supervisor },
    }
  );
}

/** The final entry of a unit. It says so if the output of a job was removed while it ran. */
export async function recordEnd(
  ledger: UnitLedger,
  end: Pick<UnitRecord, "State" | "Detail">,
): Promise<void> {
  const size = await ledger.store.stdoutSize(ledger.id);
  const isLost = size === undefined && hasOutputFile(ledger.record);
  const Detail = isLost ? details.outputLost(end.Detail) : end.Detail;
  await ledger.settle({ State: end.State, Detail, StdoutSize: size ?? 0, ExtraData: null });
}

/**
 * Whether a command's unit must have a `stdout`, which is there before the job is, even if nothing
 * is ever written to it. One that failed or was cancelled may never have had a job.
 */
export function hasOutputFile({ State }: Readonly<UnitRecord>): boolean {
  return State === UnitState.Running || State === UnitState.Succeeded;
}
