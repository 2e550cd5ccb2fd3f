/** `ping` of the neighbour by a node that does nothing else. */
import { NodeClient } from "../node_client.ts";
import { startChain } from "../nodes.ts";
import { pingTimes } from "../pings.ts";
import { over, type Row, type Scale, warmUp } from "../row.ts";
import { percentile } from "../statistics.ts";

const WARM_UP = 100;

export function pingIdle(scale: Scale): Row {
  const pings = scale.pick(500, 100);
  return {
    name: "ping-idle",
    title: "`ping` of an idle neighbour",
    figures: [
      { key: "p50", label: "p50", unit: "ms", better: "lower" },
      { key: "p99", label: "p99", unit: "ms", better: "lower" },
    ],
    runs: 5,
    timeoutMs: 60_000,
    async setUp(kind, signal) {
      const chain = await startChain(kind);
      await warmUp(chain, () => pingTimes(new NodeClient(chain.near, signal), WARM_UP));
      return over(chain, async (signal) => {
        const times = await pingTimes(new NodeClient(chain.near, signal), pings);
        return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
      });
    },
  };
}
