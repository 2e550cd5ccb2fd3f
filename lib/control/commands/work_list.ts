/** `work list [id]`: the status of all units, or of one, by id. */
import type { CommandRun } from "../command.ts";
import { member } from "../json_fields.ts";
import type { WorkService } from "../work_service.ts";
import { firstWords } from "../words.ts";
import type { WorkSubcommand } from "./work_subcommand.ts";

export function workList(work: WorkService): WorkSubcommand {
  const list = (unitId?: string): CommandRun => async () => {
    const units = Object.entries(await work.list(unitId));
    return Object.fromEntries(units.sort(([one], [other]) => one < other ? -1 : 1));
  };
  return {
    fromWords: (words) => list(firstWords(words, 1)[0]),
    fromFields(fields) {
      const unitId = member(fields, "unitid");
      return list(typeof unitId === "string" ? unitId : undefined);
    },
  };
}
