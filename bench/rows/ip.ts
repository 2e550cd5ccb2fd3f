/** TCP and pings between two network namespaces, whose nodes route IP for each other. */
import { fileURLToPath } from "node:url";
import {
  routedLine,
  type RoutedNode,
  waitForRoutes,
} from "../../tests/services/ip/_routed_nodes.ts";
import { Mesh } from "../../tests/support/mesh.ts";
import { missingForNamespaces } from "../../tests/support/namespaces.ts";
import { Program } from "../../tests/support/program.ts";
import { CpuMeter } from "../process_usage.ts";
import { over, type Row, type Scale } from "../row.ts";

const TCP_STREAM = fileURLToPath(new URL("./_tcp_stream.ts", import.meta.url));
const PORT = "9001";
const WARM_UP_BYTES = 5_000_000;

interface Ends {
  readonly near: RoutedNode;
  readonly far: RoutedNode;
}

export function ip(scale: Scale): Row {
  const bytes = scale.pick(200_000_000, 10_000_000);
  const pings = scale.pick(500, 20);
  return {
    name: "ip",
    title: `${bytes / 1e6} MB over TCP, and ${pings} pings, through two IP routers`,
    figures: [
      { key: "rate", label: "TCP", unit: "MB/s", better: "higher" },
      { key: "ping", label: "ping, mean", unit: "ms", better: "lower" },
      { key: "near", label: "CPU of the node that sends", unit: "s/GB", better: "lower" },
      { key: "far", label: "CPU of the node that receives", unit: "s/GB", better: "lower" },
    ],
    runs: 5,
    timeoutMs: 240_000,
    missing: missingForNamespaces(),
    async setUp(kind, signal) {
      await using stack = new AsyncDisposableStack();
      const mesh = stack.use(new Mesh());
      const ends = await routedLine(mesh, [kind, kind], "info");
      await waitForRoutes(ends.near, ends.far, true);
      await waitForRoutes(ends.far, ends.near, true);
      await stream(ends, WARM_UP_BYTES, signal);
      return over(stack.move(), async (signal) => {
        const { near, far } = ends;
        const meters = { near: new CpuMeter(near.node), far: new CpuMeter(far.node) };
        const seconds = await stream(ends, bytes, signal);
        const [cpuNear, cpuFar] = [meters.near.used.own, meters.far.used.own];
        const gigabytes = bytes / 1e9;
        return {
          rate: bytes / 1e6 / seconds,
          ping: await meanPing(ends, pings),
          near: cpuNear / gigabytes,
          far: cpuFar / gigabytes,
        };
      });
    },
  };
}

/** Resolves to the seconds from the first byte to the last. */
async function stream({ near, far }: Ends, bytes: number, signal: AbortSignal): Promise<number> {
  const run = (...args: string[]) => [Deno.execPath(), "run", "-A", "--quiet", TCP_STREAM, ...args];
  await using receiver = Program.start(far.namespace.within(run("receive", far.address, PORT)));
  await receiver.waitForOutput(/listening/);
  await near.namespace.output(...run("send", far.address, PORT, String(bytes)));
  signal.throwIfAborted();
  const [, received, seconds] = await receiver.waitForOutput(/(\d+) bytes in ([\d.]+) s/);
  if (Number(received) !== bytes) throw new Error(`received ${received} bytes of ${bytes}`);
  return Number(seconds);
}

/** In milliseconds. */
async function meanPing({ near, far }: Ends, count: number): Promise<number> {
  const output = await near.namespace.output(
    ...["ping", "-q", "-i", "0.005", "-c", String(count), far.address],
  );
  return Number(/rtt min\/avg\/max\/mdev = [\d.]+\/([\d.]+)\//.exec(output)![1]);
}
