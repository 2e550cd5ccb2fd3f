/** Connections that come in on a TCP port, plain or secured by TLS. */
import { formatHostPort } from "../backends/host_port.ts";
import { networkOf } from "../backends/network_of.ts";
import {
  type BindOptions,
  type ListenerDeps,
  SocketListener,
} from "../backends/socket_listener.ts";
import { TcpByteConn } from "../backends/tcp_byte_conn.ts";
import { hostPortOf } from "../backends/tcp_conn.ts";
import type { LinkServerTls } from "../backends/tls.ts";
import type { ByteConn } from "../base/byte_conn.ts";
import type { Entrance, Incoming } from "./service.ts";

export interface TcpEntranceOptions extends BindOptions {
  /** Serves TLS with this profile; without it, plain TCP. */
  readonly tls?: LinkServerTls | undefined;
}

export class TcpEntrance implements Entrance {
  /** The port it listens on. */
  readonly port: number;
  readonly #listener: SocketListener;
  readonly #tls: LinkServerTls | undefined;

  /** Throws a `ListenError` if the address is not ours or the port is taken. */
  constructor(deps: ListenerDeps, { tls, ...options }: TcpEntranceOptions) {
    this.#listener = SocketListener.bind(deps, options);
    this.#tls = tls;
    this.port = this.#listener.address.port;
  }

  async serve(serve: (incoming: Incoming) => Promise<void>, signal: AbortSignal): Promise<void> {
    const open = async (conn: Deno.TcpConn) => {
      const address = hostPortOf(conn.remoteAddr);
      const from = `tcp ${formatHostPort(address)}`;
      const plain = new TcpByteConn(conn);
      const opened = this.#tls === undefined ? plain : await secure(plain, this.#tls, from);
      const incoming = { conn: opened, from, source: networkOf(address.host) };
      return { incoming, close: () => opened.close() };
    };
    await this.#listener.run(open, ({ incoming }) => serve(incoming), signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#listener[Symbol.dispose]();
    return Promise.resolve();
  }
}

async function secure(conn: ByteConn, tls: LinkServerTls, from: string) {
  // The runtime's TLS takes longer to load than the rest of the node put together.
  const { acceptTls } = await import("../backends/tls.ts");
  return (await acceptTls(conn, tls, { from })).conn;
}
