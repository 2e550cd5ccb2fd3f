/**
 * The phases of a command's unit, and what each event leads to: pure decisions, which `CommandUnit`
 * carries out. They guarantee that:
 *
 * - nothing is started for a unit that was cancelled, released or given up before;
 * - the final entry of a unit is made once, and only when none of its job's processes runs that
 *   should not: a job that ends by itself may leave a daemon behind, but one that is stopped, or
 *   whose end nobody saw, leaves nothing that can be found and killed;
 * - whatever order events come in, a cancel is never undone and a release never forgotten.
 */
import { UnitState } from "../../control/work_service.ts";
import type { UnitRecord } from "../unit_record.ts";
import { details } from "../work_texts.ts";
import type { Wish } from "./command_record.ts";
import type { JobOutcome } from "./job.ts";

/** The final entry of a unit. */
export type UnitEnd = Pick<UnitRecord, "State" | "Detail">;

/** `Job` is whatever stands for the job; nothing here looks into it. */
export type CommandPhase<Job> =
  /** For the rest of the payload, or for the unit found on disk to be resumed. */
  | { readonly is: "waiting" }
  /** The payload is complete, and there is no process yet. */
  | { readonly is: "starting" }
  | { readonly is: "running"; readonly job: Job }
  /** The job's processes are being ended; then `end` is due, and perhaps the removal. */
  | {
    readonly is: "stopping";
    readonly job: Job;
    readonly end: UnitEnd;
    readonly thenRemove: boolean;
  }
  /** The final entry is made, or about to be. */
  | { readonly is: "over"; readonly started: boolean }
  /** Its work type is not registered and no job of it was found: left as it is. */
  | { readonly is: "unknown" };

export type CommandEvent<Job> =
  | { readonly is: "start" }
  /** The job was not, and will not be, started. */
  | { readonly is: "not started"; readonly reason: string }
  /** The rest of the payload will not come. */
  | { readonly is: "abandoned"; readonly reason: string }
  | { readonly is: "started"; readonly job: Job }
  /** A job that an earlier daemon started, and that somebody may have asked to end. */
  | {
    readonly is: "found";
    readonly job: Job;
    readonly wish: Wish | undefined;
    /** Its end, if that is known already. */
    readonly outcome?: JobOutcome | undefined;
  }
  /** The unit was complete when it was found. */
  | { readonly is: "found complete" }
  | { readonly is: "found unknown" }
  /** The command has ended. */
  | { readonly is: "ended"; readonly outcome: JobOutcome }
  /** The job's processes are gone, except for these that could not be ended. */
  | { readonly is: "stopped"; readonly left: readonly { pid: number; name: string }[] }
  | { readonly is: "wish"; readonly wish: Wish }
  /** A release that waits for nothing. */
  | { readonly is: "forced release" };

export type CommandStep<Job> =
  /** Put the wish on disk, for a later daemon. */
  | { readonly do: "record wish"; readonly wish: Wish }
  /** Wait for the job's end. */
  | { readonly do: "follow"; readonly job: Job }
  /** End the job's processes: politely, unless "insist" follows. */
  | { readonly do: "stop"; readonly job: Job }
  /** No more time for the job that is being stopped. */
  | { readonly do: "insist" }
  /** Make the final entry. */
  | { readonly do: "end"; readonly end: UnitEnd }
  /** Delete the unit's folder. */
  | { readonly do: "remove" };

export interface Transition<Job> {
  readonly phase: CommandPhase<Job>;
  /** To be taken in this order. */
  readonly steps: readonly CommandStep<Job>[];
}

const CANCELED: UnitEnd = { State: UnitState.Canceled, Detail: details.canceled };

/** What an event leads to; one that has no meaning in this phase changes nothing. */
export function transition<Job>(
  phase: CommandPhase<Job>,
  event: CommandEvent<Job>,
): Transition<Job> {
  const unchanged = { phase, steps: [] };
  switch (phase.is) {
    case "waiting":
    case "starting":
      return beforeTheJob(phase, event);
    case "running":
      return whileItRuns(phase, event);
    case "stopping":
      return whileItIsStopped(phase, event);
    case "over":
    case "unknown":
      return unchanged;
  }
}

function beforeTheJob<Job>(
  phase: CommandPhase<Job> & { is: "waiting" | "starting" },
  event: CommandEvent<Job>,
): Transition<Job> {
  const waiting = phase.is === "waiting";
  const started = !waiting;
  const over = (end: UnitEnd): Transition<Job> => ({
    phase: { is: "over", started },
    steps: [{ do: "end", end }],
  });
  switch (event.is) {
    case "start":
      return { phase: { is: "starting" }, steps: [] };
    case "abandoned":
      return waiting ? over(failed(event.reason)) : { phase, steps: [] };
    case "not started":
      return over(failed(event.reason));
    case "started": {
      const { job } = event;
      return { phase: { is: "running", job }, steps: [{ do: "follow", job }] };
    }
    case "found": {
      const { job, wish, outcome } = event;
      const running = { is: "running", job } as const;
      if (wish !== undefined) return stopping(running, { thenRemove: wish === "release" });
      if (outcome !== undefined) return whileItRuns<Job>(running, { is: "ended", outcome });
      return { phase: running, steps: [{ do: "follow", job }] };
    }
    case "found complete":
      return { phase: { is: "over", started: true }, steps: [] };
    case "found unknown":
      return { phase: { is: "unknown" }, steps: [] };
    case "wish":
    case "forced release":
      // A start that is under way sees this before it spawns.
      return { phase: { is: "over", started: false }, steps: [{ do: "end", end: CANCELED }] };
    case "ended":
    case "stopped":
      return { phase, steps: [] };
  }
}

function whileItRuns<Job>(
  phase: CommandPhase<Job> & { is: "running" },
  event: CommandEvent<Job>,
): Transition<Job> {
  switch (event.is) {
    case "ended": {
      const { State, Detail, unseen } = event.outcome;
      const end = { State, Detail };
      if (unseen) return stopping(phase, { end });
      return { phase: { is: "over", started: true }, steps: [{ do: "end", end }] };
    }
    case "wish": {
      const { wish } = event;
      const { phase: next, steps } = stopping(phase, { thenRemove: wish === "release" });
      return { phase: next, steps: [{ do: "record wish", wish }, ...steps] };
    }
    case "forced release": {
      const { phase: next, steps } = stopping(phase, {});
      return { phase: next, steps: [...steps, { do: "insist" }] };
    }
    default:
      return { phase, steps: [] };
  }
}

function stopping<Job>(
  { job }: CommandPhase<Job> & { is: "running" },
  { end = CANCELED, thenRemove = false }: { end?: UnitEnd; thenRemove?: boolean },
): Transition<Job> {
  return {
    phase: { is: "stopping", job, end, thenRemove },
    steps: [{ do: "stop", job }],
  };
}

function whileItIsStopped<Job>(
  phase: CommandPhase<Job> & { is: "stopping" },
  event: CommandEvent<Job>,
): Transition<Job> {
  switch (event.is) {
    case "stopped": {
      const { State, Detail } = phase.end;
      const end = { State, Detail: Detail + namesOf(event.left) };
      return {
        phase: { is: "over", started: true },
        steps: [{ do: "end", end }, ...phase.thenRemove ? [{ do: "remove" } as const] : []],
      };
    }
    case "wish": {
      const { wish } = event;
      const thenRemove = phase.thenRemove || wish === "release";
      const isCancelled = phase.end.State === UnitState.Canceled;
      if (isCancelled && thenRemove === phase.thenRemove) return { phase, steps: [] };
      return {
        phase: { ...phase, end: CANCELED, thenRemove },
        steps: [{ do: "record wish", wish }],
      };
    }
    case "forced release":
      return { phase, steps: [{ do: "insist" }] };
    default:
      return { phase, steps: [] };
  }
}

function failed(Detail: string): UnitEnd {
  return { State: UnitState.Failed, Detail };
}

/** How many processes to name: as many as anybody wants to read. */
const MAX_NAMED = 10;

function namesOf(left: readonly { pid: number; name: string }[]): string {
  if (left.length === 0) return "";
  const named = left.slice(0, MAX_NAMED).map(({ pid, name }) => `${pid} (${name})`);
  if (left.length > MAX_NAMED) named.push(`and ${left.length - MAX_NAMED} more`);
  return details.notStopped(named.join(", "));
}
