/** `receptorctl version`: our version and the node's. */
import type { Ctl } from "../ctl.ts";

export async function version(
  { terminal, versions }: Ctl,
  options: { json: boolean },
): Promise<void> {
  if (options.json) return await terminal.printJson(versions);
  await terminal.print(`receptorctl  ${versions.receptorctl}`);
  await terminal.print(`receptor     ${versions.receptor}`);
}
