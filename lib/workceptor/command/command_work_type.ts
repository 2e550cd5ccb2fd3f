/** Commands on this node as a type of work. */
import type { Unit, UnitDeps } from "../unit.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import type { WorkType } from "../work_type.ts";
import { type CommandWorkType, newCommandExtraData } from "./command_record.ts";
import { CommandUnit } from "./command_unit.ts";

export interface CommandWorkOptions {
  /** Folders with commands, colon-separated; the jobs themselves get this process' environment. */
  readonly searchPath: string;
}

/** What a `work-command` action configures, as a type of work. */
export function commandWork(type: CommandWorkType, { searchPath }: CommandWorkOptions): WorkType {
  const create = (ledger: UnitLedger, deps: UnitDeps): Unit =>
    new CommandUnit({ ...deps, searchPath, workType: type }, ledger);
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
  return new CommandUnit({ ...deps, searchPath: "", workType: undefined }, ledger);
}
