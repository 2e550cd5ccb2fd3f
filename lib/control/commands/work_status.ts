/** `work status <id>`: the status of one unit. */
import type { CommandRun } from "../command.ts";
import { stringMember } from "../json_fields.ts";
import type { WorkService } from "../work_service.ts";
import { onlyUnitId, type WorkSubcommand } from "./work_subcommand.ts";

export function workStatus(work: WorkService): WorkSubcommand {
  const status = (unitId: string): CommandRun => async () => ({ ...await work.status(unitId) });
  return {
    fromWords: (words) => status(onlyUnitId("status", words)),
    fromFields: (fields) => status(stringMember(fields, "unitid")),
  };
}
