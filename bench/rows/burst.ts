/**
 * Many one-second jobs at the same moment, to the last release, and how long pings take meanwhile.
 */
import { SECOND, wholeJob } from "../jobs.ts";
import { NodeClient } from "../node_client.ts";
import { startChain, TLS_CLIENT } from "../nodes.ts";
import { pingDuring } from "../pings.ts";
import { pool } from "../pool.ts";
import { CpuMeter } from "../process_usage.ts";
import { over, type Row, type Scale, warmUp } from "../row.ts";
import { longest, median } from "../statistics.ts";
import { timed } from "../timed.ts";

export function burst(full: number, { tls }: { tls: boolean }): (scale: Scale) => Row {
  return (scale) => {
    const jobs = scale.pick(full, Math.ceil(full / 10));
    const fields = { node: "far", workType: "second", ...(tls ? { tlsClient: TLS_CLIENT } : {}) };
    const ofJobs = `of ${jobs}`;
    return {
      name: `${tls ? "tls-" : ""}burst-${full}`,
      title: `${jobs} remote jobs of a second at the same moment${tls ? ", mutual TLS" : ""}`,
      figures: [
        { key: "seconds", label: "to the last release", unit: "s", better: "lower" },
        { key: "released", label: "answered `released`", unit: ofJobs, better: "higher" },
        { key: "pending", label: "answered `release pending`", unit: ofJobs, better: "lower" },
        { key: "cpu", label: "CPU per job, with processes", unit: "ms", better: "lower" },
        { key: "ping", label: "`ping` meanwhile, median", unit: "ms", better: "lower" },
        { key: "slowPing", label: "`ping` meanwhile, longest", unit: "ms", better: "lower" },
        { key: "lost", label: "`ping` meanwhile, without an answer", unit: "", better: "lower" },
      ],
      runs: 3,
      timeoutMs: 180_000,
      async setUp(kind, signal) {
        const chain = await startChain(kind, { atFar: [SECOND], tls });
        await warmUp(chain, () => wholeJob(new NodeClient(chain.near, signal), fields));
        return over(chain, async (signal) => {
          const client = new NodeClient(chain.near, signal);
          const cpu = new CpuMeter(chain.near, chain.far);
          const work = timed(() => pool(jobs, jobs, () => wholeJob(client, fields)));
          const { value: answers, ms, times, lost } = await pingDuring(client, work);
          const released = answers.filter((answer) => answer === "released").length;
          return {
            seconds: ms / 1000,
            released,
            pending: jobs - released,
            cpu: cpu.used.withChildren * 1000 / jobs,
            ping: median(times),
            slowPing: longest(times),
            lost,
          };
        });
      },
    };
  };
}
