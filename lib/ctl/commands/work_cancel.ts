/** `receptorctl work cancel`: kills units. */
import type { Ctl } from "../ctl.ts";
import { operateOnUnits } from "../unit_operation.ts";

export async function workCancel(ctl: Ctl, options: { unitIds: string[] }): Promise<void> {
  if (options.unitIds.length === 0) {
    return await ctl.terminal.warning("No unit IDs supplied: Not doing anything");
  }
  await ctl.terminal.print("Cancelled:");
  await operateOnUnits(ctl, "cancel", options.unitIds);
}
