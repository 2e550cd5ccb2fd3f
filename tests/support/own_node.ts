/** Our mesh node in this process, to be linked with Go daemons. */
import { TcpListener, TcpPeer } from "../../lib/backends/tcp.ts";
import { type ByteConn, writeAll } from "../../lib/base/byte_conn.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import type { MeshListener } from "../../lib/netceptor/mesh.ts";
import { Netceptor, type NetceptorDeps } from "../../lib/netceptor/netceptor.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { eventually } from "./eventually.ts";

const POLICY = { cost: 1, nodeCost: {} };

export class OwnNode implements AsyncDisposable {
  readonly netceptor: Netceptor;
  readonly log = new RecordingLog();
  readonly #deps: NetceptorDeps;

  /**
   * `clockOffsetMs` sets the wall clock: of two nodes with one id the younger gives way, and nodes
   * that start within the same second are ordered by chance.
   */
  constructor(nodeId: string, clockOffsetMs = 0) {
    const clock = { ...systemClock, wallTime: () => systemClock.wallTime() + clockOffsetMs };
    this.#deps = { log: this.log, clock, random: systemRandom };
    this.netceptor = new Netceptor(this.#deps, { nodeId });
  }

  /** Listens on a free loopback port. */
  listen(): number {
    const { log, clock } = this.#deps;
    const listener = TcpListener.bind({ log, clock }, { bindAddress: "127.0.0.1", port: 0 });
    this.netceptor.addBackend(listener, POLICY);
    return listener.address.port;
  }

  /** Keeps dialling a loopback port. */
  dial(port: number): void {
    const peer = new TcpPeer(this.#deps, { address: `127.0.0.1:${port}`, redial: true });
    this.netceptor.addBackend(peer, POLICY);
  }

  async waitForRoute(...nodes: string[]): Promise<void> {
    await eventually(() => nodes.every((node) => this.netceptor.hasRoute(node)), {
      what: `a route from ${this.netceptor.nodeId} to ${nodes.join(", ")}`,
    });
  }

  async waitForNoRoute(node: string): Promise<void> {
    await eventually(() => !this.netceptor.hasRoute(node), {
      what: `the end of the route from ${this.netceptor.nodeId} to ${node}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.netceptor[Symbol.asyncDispose]();
  }
}

/** Backend actions of a Go node that listens on, or dials, a loopback port. */
export function goListener(port: number) {
  return { "tcp-listener": { port, bindaddr: "127.0.0.1" } };
}

export function goPeer(port: number) {
  return { "tcp-peer": { address: `127.0.0.1:${port}` } };
}

/** Sends back, on every stream, each chunk that arrives, until the end of the stream. */
export async function serveEcho(listener: MeshListener): Promise<void> {
  for await (const conn of listener) {
    void (async () => {
      const buffer = new Uint8Array(64 * 1024);
      for (;;) {
        const count = await conn.read(buffer);
        if (count === null) break;
        await writeAll(conn, buffer.subarray(0, count));
      }
      await conn.closeWrite();
      conn.close();
    })().catch(() => {});
  }
}

/** Text up to and including the first line feed. */
export async function readLine(conn: ByteConn): Promise<string> {
  const byte = new Uint8Array(1);
  let line = "";
  while (!line.endsWith("\n")) {
    if (await conn.read(byte) === null) break;
    line += String.fromCharCode(byte[0]!);
  }
  return line;
}
