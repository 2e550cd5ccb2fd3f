/** Commands on this node as a type of work. */
import type { Unit, UnitDeps } from "../unit.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import type { WorkType } from "../work_type.ts";
import { type CommandWorkType, newCommandExtraData } from "./command_record.ts";
import { CommandUnit } from "./command_unit.ts";
import { ExecutableCheck } from "./executable_check.ts";
import { denoSpawner, type Spawner } from "./spawner.ts";

export interface CommandWorkOptions {
  /** Folders with commands, colon-separated; the jobs themselves get this process' environment. */
  readonly searchPath: string;
  /** Starts the jobs' shells; Deno does by default. */
  readonly spawner?: Spawner | undefined;
}

/** What a `work-command` action configures, as a type of work. */
export function commandWork(
  type: CommandWorkType,
  { searchPath, spawner = denoSpawner }: CommandWorkOptions,
): WorkType {
  const executable = new ExecutableCheck(type.command, searchPath);
  const create = (ledger: UnitLedger, deps: UnitDeps): Unit =>
    new CommandUnit({ ...deps, executable, spawner, workType: type }, ledger);
  return {
    runs: "here",
    requiresSignature: () => type.verifySignature === true,
    prepare: ({ params }) => ({ extraData: newCommandExtraData(type, params), create }),
    load: create,
  };
}

/**
 * Takes a unit found on disk whose work type is not registered: a running command is followed to
 * its end, anything else stays as it was.
 */
export function loadUnregistered(ledger: UnitLedger, deps: UnitDeps): Unit {
  const nothingToStart = { executable: new ExecutableCheck("", ""), spawner: denoSpawner };
  return new CommandUnit({ ...deps, ...nothingToStart, workType: undefined }, ledger);
}
