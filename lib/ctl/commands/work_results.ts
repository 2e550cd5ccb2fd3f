/** `receptorctl work results`: a unit's output, to its end. */
import type { Ctl } from "../ctl.ts";
import { printResults } from "../print_results.ts";

export function workResults(ctl: Ctl, options: { unitId: string }): Promise<number> {
  return printResults(ctl, options.unitId);
}
