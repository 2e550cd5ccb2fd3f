/** Many remote jobs, some at a time, each with its results and its release. */
import { ECHO, wholeJob } from "../jobs.ts";
import { NodeClient } from "../node_client.ts";
import { startChain } from "../nodes.ts";
import { pool } from "../pool.ts";
import { CpuMeter } from "../process_usage.ts";
import { over, type Row, type Scale, warmUp } from "../row.ts";
import { timed } from "../timed.ts";

const AT_A_TIME = 32;

export function remoteJobs(scale: Scale): Row {
  const jobs = scale.pick(200, 48);
  return {
    name: "remote-jobs",
    title: `${jobs} remote jobs with results and release, ${AT_A_TIME} at a time`,
    figures: [
      { key: "rate", label: "jobs a second", unit: "/s", better: "higher" },
      { key: "cpu", label: "CPU per job: both daemons", unit: "ms", better: "lower" },
      { key: "all", label: "CPU per job: with their processes", unit: "ms", better: "lower" },
    ],
    runs: 3,
    timeoutMs: 180_000,
    async setUp(kind, signal) {
      const chain = await startChain(kind, { atFar: [ECHO] });
      const many = (client: NodeClient, count: number) =>
        pool(count, AT_A_TIME, () => wholeJob(client, { node: "far", workType: "echo" }));
      await warmUp(chain, () => many(new NodeClient(chain.near, signal), AT_A_TIME));
      return over(chain, async (signal) => {
        const cpu = new CpuMeter(chain.near, chain.far);
        const { ms } = await timed(() => many(new NodeClient(chain.near, signal), jobs));
        const { own, withChildren } = cpu.used;
        return {
          rate: jobs / (ms / 1000),
          cpu: own * 1000 / jobs,
          all: withChildren * 1000 / jobs,
        };
      });
    },
  };
}
