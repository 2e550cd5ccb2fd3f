/**
 * Datagrams that come in on a UDP port and go to a service of a node: each sender has an ephemeral
 * service of its own, to which the answers come.
 */
import { bindUdp } from "../backends/bind_udp.ts";
import { formatHostPort, type HostPort } from "../backends/host_port.ts";
import { networkOf } from "../backends/network_of.ts";
import type { BindOptions } from "../backends/socket_listener.ts";
import type { UdpSocket } from "../backends/udp_socket.ts";
import type { DatagramPort } from "../netceptor/datagram_port.ts";
import { isLocalhost } from "../wire/node_id.ts";
import { DatagramSender, type DatagramServiceDeps } from "./datagrams.ts";
import { PeerTable } from "./peer_table.ts";
import type { Service } from "./service.ts";
import { untilAborted } from "./until_aborted.ts";

export interface UdpServerOptions extends BindOptions {
  readonly node: string;
  readonly service: string;
}

export class UdpServer implements Service {
  /** The port it listens on. */
  readonly port: number;
  readonly #deps: DatagramServiceDeps;
  readonly #target: { readonly node: string; readonly service: string };
  readonly #socket: UdpSocket;
  readonly #sender: DatagramSender;
  readonly #peers: PeerTable<DatagramPort>;

  private constructor(
    deps: DatagramServiceDeps,
    { node, service }: UdpServerOptions,
    socket: UdpSocket,
  ) {
    this.port = socket.address.port;
    this.#deps = deps;
    this.#target = { node: isLocalhost(node) ? deps.mesh.nodeId : node, service };
    this.#socket = socket;
    this.#sender = new DatagramSender(deps, `udp-server ${this.port}`);
    this.#peers = new PeerTable(deps.clock);
  }

  /** Rejects with a `ListenError` if the address is not ours or the port is taken. */
  static async bind(deps: DatagramServiceDeps, options: UdpServerOptions): Promise<UdpServer> {
    return new UdpServer(deps, options, await bindUdp(options));
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#socket.start({
      onDatagram: (payload, from) => {
        if (!signal.aborted) this.#sender.toMesh(this.#peer(from), this.#target, payload);
      },
      onError: ({ message }) => this.#sender.drop(message),
    });
    await untilAborted(signal);
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#peers[Symbol.dispose]();
    await this.#socket[Symbol.asyncDispose]();
  }

  #peer(from: HostPort): DatagramPort {
    const key = formatHostPort(from);
    const known = this.#peers.use(key);
    if (known !== undefined) return known;
    const { node, service } = this.#target;
    const port = this.#deps.mesh.openDatagramPort("", {
      datagram: ({ fromNode, fromService, payload }) => {
        // Nobody else was asked.
        if (fromNode !== node || fromService !== service) return;
        this.#peers.use(key);
        this.#sender.toSocket(this.#socket, from, payload);
      },
    });
    return this.#peers.add(key, networkOf(from.host), port);
  }
}
