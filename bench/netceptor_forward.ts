/**
 * How fast a node forwards: of two neighbours over loopback TCP, one sends data packets for the
 * other as fast as the middle node takes them. The neighbours run in a separate process, so that
 * the figure is the middle node's alone.
 *
 *     deno run -A bench/netceptor_forward.ts [--json] [--seconds=2] [--sizes=64,1452,16000]
 */
import { parseArgs } from "node:util";
import { TcpListener, TcpPeer } from "../lib/backends/tcp.ts";
import { systemClock } from "../lib/base/clock.ts";
import { silentLog } from "../lib/base/log.ts";
import { systemRandom } from "../lib/base/random.ts";
import { Netceptor } from "../lib/netceptor/netceptor.ts";
import {
  encodePacketHeader,
  PACKET_HEADER_BYTES,
  serviceFromText,
} from "../lib/wire/data_packet.ts";
import { FrameBatch } from "../lib/wire/frame.ts";
import { hashNodeId } from "../lib/wire/node_id.ts";
import { encodeRouteMessage } from "../lib/wire/route_message.ts";

const deps = { log: silentLog, clock: systemClock, random: systemRandom };
const POLICY = { cost: 1, nodeCost: {} };
/** Bytes of packets handed to the carrier at once. */
const BATCH_BYTES = 256 * 1024;

export interface ForwardFigure {
  /** Size of each packet, header included. */
  readonly bytes: number;
  readonly packetsPerSecond: number;
  readonly megabytesPerSecond: number;
}

/** The middle node's figures for packets of each size. */
export async function measureForwarding(
  sizes: readonly number[],
  seconds: number,
): Promise<ForwardFigure[]> {
  await using middle = new Netceptor(deps, { nodeId: "middle" });
  const listener = TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0 });
  middle.addBackend(listener, POLICY);
  const figures: ForwardFigure[] = [];
  for (const bytes of sizes) {
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        import.meta.filename!,
        `--neighbours=${listener.address.port}`,
        `--sizes=${bytes}`,
        `--seconds=${seconds}`,
      ],
      stdout: "piped",
      stderr: "inherit",
    });
    const { stdout, success } = await command.output();
    if (!success) throw new Error("the neighbours failed");
    const packetsPerSecond = Number(new TextDecoder().decode(stdout));
    const megabytesPerSecond = packetsPerSecond * bytes / 1e6;
    figures.push({ bytes, packetsPerSecond, megabytesPerSecond });
  }
  return figures;
}

/** Both neighbours: `source` sends, `sink` counts. Prints packets received per second. */
async function runNeighbours(port: number, bytes: number, seconds: number): Promise<void> {
  await using sink = new Netceptor(deps, { nodeId: "sink" });
  let received = 0;
  using _port = sink.openDatagramPort("sink", { datagram: () => void received++ });
  sink.addBackend(new TcpPeer(deps, { address: `127.0.0.1:${port}`, redial: false }), POLICY);
  await waitForRoute(sink, "middle");

  const source = await Deno.connect({ hostname: "127.0.0.1", port });
  source.setNoDelay(true);
  await introduce(source);
  await waitForRoute(sink, "source");
  // What the middle node tells us is not needed; the process ends with the measurement.
  void source.readable.pipeTo(new WritableStream());
  const batch = packetsForSink(bytes);
  const stop = performance.now() + seconds * 1000;
  const start = performance.now();
  while (performance.now() < stop) {
    for (let at = 0; at < batch.length;) at += await source.write(batch.subarray(at));
  }
  const rate = received / ((performance.now() - start) / 1000);
  await Deno.stdout.write(new TextEncoder().encode(String(rate)));
}

/** Makes the middle node accept us as `source`, and tell the sink about us. */
async function introduce(conn: Deno.TcpConn): Promise<void> {
  const hello = {
    nodeId: "source",
    updateId: crypto.randomUUID(),
    epoch: BigInt(Date.now()),
    sequence: 1n,
    connections: new Map<string, number>(),
    forwardingNode: "source",
    suspectedDuplicate: 0n,
  };
  const update = {
    ...hello,
    updateId: crypto.randomUUID(),
    sequence: 2n,
    connections: new Map([["middle", POLICY.cost]]),
  };
  const batch = new FrameBatch(BATCH_BYTES);
  batch.append(encodeRouteMessage(hello));
  batch.append(encodeRouteMessage(update));
  await conn.write(batch.frames);
}

function packetsForSink(bytes: number): Uint8Array<ArrayBuffer> {
  const header = encodePacketHeader({
    sourceNode: hashNodeId("source"),
    destinationNode: hashNodeId("sink"),
    sourceService: serviceFromText("bench")!,
    destinationService: serviceFromText("sink")!,
  }, 30);
  const payload = new Uint8Array(bytes - PACKET_HEADER_BYTES);
  const batch = new FrameBatch(BATCH_BYTES);
  while (batch.append(header, payload));
  return batch.frames;
}

async function waitForRoute(node: Netceptor, to: string): Promise<void> {
  if (node.hasRoute(to)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  using _listener = node.onRoutesChanged(() => node.hasRoute(to) && resolve());
  await promise;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      seconds: { type: "string", default: "2" },
      sizes: { type: "string", default: "64,1452,16000" },
      /** Port of the middle node, for the process of its neighbours. */
      neighbours: { type: "string" },
    },
  });
  const seconds = Number(values.seconds);
  const sizes = values.sizes.split(",").map(Number);
  if (values.neighbours !== undefined) {
    await runNeighbours(Number(values.neighbours), sizes[0]!, seconds);
    Deno.exit(0);
  }
  const figures = await measureForwarding(sizes, seconds);
  if (values.json) {
    await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(figures)}\n`));
  } else {
    for (const { bytes, packetsPerSecond, megabytesPerSecond } of figures) {
      const line = `${String(bytes).padStart(6)} bytes  ` +
        `${Math.round(packetsPerSecond).toLocaleString("en").padStart(12)} packets/s  ` +
        `${megabytesPerSecond.toFixed(1).padStart(8)} MB/s\n`;
      await Deno.stdout.write(new TextEncoder().encode(line));
    }
  }
}
