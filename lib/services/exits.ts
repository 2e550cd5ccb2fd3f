/** Places where a stream service's connections lead to another connection. */
import { formatHostPort, parseDialAddress } from "../backends/host_port.ts";
import { TcpByteConn } from "../backends/tcp_byte_conn.ts";
import { connectTcp } from "../backends/tcp_conn.ts";
import type { LinkClientTls } from "../backends/tls.ts";
import { abortable } from "../base/abortable.ts";
import { bridge } from "../base/bridge.ts";
import { type ByteConn, closeQuietly } from "../base/byte_conn.ts";
import { DialQueue } from "../base/dial_queue.ts";
import type { Mesh } from "../netceptor/mesh.ts";
import type { ClientTls } from "../quic/tls.ts";
import type { Exit } from "./service.ts";

/** Bytes that each direction of a connection holds at most, apart from the sockets' own buffers. */
const BUFFER_BYTES = 64 * 1024;

export interface MeshTarget {
  readonly node: string;
  readonly service: string;
  /** A `tls-client` profile; without it, encrypted, but not authenticated. */
  readonly tls?: ClientTls | undefined;
}

/** To a service of a node. */
export function meshExit(
  mesh: Pick<Mesh, "dial">,
  { node, service, tls }: MeshTarget,
): Exit {
  const queue = new DialQueue();
  return bridged(
    "Error connecting on Receptor network",
    (signal) => queue.dial(node, () => mesh.dial(node, service, { tls, signal }), { signal }),
  );
}

/** To a TCP address, over TLS if there is a profile. Throws a `SyntaxError` for a bad address. */
export function tcpExit(address: string, tls: LinkClientTls | undefined): Exit {
  const target = parseDialAddress(address);
  return bridged("Error connecting via TCP", async (signal) => {
    const conn = new TcpByteConn(await connectTcp(target, signal));
    if (tls === undefined) return conn;
    const { connectTls } = await import("../backends/tls.ts");
    const from = `tcp ${formatHostPort(target)}`;
    return (await connectTls(conn, tls, { host: target.host, from, signal })).conn;
  });
}

/** To a Unix socket. */
export function unixExit(path: string): Exit {
  return bridged("Error connecting via Unix socket", async (signal) => {
    const connecting = Deno.connect({ transport: "unix", path });
    try {
      return await abortable(connecting, signal);
    } catch (error) {
      connecting.then(closeQuietly, () => {});
      throw error;
    }
  });
}

function bridged(problem: string, dial: (signal: AbortSignal) => Promise<ByteConn>): Exit {
  return {
    problem,
    async open({ conn }, signal) {
      const target = await dial(signal);
      return (signal) => bridge(conn, target, { signal, bufferBytes: BUFFER_BYTES });
    },
  };
}
