/** Sending and receiving single packets on a service of this node. */
import { ConnectionType } from "../wire/advertisement.ts";
import {
  MAX_HOPS,
  PACKET_HEADER_BYTES,
  packetPayload,
  packetService,
  type Service,
  serviceFromText,
  serviceText,
  SOURCE_SERVICE_AT,
} from "../wire/data_packet.ts";
import { MAX_MESSAGE_BYTES } from "../wire/frame.ts";
import type { Unreachable } from "../wire/unreachable.ts";
import { MeshNode, type NodeTable } from "./node_table.ts";
import type { PacketSwitch } from "./packet_switch.ts";
import type { ServiceRegistry } from "./service_registry.ts";

export interface Datagram {
  readonly fromNode: string;
  readonly fromService: string;
  /** A view that is valid during the call. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

export interface DatagramHandler {
  datagram?(datagram: Datagram): void;
  /** The node `reporter` says that a datagram sent from here did not arrive. */
  unreachable?(notice: Unreachable, reporter: string): void;
}

export interface DatagramPortOptions {
  /** Advertises the service to the mesh under these tags. */
  readonly advertise?: { readonly tags: Readonly<Record<string, string>> } | undefined;
}

/** The longest payload: a message has at most 65,535 bytes. */
export const MAX_DATAGRAM_BYTES = MAX_MESSAGE_BYTES - PACKET_HEADER_BYTES;

export interface DatagramPortDeps {
  readonly nodes: NodeTable;
  readonly services: ServiceRegistry;
  readonly packets: PacketSwitch;
  readonly advertisements: {
    offer(
      service: string,
      type: ConnectionType,
      tags: Readonly<Record<string, string>>,
    ): Disposable;
  };
}

/** A service that datagrams go from and to; disposing it ends that. */
export class DatagramPort implements Disposable {
  readonly #deps: DatagramPortDeps;
  readonly #registration: { readonly service: Service } & Disposable;
  #advertisement: Disposable | undefined;

  /** `service` "" stands for a new ephemeral one. Throws if it is too long or taken. */
  constructor(
    deps: DatagramPortDeps,
    service: string,
    handler: DatagramHandler,
    { advertise }: DatagramPortOptions = {},
  ) {
    this.#deps = deps;
    this.#registration = deps.services.register(service, {
      receive: (packet, from) =>
        handler.datagram?.({
          fromNode: from.id,
          fromService: serviceText(packetService(packet, SOURCE_SERVICE_AT)),
          payload: packetPayload(packet),
        }),
      unreachable: (notice, reporter) => handler.unreachable?.(notice, reporter),
    });
    if (advertise !== undefined) this.advertise(advertise.tags);
  }

  /** Advertises the service, if it is not yet; for one that is not ready when its name is taken. */
  advertise(tags: Readonly<Record<string, string>>): void {
    this.#advertisement ??= this.#deps.advertisements.offer(
      this.service,
      ConnectionType.Datagram,
      tags,
    );
  }

  get service(): string {
    return serviceText(this.#registration.service);
  }

  /**
   * Sends a copy of `payload`. `hops` is how often it may be forwarded. Throws "no route to node",
   * or a `RangeError` for more than `MAX_DATAGRAM_BYTES`; otherwise it may still be lost, like any
   * datagram.
   */
  send(toNode: string, toService: string, payload: Uint8Array, hops = MAX_HOPS): void {
    const { nodes, packets } = this.#deps;
    if (payload.length > MAX_DATAGRAM_BYTES) {
      throw new RangeError(
        `datagram of ${payload.length} bytes: at most ${MAX_DATAGRAM_BYTES} fit`,
      );
    }
    const service = serviceFromText(toService);
    if (service === undefined) throw new RangeError(`service name ${toService} too long`);
    // Packets to a node that nobody has heard of can still expire here, as in a traceroute.
    const to = nodes.get(toNode) ?? new MeshNode(toNode);
    const header = packets.header(this.#registration.service, to, service, hops);
    if (packets.send(header, payload, to) === "no route") throw new Error("no route to node");
  }

  [Symbol.dispose](): void {
    this.#advertisement?.[Symbol.dispose]();
    this.#registration[Symbol.dispose]();
  }
}
