/**
 * Datagrams that come in on a service of this node and go to a UDP address: each sender has a socket
 * of its own, to which the answers come.
 */
import { type HostPort, parseDialAddress } from "../backends/host_port.ts";
import { resolveHost, UdpSocket } from "../backends/udp_socket.ts";
import { messageOf } from "../base/error_message.ts";
import type { DatagramPort } from "../netceptor/datagram_port.ts";
import { DatagramSender, type DatagramServiceDeps } from "./datagrams.ts";
import { PeerTable } from "./peer_table.ts";
import type { Service } from "./service.ts";
import { untilAborted } from "./until_aborted.ts";

/** Datagrams of one sender that wait until its socket is open and the address is known. */
const MAX_EARLY = 16;

export interface UdpClientOptions {
  readonly service: string;
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string;
}

export class UdpClient implements Service {
  readonly #target: HostPort;
  readonly #sender: DatagramSender;
  readonly #peers: PeerTable<Outlet>;
  readonly #port: DatagramPort;
  readonly #open = new Set<Promise<void>>();

  /**
   * Throws a `SyntaxError` if `address` is not an address, a `RangeError` if the name of the service
   * is too long, or a `ServiceTakenError`.
   */
  constructor(deps: DatagramServiceDeps, { service, address }: UdpClientOptions) {
    this.#target = parseDialAddress(address);
    this.#sender = new DatagramSender(deps, `udp-client ${service}`);
    this.#peers = new PeerTable(deps.clock);
    this.#port = deps.mesh.openDatagramPort(service, {
      datagram: ({ fromNode, fromService, payload }) =>
        this.#outlet(fromNode, fromService).send(payload),
    }, { advertise: { tags: { type: "UDP Proxy", address } } });
  }

  async run(signal: AbortSignal): Promise<void> {
    await untilAborted(signal);
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#port[Symbol.dispose]();
    this.#peers[Symbol.dispose]();
    await Promise.all(this.#open);
  }

  #outlet(node: string, service: string): Outlet {
    // Neither name has control characters.
    const key = `${node}\n${service}`;
    const known = this.#peers.use(key);
    if (known !== undefined) return known;
    const outlet = this.#peers.add(key, node, new Outlet(this.#sender));
    const onAnswer = (payload: Uint8Array) => {
      this.#peers.use(key);
      this.#sender.toMesh(this.#port, { node, service }, payload);
    };
    const open: Promise<void> = outlet.run(this.#target, onAnswer)
      .catch((error) => {
        this.#sender.drop(`Error connecting via UDP: ${messageOf(error)}`);
        // The next datagram tries again.
        this.#peers.forget(key);
      })
      .finally(() => this.#open.delete(open));
    this.#open.add(open);
    return outlet;
  }
}

/** The socket of one sender; disposing closes it. */
class Outlet implements Disposable {
  readonly #sender: DatagramSender;
  readonly #end = Promise.withResolvers<void>();
  #ended = false;
  #open: { readonly socket: UdpSocket; readonly to: HostPort } | undefined;
  #early: Uint8Array[] = [];

  constructor(sender: DatagramSender) {
    this.#sender = sender;
  }

  /** Sends a copy of `payload`, as soon as it can. */
  send(payload: Uint8Array): void {
    if (this.#open !== undefined) {
      this.#sender.toSocket(this.#open.socket, this.#open.to, payload);
    } else if (this.#early.length < MAX_EARLY) {
      this.#early.push(payload.slice());
    } else {
      this.#sender.drop("its destination is still being looked up");
    }
  }

  /** Opens the socket; resolves when it is closed again. Rejects if that cannot be. */
  async run({ host, port }: HostPort, onAnswer: (payload: Uint8Array) => void): Promise<void> {
    const [address] = await resolveHost(host);
    if (address === undefined) throw new Error(`${host} has no address`);
    const anyAddress = address.includes(":") ? "::" : "0.0.0.0";
    await using socket = await UdpSocket.bind({ host: anyAddress, port: 0 });
    // The zone is only needed for sending.
    const answering = address.replace(/%.*$/, "");
    socket.start({
      onDatagram: (payload, from) => {
        if (!this.#ended && from.port === port && from.host === answering) onAnswer(payload);
      },
      onError: ({ message }) => this.#sender.drop(message),
    });
    this.#open = { socket, to: { host: address, port } };
    for (const payload of this.#early.splice(0)) this.send(payload);
    await this.#end.promise;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#end.resolve();
  }
}
