/** `work list` on a node with many finished units. */
import { eventually } from "../../tests/support/eventually.ts";
import { copyUnit } from "../copy_units.ts";
import { ECHO, submitAndRead } from "../jobs.ts";
import { NodeClient } from "../node_client.ts";
import { startNode } from "../nodes.ts";
import { over, type Row, type Scale } from "../row.ts";
import { percentile } from "../statistics.ts";
import { timed } from "../timed.ts";

const LISTS = 10;

export function workList(full: number): (scale: Scale) => Row {
  return (scale) => {
    const units = scale.pick(full, Math.ceil(full / 10));
    return {
      name: `work-list-${full}`,
      title: `\`work list\` of ${units.toLocaleString("en")} units`,
      figures: [{ key: "p50", label: "p50", unit: "ms", better: "lower" }],
      runs: 3,
      timeoutMs: 120_000,
      async setUp(kind, signal) {
        await using stack = new AsyncDisposableStack();
        const node = stack.use(await startNode(kind, [ECHO]));
        const client = new NodeClient(node, signal);
        const unitId = await submitAndRead(client, { node: "solo", workType: "echo" });
        await node.waitForUnit(unitId);
        await node.stop();
        await copyUnit(unitId, units - 1, [node]);
        await node.restart();
        // The Go daemon answers while it is still reading them.
        await eventually(async () => await countListed(client) === units, {
          what: `a list of ${units} units`,
        });
        return over(stack.move(), async (signal) => {
          using client = await new NodeClient(node, signal).connect();
          const times: number[] = [];
          while (times.length < LISTS) {
            const { value: listed, ms } = await timed(() =>
              client.command("work list", { signal })
            );
            times.push(ms);
            const count = Object.keys(listed).length;
            if (count !== units) throw new Error(`${count} units are listed, not ${units}`);
          }
          return { p50: percentile(times, 0.5) };
        });
      },
    };
  };
}

async function countListed(client: NodeClient): Promise<number> {
  return Object.keys(await client.command("work list")).length;
}
