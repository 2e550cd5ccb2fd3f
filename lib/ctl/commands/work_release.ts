/** `receptorctl work release`: deletes units. */
import type { Ctl } from "../ctl.ts";
import { operateOnUnits } from "../unit_operation.ts";

interface WorkReleaseOptions {
  force: boolean;
  all: boolean;
  unitIds: string[];
}

export async function workRelease(ctl: Ctl, options: WorkReleaseOptions): Promise<void> {
  if (options.unitIds.length === 0 && !options.all) {
    return await ctl.terminal.warning("No unit IDs supplied: Not doing anything");
  }
  await ctl.terminal.print("Released:");
  const unitIds = options.all ? Object.keys(await ctl.node.command("work list")) : options.unitIds;
  await operateOnUnits(ctl, options.force ? "force-release" : "release", unitIds);
}
