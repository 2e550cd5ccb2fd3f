/** A service of this node as a QUIC endpoint uses it: datagrams to and from keys of addresses. */
import {
  packetPayload,
  packetService,
  type Service,
  serviceFromText,
  serviceText,
  SOURCE_SERVICE_AT,
} from "../wire/data_packet.ts";
import { Problem, type Unreachable } from "../wire/unreachable.ts";
import type { MeshNode, NodeTable } from "./node_table.ts";
import type { PacketSwitch } from "./packet_switch.ts";
import type { ServiceRegistry } from "./service_registry.ts";
import { StreamAddresses, streamKey } from "./stream_address.ts";

export interface StreamPortDeps {
  readonly nodes: NodeTable;
  readonly services: ServiceRegistry;
  readonly packets: PacketSwitch;
}

export interface StreamPortHandler {
  /** A datagram from `key`; the view is valid during the call. */
  receive(key: string, datagram: Uint8Array): void;
  /** The mesh says that nobody is there at `key`, which matters to those who dial. */
  unreachable?(key: string, problem: string): void;
}

export class StreamPort implements Disposable {
  readonly service: string;
  readonly #deps: StreamPortDeps;
  readonly #handler: StreamPortHandler;
  readonly #registration: { readonly service: Service } & Disposable;
  readonly #addresses: StreamAddresses;

  /** `service` "" stands for a new ephemeral one. Throws if it is too long or taken. */
  constructor(deps: StreamPortDeps, service: string, handler: StreamPortHandler) {
    this.#deps = deps;
    this.#handler = handler;
    this.#registration = deps.services.register(service, {
      receive: (packet, from) => {
        const { key } = this.#addresses.of(from, packetService(packet, SOURCE_SERVICE_AT));
        handler.receive(key, packetPayload(packet));
      },
      unreachable: (notice, reporter) => this.#unreachable(notice, reporter),
    });
    this.service = serviceText(this.#registration.service);
    this.#addresses = new StreamAddresses(
      deps.nodes,
      (to, toService) => deps.packets.header(this.#registration.service, to, toService),
    );
  }

  /** Whether the link towards `key` has room. */
  writable(key: string): boolean {
    return this.#addresses.ofKey(key)?.node.nextHop?.writable ?? true;
  }

  /** A datagram without a route is lost, as on any network; QUIC resends. */
  send(key: string, datagram: Uint8Array): void {
    const address = this.#addresses.ofKey(key);
    if (address !== undefined) this.#deps.packets.send(address.header, datagram, address.node);
  }

  [Symbol.dispose](): void {
    this.#registration[Symbol.dispose]();
  }

  #unreachable(notice: Unreachable, reporter: string): void {
    const { toNode, toService, problem } = notice;
    const node = this.#deps.nodes.get(toNode);
    const service = serviceFromText(toService);
    if (node === undefined || service === undefined) return;
    // Only the node itself knows its services; a firewall may be anywhere on the way.
    const counts = (problem === Problem.Rejected && this.#isOnTheWay(reporter, node)) ||
      (problem === Problem.ServiceUnknown && reporter === toNode);
    if (counts) this.#handler.unreachable?.(streamKey(node.id, service), problem);
  }

  /** Whether packets to `node` may pass `reporter`, as far as routes show it. */
  #isOnTheWay(reporter: string, node: MeshNode): boolean {
    const { nodes } = this.#deps;
    if (reporter === nodes.self.id) return true;
    return node.nextHop !== undefined && nodes.get(reporter)?.nextHop === node.nextHop;
  }
}
