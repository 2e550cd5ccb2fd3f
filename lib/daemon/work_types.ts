/** Turns a worker's action into the work type that it registers. */
import { workCommand } from "../config/actions/workers.ts";
import { commandWork } from "../workceptor/command/command_work_type.ts";
import type { Spawner } from "../workceptor/command/spawner.ts";
import type { WorkType } from "../workceptor/work_type.ts";
import { ActionHandlers } from "./action_handlers.ts";

export interface WorkTypeDeps {
  /** Folders with commands, separated by colons. */
  readonly searchPath: string;
  /** Starts the jobs' shells; Deno does if absent. */
  readonly spawner?: Spawner | undefined;
}

export interface NamedWorkType {
  readonly name: string;
  readonly type: WorkType;
}

export const workerActions = new ActionHandlers<WorkTypeDeps, NamedWorkType>()
  .on(workCommand, (values, { searchPath, spawner }) => ({
    name: values.worktype,
    type: commandWork({
      command: values.command,
      params: values.params ?? "",
      allowRuntimeParams: values.allowruntimeparams,
      verifySignature: values.verifysignature,
      cancelGraceMs: values.cancelgrace,
    }, { searchPath, spawner }),
  }));
