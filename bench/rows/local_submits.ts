/** Local jobs submitted one after the other: how long each submission takes its client. */
import { ECHO } from "../jobs.ts";
import { shSpawn } from "../limits/sh_spawn.ts";
import { NodeClient } from "../node_client.ts";
import { startNode } from "../nodes.ts";
import { CpuMeter } from "../process_usage.ts";
import { over, type Row, type Scale, warmUp } from "../row.ts";
import { percentile } from "../statistics.ts";
import { timed } from "../timed.ts";

const WARM_UP = 3;

export function localSubmits(scale: Scale): Row {
  const submits = scale.pick(50, 10);
  return {
    name: "local-submits",
    title: `${submits} local submits, one after the other`,
    figures: [
      { key: "p50", label: "p50 of a submit", unit: "ms", better: "lower" },
      { key: "cpu", label: "CPU per job, with processes", unit: "ms", better: "lower" },
    ],
    runs: 5,
    timeoutMs: 120_000,
    limits: [shSpawn],
    async setUp(kind, signal) {
      const node = await startNode(kind, [ECHO]);
      const submit = (client: NodeClient) => client.submit({ node: "solo", workType: "echo" });
      /**
       * Resolves when all jobs are done and their units gone, so that the next run finds the same
       * node.
       */
      const tidy = async (client: NodeClient, units: readonly string[]) => {
        for (const unitId of units) {
          await client.countResults(unitId);
          await client.release(unitId);
        }
      };
      await warmUp(node, async () => {
        const client = new NodeClient(node, signal);
        for (let i = 0; i < WARM_UP; i++) await tidy(client, [await submit(client)]);
      });
      return over(node, async (signal) => {
        const client = new NodeClient(node, signal);
        const units: string[] = [];
        const times: number[] = [];
        const cpu = new CpuMeter(node);
        while (units.length < submits) {
          const { value: unitId, ms } = await timed(() => submit(client));
          units.push(unitId);
          times.push(ms);
        }
        for (const unitId of units) await client.countResults(unitId);
        const used = cpu.used.withChildren;
        await tidy(client, units);
        return {
          p50: percentile(times, 0.5),
          cpu: used * 1000 / submits,
        };
      });
    },
  };
}
