/**
 * Remote jobs one after the other: what each costs, from its submission to the end of its results.
 */
import { shSpawn } from "../limits/sh_spawn.ts";
import { ssh } from "../limits/ssh.ts";
import { ECHO, submitAndRead } from "../jobs.ts";
import { NodeClient } from "../node_client.ts";
import { startChain } from "../nodes.ts";
import { CpuMeter } from "../process_usage.ts";
import { over, type Row, type Scale, warmUp } from "../row.ts";
import { percentile } from "../statistics.ts";
import { timed } from "../timed.ts";

const FIELDS = { node: "far", workType: "echo" };

export function remoteEcho(scale: Scale): Row {
  const jobs = scale.pick(8, 3);
  return {
    name: "remote-echo",
    title: "remote `echo`, from its submit to the end of its results",
    figures: [
      { key: "p50", label: "p50", unit: "ms", better: "lower" },
      { key: "cpu", label: "CPU per job, with processes", unit: "ms", better: "lower" },
    ],
    runs: 5,
    timeoutMs: 120_000,
    limits: [shSpawn, ssh],
    async setUp(kind, signal) {
      const chain = await startChain(kind, { atFar: [ECHO] });
      const once = async (client: NodeClient) => {
        const { value: unitId, ms } = await timed(() => submitAndRead(client, FIELDS));
        await client.release(unitId);
        return ms;
      };
      await warmUp(chain, () => once(new NodeClient(chain.near, signal)));
      return over(chain, async (signal) => {
        const client = new NodeClient(chain.near, signal);
        const cpu = new CpuMeter(chain.near, chain.far);
        const times: number[] = [];
        while (times.length < jobs) times.push(await once(client));
        return { p50: percentile(times, 0.5), cpu: cpu.used.withChildren * 1000 / jobs };
      });
    },
  };
}
