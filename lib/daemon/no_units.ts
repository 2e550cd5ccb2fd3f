/** The work service of a node that keeps no units, because another node has its data folder. */
import { ControlError } from "../control/control_error.ts";
import type { WorkService } from "../control/work_service.ts";
import { isUnitFolderName } from "../workceptor/unit_id.ts";
import { refusals } from "../workceptor/work_texts.ts";

/** Refuses all work for `reason`; there is no unit to ask about. */
export function noUnits(reason: string): WorkService {
  const unknown = (unitId: string) =>
    Promise.reject(new ControlError(refusals.unknownUnit(unitId)));
  return {
    submit: () => Promise.reject(new ControlError(`this node takes no work: ${reason}`)),
    list: (unitId) => unitId === undefined ? Promise.resolve({}) : unknown(unitId),
    status: unknown,
    cancel: unknown,
    release: unknown,
    results: unknown,
  };
}

/** Whether a node's data folder has the folder of a unit. */
export async function holdsUnits(folder: string): Promise<boolean> {
  for await (const { isDirectory, name } of Deno.readDir(folder)) {
    if (isDirectory && isUnitFolderName(name)) return true;
  }
  return false;
}
