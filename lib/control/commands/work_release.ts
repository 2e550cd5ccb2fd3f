/** `work release <id>` and `work force-release <id>`: deletes a unit, cancelling it first. */
import type { CommandRun } from "../command.ts";
import { optionalString, stringMember } from "../json_fields.ts";
import type { WorkService } from "../work_service.ts";
import { onlyUnitId, type WorkSubcommand } from "./work_subcommand.ts";

/** `force` deletes here even when the node that runs the unit cannot be reached. */
export function workRelease(work: WorkService, { force }: { force: boolean }): WorkSubcommand {
  const release = (unitId: string, signature: string): CommandRun => async ({ caller }) => {
    const { pending } = await work.release(unitId, { caller, signature, force });
    return { [pending ? "release pending" : "released"]: unitId };
  };
  return {
    fromWords: (words) => release(onlyUnitId(force ? "force-release" : "release", words), ""),
    fromFields: (fields) =>
      release(stringMember(fields, "unitid"), optionalString(fields, "signature")),
  };
}
