/** Releases on a node with many other remote units, whose peer is up. */
import { startWithLeftovers } from "../leftovers.ts";
import { NodeClient } from "../node_client.ts";
import { over, type Row, type Scale } from "../row.ts";
import { longest, percentile } from "../statistics.ts";
import { timed } from "../timed.ts";

export function leftoverUnits(scale: Scale): Row {
  const count = scale.pick(1000, 60);
  const releases = scale.pick(50, 10);
  return {
    name: "leftover-units",
    title: `release one of ${count.toLocaleString("en")} remote units, the peer alive`,
    figures: [
      { key: "p50", label: "p50", unit: "ms", better: "lower" },
      { key: "longest", label: `longest of ${releases}`, unit: "ms", better: "lower" },
    ],
    runs: 5,
    timeoutMs: 120_000,
    async setUp(kind, signal) {
      const leftovers = await startWithLeftovers(kind, count, {}, signal);
      const units = [...leftovers.units];
      return over(leftovers, async (signal) => {
        const client = new NodeClient(leftovers.near, signal);
        const times: number[] = [];
        for (const unitId of units.splice(0, releases)) {
          const { value: answer, ms } = await timed(() => client.release(unitId));
          times.push(ms);
          if (answer !== "released") throw new Error(`${unitId} was answered "${answer}"`);
        }
        if (times.length < releases) throw new Error("Too many runs: all units are released");
        return { p50: percentile(times, 0.5), longest: longest(times) };
      });
    },
  };
}
