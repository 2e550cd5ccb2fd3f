/** Many readers of one remote unit's results, all from its first byte on while it runs. */
import { PRODUCE, produce } from "../jobs.ts";
import { NodeClient } from "../node_client.ts";
import { startChain } from "../nodes.ts";
import { pool } from "../pool.ts";
import { CpuMeter, proportionalMegabytes } from "../process_usage.ts";
import { over, type Row, type Scale } from "../row.ts";
import { timed } from "../timed.ts";

export function readers(full: number): (scale: Scale) => Row {
  return (scale) => {
    const count = scale.pick(full, Math.ceil(full / 10));
    const bytes = scale.pick(10_000_000, 2_000_000);
    return {
      name: `readers-${full}`,
      title: `${count} readers of the ${bytes / 1e6} MB of one remote unit`,
      figures: [
        { key: "rate", label: "all readers together", unit: "MB/s", better: "higher" },
        { key: "cpu", label: "CPU of their node", unit: "s/GB", better: "lower" },
        {
          key: "memory",
          label: "memory of their node after it (PSS)",
          unit: "MB",
          better: "lower",
        },
      ],
      runs: 3,
      timeoutMs: 120_000,
      async setUp(kind) {
        const chain = await startChain(kind, { atFar: [PRODUCE] });
        return over(chain, async (signal) => {
          const client = new NodeClient(chain.near, signal);
          const cpu = new CpuMeter(chain.near);
          const { value, ms } = await timed(async () => {
            const unitId = await client.submit(produce(bytes));
            return { unitId, sizes: await pool(count, count, () => client.countResults(unitId)) };
          });
          const { unitId, sizes } = value;
          const used = cpu.used.own;
          const memory = proportionalMegabytes(chain.near.pid);
          await client.release(unitId);
          const wrong = sizes.find((size) => size !== bytes);
          if (wrong !== undefined) throw new Error(`A reader got ${wrong} bytes, not ${bytes}`);
          const total = count * bytes;
          return { rate: total / 1e3 / ms, cpu: used / (total / 1e9), memory };
        });
      },
    };
  };
}
