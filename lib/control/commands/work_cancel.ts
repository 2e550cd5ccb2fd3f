/** `work cancel <id>`: kills a unit, here or where it runs. */
import type { CommandRun } from "../command.ts";
import { optionalString, stringMember } from "../json_fields.ts";
import type { WorkService } from "../work_service.ts";
import { onlyUnitId, type WorkSubcommand } from "./work_subcommand.ts";

export function workCancel(work: WorkService): WorkSubcommand {
  const cancel = (unitId: string, signature: string): CommandRun => async ({ caller }) => {
    const { pending } = await work.cancel(unitId, { caller, signature });
    return { [pending ? "cancel pending" : "cancelled"]: unitId };
  };
  return {
    fromWords: (words) => cancel(onlyUnitId("cancel", words), ""),
    fromFields: (fields) =>
      cancel(stringMember(fields, "unitid"), optionalString(fields, "signature")),
  };
}
