/**
 * Throughput of one QUIC stream with both ends, and all their cryptography, in one thread, and no
 * network in between. Usage: deno run -A bench/quic_loopback.ts [--bytes N] [--datagram N] [--json]
 */
import { cpuUsage } from "node:process";
import { parseArgs } from "node:util";
import { systemClock } from "../lib/base/clock.ts";
import { systemRandom } from "../lib/base/random.ts";
import { Endpoint } from "../lib/quic/endpoint.ts";
import { MAX_DATAGRAM_BYTES } from "../lib/quic/endpoint_options.ts";
import type { Connection } from "../lib/quic/connection.ts";
import { insecureClientTls, insecureServerTls } from "../lib/quic/insecure_tls.ts";
import { loadCore } from "../lib/quic/load_core.ts";

const { values } = parseArgs({
  options: {
    bytes: { type: "string", default: "300000000" },
    datagram: { type: "string", default: String(MAX_DATAGRAM_BYTES) },
    json: { type: "boolean", default: false },
  },
});
const total = Number(values.bytes);
const maxDatagramBytes = Number(values.datagram);

/** Delivers what one side sends in one turn to the other side in the next. */
class Wire {
  #queue: { to: Endpoint; from: string; datagram: Uint8Array }[] = [];
  datagrams = 0;

  send(to: Endpoint, from: string, datagram: Uint8Array): void {
    if (this.#queue.length === 0) setImmediate(() => this.#deliver());
    this.#queue.push({ to, from, datagram: datagram.slice() });
  }

  #deliver(): void {
    const queue = this.#queue;
    this.#queue = [];
    this.datagrams += queue.length;
    for (const { to, from, datagram } of queue) to.receive(from, datagram);
  }
}

const started = performance.now();
await loadCore();
const loadedMs = performance.now() - started;

const wire = new Wire();
const accepted = Promise.withResolvers<Connection>();
const common = {
  clock: systemClock,
  random: systemRandom,
  maxDatagramBytes,
  onError: (error: Error) => reportError(error),
};
using server: Endpoint = await Endpoint.create({
  ...common,
  send: (_remote, datagram) => wire.send(client, "server:control", datagram),
  server: insecureServerTls(),
  onConnection: (connection) => accepted.resolve(connection),
});
using client: Endpoint = await Endpoint.create({
  ...common,
  send: (_remote, datagram) => wire.send(server, "client:x", datagram),
});

const dialled = performance.now();
const connection = await client.connect("server:control", insecureClientTls(), "server");
const handshakeMs = performance.now() - dialled;
const sending = await connection.openStream();
const begun = performance.now();
const cpuBefore = cpuUsage();

async function send(): Promise<void> {
  const block = new Uint8Array(256 * 1024).fill(0x55);
  for (let left = total; left > 0;) {
    left -= await sending.write(block.subarray(0, Math.min(left, block.length)));
  }
  await sending.closeWrite();
}

async function receive(): Promise<number> {
  const receiving = await (await accepted.promise).acceptStream();
  const into = new Uint8Array(256 * 1024);
  let received = 0;
  for (;;) {
    const count = await receiving.read(into);
    if (count === null) return received;
    received += count;
  }
}

const [, received] = await Promise.all([send(), receive()]);
const seconds = (performance.now() - begun) / 1000;
const cpu = cpuUsage(cpuBefore);
if (received !== total) throw new Error(`received ${received} bytes of ${total}`);

const result = {
  megabytesPerSecond: Number((total / seconds / 1e6).toFixed(1)),
  /** Of both ends together; a busy machine changes it less than the rate. */
  cpuSecondsPerGigabyte: Number(((cpu.user + cpu.system) / 1e6 / (total / 1e9)).toFixed(2)),
  coreLoadMs: Number(loadedMs.toFixed(1)),
  handshakeMs: Number(handshakeMs.toFixed(1)),
  ...connection.statistics(),
  datagrams: wire.datagrams,
};
// deno-lint-ignore no-console -- a program's own output
console.log(values.json ? JSON.stringify(result) : result);
