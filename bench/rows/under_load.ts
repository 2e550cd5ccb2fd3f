/** Small things while the results of other jobs keep the link full. */
import { ECHO, PRODUCE, produce, submitAndRead } from "../jobs.ts";
import { NodeClient } from "../node_client.ts";
import { startChain } from "../nodes.ts";
import { pingTimes } from "../pings.ts";
import { afresh, type Row, type Scale } from "../row.ts";
import { longest, percentile } from "../statistics.ts";
import { timed } from "../timed.ts";

/** Output of one of the units whose results fill the link. */
const BYTES = 150_000_000;
const PAUSE_MS = 20;

export function underLoad(scale: Scale): Row {
  const jobs = scale.pick(10, 2);
  const pings = scale.pick(200, 40);
  return {
    name: "under-load",
    title: "small things while results fill the link",
    figures: [
      { key: "echo", label: "remote `echo`, p50", unit: "ms", better: "lower" },
      {
        key: "slowEcho",
        label: `remote \`echo\`, longest of ${jobs}`,
        unit: "ms",
        better: "lower",
      },
      { key: "ping", label: "`ping`, p50", unit: "ms", better: "lower" },
      { key: "slowPing", label: "`ping`, p99", unit: "ms", better: "lower" },
      { key: "rate", label: "the results meanwhile", unit: "MB/s", better: "higher" },
    ],
    runs: 3,
    timeoutMs: 180_000,
    setUp: (kind) =>
      afresh(async (signal) => {
        await using chain = await startChain(kind, { atFar: [ECHO, PRODUCE] });
        const measured = new AbortController();
        const filler = new NodeClient(chain.near, AbortSignal.any([signal, measured.signal]));
        let carried = 0;
        const filled = fill(filler, (count) => carried += count);
        filled.catch(() => {});
        const start = performance.now();
        try {
          const client = new NodeClient(chain.near, signal);
          const pinged = await pingTimes(client, pings, PAUSE_MS);
          const echoed: number[] = [];
          while (echoed.length < jobs) {
            const { value: unitId, ms } = await timed(() =>
              submitAndRead(client, { node: "far", workType: "echo" })
            );
            echoed.push(ms);
            await client.release(unitId);
          }
          return {
            echo: percentile(echoed, 0.5),
            slowEcho: longest(echoed),
            ping: percentile(pinged, 0.5),
            slowPing: percentile(pinged, 0.99),
            rate: carried / 1e3 / (performance.now() - start),
          };
        } finally {
          measured.abort(new Error("measured"));
          await filled.catch((error) => {
            if (error !== measured.signal.reason) throw error;
          });
        }
      }),
  };
}

/** Keeps reading results, two units at a time so that there is no gap between them. */
async function fill(client: NodeClient, onBytes: (count: number) => void): Promise<never> {
  const one = async (): Promise<never> => {
    while (true) {
      const unitId = await client.submit(produce(BYTES));
      await client.countResults(unitId, onBytes);
      await client.release(unitId);
    }
  };
  return await Promise.race([one(), one()]);
}
