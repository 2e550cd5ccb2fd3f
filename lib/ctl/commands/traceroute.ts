/** `receptorctl traceroute`: the hops on the way to a node. */
import type { Ctl } from "../ctl.ts";

type Hop = { From: string; TimeStr: string; Error?: string };

export async function traceroute(
  { node, terminal }: Ctl,
  options: { node: string; json: boolean },
): Promise<void> {
  const reply = await node.command(`traceroute ${options.node}`);
  if (options.json) return await terminal.printJson(reply);
  const hops = Object.entries(reply as Record<string, Hop>)
    .sort(([one], [other]) => Number(one) - Number(other));
  for (const [number, { From, TimeStr, Error: problem }] of hops) {
    if (problem === undefined) await terminal.print(`${number}: ${From} in ${TimeStr}`);
    else await terminal.error(`${number}: Error ${problem} from ${From} in ${TimeStr}`);
  }
}
