/** A unit of work as the node's commands see it, whatever runs it. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { OutputSource } from "./read_output.ts";
import type { FileWatcher } from "./file_watcher.ts";

/** What the reply to a submission says about the unit. */
export type StartReply = "Job Started" | "Job Submitted";

export interface Unit extends OutputSource, AsyncDisposable {
  /** `ExtraData` as clients see it: without secrets and our own private members. */
  readonly extraData: unknown;
  /** The node it runs on, if that is another one. */
  readonly remoteNode?: string | undefined;
  /** Whether the submitter asked for a signature on what is sent about this unit. */
  readonly signWork: boolean;
  /** Starts the unit, whose payload is complete. Throws a `ControlError` if that is refused. */
  start(): Promise<StartReply>;
  /** The payload will never be complete: the unit fails with `reason` as its detail. */
  abandon(reason: string): Promise<void>;
  /** Resumes a unit found on disk where an earlier daemon left it. */
  resume(): Promise<void>;
  /** Resolves soon, whatever the job or a remote node does; `pending` if it is not done yet. */
  cancel(): Promise<{ pending: boolean }>;
  /** Resolves when nothing is under way for this unit; a released job may take a while to die. */
  idle(): Promise<void>;
  /** As `cancel`, then deletes the unit's folder. */
  release(options: { force: boolean }): Promise<{ pending: boolean }>;
}

/** What every unit is given. */
export interface UnitDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly watcher: FileWatcher;
}
