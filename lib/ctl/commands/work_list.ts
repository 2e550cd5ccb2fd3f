/** `receptorctl work list`: units of this node, or of another one through this one. */
import type { Ctl } from "../ctl.ts";

interface WorkListOptions {
  quiet: boolean;
  node: string;
  unitId: string;
  tlsClient: string;
}

export async function workList(ctl: Ctl, options: WorkListOptions): Promise<void> {
  const { node, terminal, signal } = ctl;
  if (options.node !== "") {
    await (await node.client()).connectControl(options.node, options.tlsClient, { signal });
  }
  const units = await node.command(`work list${options.unitId && ` ${options.unitId}`}`);
  if (!options.quiet) return await terminal.printJson(units);
  for (const unitId of Object.keys(units)) await terminal.print(unitId);
}
