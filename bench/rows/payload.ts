/** A remote job with a large payload, from its submission until the job has counted all bytes. */
import { COUNT } from "../jobs.ts";
import { tcpCopy } from "../limits/tcp_copy.ts";
import { NodeClient } from "../node_client.ts";
import { startChain } from "../nodes.ts";
import { CpuMeter } from "../process_usage.ts";
import { over, type Row, type Scale, warmUp } from "../row.ts";
import { timed } from "../timed.ts";

const PIECE = new Uint8Array(256 * 1024);
const WARM_UP_BYTES = 1_000_000;

export function payload(scale: Scale): Row {
  const bytes = scale.pick(150_000_000, 10_000_000);
  return {
    name: "payload",
    title: `payload of ${bytes / 1e6} MB to a remote job`,
    figures: [
      { key: "rate", label: "from submit to the job's end", unit: "MB/s", better: "higher" },
      { key: "near", label: "CPU of the node that sends", unit: "s/GB", better: "lower" },
      { key: "far", label: "CPU of the node with the job", unit: "s/GB", better: "lower" },
    ],
    runs: 3,
    timeoutMs: 180_000,
    limits: [tcpCopy(bytes, { sender: "near", receiver: "far" })],
    async setUp(kind, signal) {
      const chain = await startChain(kind, { atFar: [COUNT] });
      const { near, far } = chain;
      await warmUp(chain, () => send(new NodeClient(near, signal), WARM_UP_BYTES));
      return over(chain, async (signal) => {
        const meters = { near: new CpuMeter(near), far: new CpuMeter(far) };
        const seconds = await send(new NodeClient(near, signal), bytes);
        const gigabytes = bytes / 1e9;
        return {
          rate: bytes / 1e6 / seconds,
          near: meters.near.used.own / gigabytes,
          far: meters.far.used.own / gigabytes,
        };
      });
    },
  };
}

/** Resolves to the seconds from the submission to the job's answer. */
async function send(client: NodeClient, bytes: number): Promise<number> {
  const { value, ms } = await timed(async () => {
    const unitId = await client.submit({ node: "far", workType: "count" }, pieces(bytes));
    return { unitId, answer: await client.countResults(unitId) };
  });
  const { unitId, answer } = value;
  const expected = `${bytes}\n`.length;
  if (answer !== expected) throw new Error(`The job answered ${answer} bytes, not ${expected}`);
  await client.release(unitId);
  return ms / 1000;
}

function* pieces(bytes: number): Generator<Uint8Array> {
  for (let left = bytes; left > 0; left -= PIECE.length) {
    yield PIECE.subarray(0, Math.min(left, PIECE.length));
  }
}
