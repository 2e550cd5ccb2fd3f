/**
 * QUIC on one service of this node: its packets go to a QUIC endpoint, and what that sends becomes
 * packets. The QUIC core is loaded with the first packet or the first dial.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Connection } from "../quic/connection.ts";
import type { Endpoint } from "../quic/endpoint.ts";
import type { PoolTarget } from "../quic/connection_pool.ts";
import type { ServerTls } from "../quic/tls.ts";
import {
  packetPayload,
  packetService,
  type Service,
  serviceFromText,
  serviceText,
  SOURCE_SERVICE_AT,
} from "../wire/data_packet.ts";
import { Problem, type Unreachable } from "../wire/unreachable.ts";
import type { DropLog } from "./drop_log.ts";
import type { MeshNode, NodeTable } from "./node_table.ts";
import type { PacketSwitch } from "./packet_switch.ts";
import type { ServiceRegistry } from "./service_registry.ts";
import { type StreamAddress, StreamAddresses } from "./stream_address.ts";

export interface StreamEndpointDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly nodes: NodeTable;
  readonly services: ServiceRegistry;
  readonly packets: PacketSwitch;
  readonly drops: DropLog;
}

/** What an endpoint needs to accept connections. */
export interface StreamAcceptor {
  /** Undefined: encrypted, but not authenticated. */
  readonly tls: ServerTls | undefined;
  /** Gets each connection when its handshake is complete. */
  onConnection(connection: Connection): void;
}

/** Packets that may wait for the core to load; QUIC resends what is dropped. */
const MAX_EARLY_PACKETS = 64;

export class StreamEndpoint implements Disposable {
  readonly service: string;
  readonly #deps: StreamEndpointDeps;
  readonly #acceptor: StreamAcceptor | undefined;
  readonly #registration: { readonly service: Service } & Disposable;
  readonly #addresses: StreamAddresses;
  #endpoint: Endpoint | undefined;
  #starting: Promise<Endpoint> | undefined;
  #early: { readonly key: string; readonly datagram: Uint8Array }[] = [];
  #closed = false;

  /** `service` "" stands for a new ephemeral one. Throws if it is too long or taken. */
  constructor(deps: StreamEndpointDeps, service: string, acceptor?: StreamAcceptor) {
    this.#deps = deps;
    this.#acceptor = acceptor;
    this.#registration = deps.services.register(service, {
      receive: (packet, from) => this.#receive(packet, from),
      unreachable: (notice, reporter) => this.#unreachable(notice, reporter),
    });
    this.service = serviceText(this.#registration.service);
    this.#addresses = new StreamAddresses(
      deps.nodes,
      (to, toService) => deps.packets.header(this.#registration.service, to, toService),
    );
  }

  /** The address of a service. Throws "no route to node" if there is none. */
  address(nodeId: string, toService: string): StreamAddress {
    const service = serviceFromText(toService);
    if (service === undefined) throw new RangeError(`service name ${toService} too long`);
    const node = this.#deps.nodes.get(nodeId);
    if (node?.nextHop === undefined) throw new Error("no route to node");
    return this.#addresses.of(node, service);
  }

  /**
   * Makes a connection to an address and resolves after the handshake. Throws "service unknown" as
   * soon as that is known.
   */
  async connect(
    { remote, node, tls }: PoolTarget,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const endpoint = await this.#start();
    return await endpoint.connect(remote, tls, node, { signal });
  }

  /** A link that was full has room again. */
  resume(): void {
    this.#endpoint?.resume();
  }

  /** See `Streams`. */
  forgetNode(nodeId: string, sinceMs: number): void {
    this.#endpoint?.forgetNode(nodeId, sinceMs);
  }

  /** Ends all connections now. May be repeated. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#early = [];
    this.#registration[Symbol.dispose]();
    this.#endpoint?.close();
  }

  #receive(packet: Uint8Array<ArrayBuffer>, from: MeshNode): void {
    const { key } = this.#addresses.of(from, packetService(packet, SOURCE_SERVICE_AT));
    const datagram = packetPayload(packet);
    const endpoint = this.#endpoint;
    if (endpoint !== undefined) endpoint.receive(key, datagram);
    else if (this.#acceptor !== undefined) this.#receiveEarly(key, datagram);
  }

  #receiveEarly(key: string, datagram: Uint8Array): void {
    if (this.#early.length >= MAX_EARLY_PACKETS) return;
    this.#early.push({ key, datagram: datagram.slice() });
    if (this.#starting !== undefined) return;
    this.#start().catch((error: Error) => {
      this.#early = [];
      this.#deps.log.error(`Service ${this.service} cannot accept streams: ${error.message}`);
    });
  }

  #start(): Promise<Endpoint> {
    if (this.#endpoint !== undefined) return Promise.resolve(this.#endpoint);
    return this.#starting ??= this.#create().finally(() => this.#starting = undefined);
  }

  async #create(): Promise<Endpoint> {
    // Here and not at the top: a node without streams starts sooner.
    const [{ Endpoint }, { loadCore }, { insecureServerTls }] = await Promise.all([
      import("../quic/endpoint.ts"),
      import("../quic/load_core.ts"),
      import("../quic/insecure_tls.ts"),
    ]);
    const acceptor = this.#acceptor;
    const endpoint = await Endpoint.create({
      clock: this.#deps.clock,
      random: this.#deps.random,
      core: await loadCore(),
      send: (key, datagram) => this.#send(key, datagram),
      writable: (key) => this.#addresses.ofKey(key)?.node.nextHop?.writable ?? true,
      neighbourOf: (node) => this.#deps.nodes.get(node)?.nextHop?.remoteNode ?? node,
      ...(acceptor !== undefined && {
        server: acceptor.tls ?? insecureServerTls(),
        onConnection: (connection) => acceptor.onConnection(connection),
        onIdentityRefused: ({ message }) =>
          this.#deps.log.warning(
            `Service ${this.service} keeps its earlier certificate: ${message}`,
          ),
        onRefused: (_key, reason) =>
          this.#deps.drops.countLimit("stream refused", `service ${this.service}: ${reason}`),
      }),
      onError: ({ message }) =>
        this.#deps.drops.count("streams failed", `service ${this.service}: ${message}`),
    });
    if (this.#closed) {
      endpoint.close();
      throw new Error(`service ${this.service} is closed`);
    }
    this.#endpoint = endpoint;
    for (const { key, datagram } of this.#early) endpoint.receive(key, datagram);
    this.#early = [];
    return endpoint;
  }

  /** A datagram without a route is lost, as on any network; QUIC resends. */
  #send(key: string, datagram: Uint8Array): void {
    const address = this.#addresses.ofKey(key);
    if (address !== undefined) this.#deps.packets.send(address.header, datagram, address.node);
  }

  #unreachable(notice: Unreachable, reporter: string): void {
    const { toNode, toService, problem } = notice;
    const node = this.#deps.nodes.get(toNode);
    const service = serviceFromText(toService);
    if (node === undefined || service === undefined) return;
    // Only the node itself knows its services; a firewall may be anywhere on the way.
    const ends = (problem === Problem.Rejected && this.#isOnTheWay(reporter, node)) ||
      (problem === Problem.ServiceUnknown && reporter === toNode);
    if (!ends) return;
    this.#endpoint?.unreachable(this.#addresses.of(node, service).key, problem);
  }

  /** Whether packets to `node` may pass `reporter`, as far as routes show it. */
  #isOnTheWay(reporter: string, node: MeshNode): boolean {
    const { nodes } = this.#deps;
    if (reporter === nodes.self.id) return true;
    return node.nextHop !== undefined && nodes.get(reporter)?.nextHop === node.nextHop;
  }
}
