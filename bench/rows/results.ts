/** A remote job with much output: how fast its results come, and what that costs each node. */
import { PRODUCE, produce } from "../jobs.ts";
import { tcpCopy } from "../limits/tcp_copy.ts";
import { NodeClient } from "../node_client.ts";
import { startChain } from "../nodes.ts";
import { CpuMeter } from "../process_usage.ts";
import { type Figure, over, type Row, type Scale, warmUp } from "../row.ts";
import { timed } from "../timed.ts";

const WARM_UP_BYTES = 1_000_000;

export function results(hops: number): (scale: Scale) => Row {
  return (scale) => {
    const bytes = scale.pick(150_000_000, 10_000_000);
    return {
      name: `results-${hops}-hop${hops > 1 ? "s" : ""}`,
      title: `results of ${bytes / 1e6} MB over ${hops} hop${hops > 1 ? "s" : ""}`,
      figures: [
        { key: "rate", label: "from submit to the last byte", unit: "MB/s", better: "higher" },
        perGigabyte("far", "CPU of the node with the job"),
        perGigabyte("near", "CPU of the node that asked"),
        ...(hops > 1 ? [perGigabyte("relay", "CPU of a relay")] : []),
      ],
      runs: 3,
      timeoutMs: 180_000,
      limits: [tcpCopy(bytes, { sender: "far", receiver: "near" })],
      async setUp(kind, signal) {
        const chain = await startChain(kind, { atFar: [PRODUCE], hops });
        const { near, relays, far } = chain;
        await warmUp(chain, () => transfer(new NodeClient(near, signal), WARM_UP_BYTES));
        return over(chain, async (signal) => {
          const meters = { far: new CpuMeter(far), near: new CpuMeter(near) };
          const relay = new CpuMeter(...relays);
          const seconds = await transfer(new NodeClient(near, signal), bytes);
          const gigabytes = bytes / 1e9;
          return {
            rate: bytes / 1e6 / seconds,
            far: meters.far.used.own / gigabytes,
            near: meters.near.used.own / gigabytes,
            ...(relays.length > 0 ? { relay: relay.used.own / relays.length / gigabytes } : {}),
          };
        });
      },
    };
  };
}

/** Resolves to the seconds from the submission to the last byte. */
async function transfer(client: NodeClient, bytes: number): Promise<number> {
  const { value, ms } = await timed(async () => {
    const unitId = await client.submit(produce(bytes));
    return { unitId, size: await client.countResults(unitId) };
  });
  const { unitId, size } = value;
  if (size !== bytes) throw new Error(`The results have ${size} bytes, not ${bytes}`);
  await client.release(unitId);
  return ms / 1000;
}

function perGigabyte(key: string, label: string): Figure {
  return { key, label, unit: "s/GB", better: "lower" };
}
