/** TCP connections from a tcp-server to a tcp-client: their bytes, their number, their first byte. */
import { freePort } from "../../tests/support/ports.ts";
import { ask, startEchoServer } from "../echo_server.ts";
import { startChain } from "../nodes.ts";
import { pool } from "../pool.ts";
import { CpuMeter } from "../process_usage.ts";
import { type Limit, over, type Row, type Sample, type Scale, warmUp } from "../row.ts";
import { percentile } from "../statistics.ts";
import { timed } from "../timed.ts";

const HOST = "127.0.0.1";
/** Connections at a time, where their number counts. */
const WIDTH = 16;
const WARM_UP_BYTES = 1_000_000;

interface Amount {
  readonly bytes: number;
  readonly connections: number;
  readonly turns: number;
}

export function tcpProxy(hops: number): (scale: Scale) => Row {
  return (scale) => {
    const amount = {
      bytes: scale.pick(150_000_000, 10_000_000),
      connections: scale.pick(500, 50),
      turns: scale.pick(100, 10),
    };
    const far = hops === 1 ? "1 hop" : `${hops} hops`;
    return {
      name: `tcp-${far.replace(" ", "-")}`,
      title: `TCP connections through the mesh over ${far}`,
      figures: [
        { key: "rate", label: `${amount.bytes / 1e6} MB`, unit: "MB/s", better: "higher" },
        { key: "near", label: "CPU of the node they come in at", unit: "s/GB", better: "lower" },
        { key: "far", label: "CPU of the node they go on from", unit: "s/GB", better: "lower" },
        {
          key: "connections",
          label: `connections, ${WIDTH} at a time`,
          unit: "/s",
          better: "higher",
        },
        {
          key: "first",
          label: "new connection to its first byte, p50",
          unit: "ms",
          better: "lower",
        },
        {
          key: "slow",
          label: "new connection to its first byte, p99",
          unit: "ms",
          better: "lower",
        },
      ],
      runs: 3,
      timeoutMs: 180_000,
      limits: [straight(amount)],
      async setUp(kind, signal) {
        await using stack = new AsyncDisposableStack();
        const server = stack.use(startEchoServer());
        const port = freePort();
        const chain = stack.use(
          await startChain(kind, {
            hops,
            atNear: [{
              "tcp-server": { port, bindaddr: HOST, remotenode: "far", remoteservice: "echo" },
            }],
            atFar: [{ "tcp-client": { service: "echo", address: `${HOST}:${server.port}` } }],
          }),
        );
        const owned = stack.move();
        const all = { [Symbol.asyncDispose]: () => owned.disposeAsync() };
        await warmUp(all, () => ask(port, WARM_UP_BYTES, signal));
        return over(all, async (signal) => {
          const meters = { near: new CpuMeter(chain.near), far: new CpuMeter(chain.far) };
          const rate = await measureRate(port, amount, signal);
          const gigabytes = amount.bytes / 1e9;
          const near = meters.near.used.own / gigabytes;
          const far = meters.far.used.own / gigabytes;
          return { rate, near, far, ...await measureConnections(port, amount, signal) };
        });
      },
    };
  };
}

/** The same connections without a mesh. */
function straight(amount: Amount): Limit {
  return {
    name: "straight over loopback",
    setUp() {
      const server = startEchoServer();
      return over(server, async (signal) => ({
        rate: await measureRate(server.port, amount, signal),
        ...await measureConnections(server.port, amount, signal),
      }));
    },
  };
}

async function measureRate(port: number, { bytes }: Amount, signal: AbortSignal): Promise<number> {
  const { ms } = await timed(() => ask(port, bytes, signal));
  return bytes / 1000 / ms;
}

async function measureConnections(
  port: number,
  { connections, turns }: Amount,
  signal: AbortSignal,
): Promise<Sample> {
  const all = await timed(() => pool(connections, WIDTH, () => ask(port, 0, signal)));
  const times: number[] = [];
  while (times.length < turns) times.push((await timed(() => ask(port, 0, signal))).ms);
  return {
    connections: connections / (all.ms / 1000),
    first: percentile(times, 0.5),
    slow: percentile(times, 0.99),
  };
}
