/**
 * The path of data packets through the node: each goes unchanged to the next hop, to a service of
 * this node, or nowhere. It determines the node's speed, so a packet usually costs one table
 * look-up and one copy; names are decoded only for firewall rules, traces and local services.
 */
import {
  DESTINATION_NODE_AT,
  DESTINATION_SERVICE_AT,
  encodePacketHeader,
  MAX_HOPS,
  PACKET_HEADER_BYTES,
  packetHops,
  packetService,
  type Service,
  serviceText,
  setPacketHops,
  SOURCE_NODE_AT,
  SOURCE_SERVICE_AT,
} from "../wire/data_packet.ts";
import { encodeUnreachable, Problem } from "../wire/unreachable.ts";
import type { Clock } from "../base/clock.ts";
import type { DropLog } from "./drop_log.ts";
import type { Firewall, PacketRoute } from "./firewall.ts";
import { MAX_UNREACHABLES_PER_SECOND } from "./limits.ts";
import type { MeshNode, NextHop, NodeTable } from "./node_table.ts";
import { RateLimit } from "./rate_limit.ts";
import type { PacketHandler } from "./service_registry.ts";

/** Reserved services, which every node has. */
export const PING_SERVICE = "ping" as Service;
export const UNREACHABLE_SERVICE = "unreach" as Service;

/** What became of a packet that this node sent. */
export type SendOutcome =
  /** On its way, or answered with an unreachable message. */
  | "sent"
  /** There is currently no route to its node. */
  | "no route"
  /** The queue of the next hop is full. */
  | "dropped";

export interface PacketSwitchDeps {
  readonly clock: Pick<Clock, "now">;
  readonly drops: DropLog;
  readonly nodes: NodeTable;
  readonly handlerOf: (service: Service) => PacketHandler | undefined;
  /** Asked for every packet, if there are rules. */
  readonly firewall?: Firewall | undefined;
  /** Takes a line for each packet, as the original's `--trace` prints them. */
  readonly trace?: ((line: string) => void) | undefined;
}

export class PacketSwitch {
  readonly #deps: PacketSwitchDeps;
  readonly #nodes: NodeTable;
  /** Whether every packet's names are decoded. */
  readonly #inspects: boolean;
  readonly #replies: RateLimit;

  constructor(deps: PacketSwitchDeps) {
    this.#deps = deps;
    this.#nodes = deps.nodes;
    this.#replies = new RateLimit(deps.clock, MAX_UNREACHABLES_PER_SECOND);
    this.#inspects = deps.firewall !== undefined || deps.trace !== undefined;
  }

  /** Takes a packet that came over the link to `via`. May modify its hops. */
  receive(packet: Uint8Array<ArrayBuffer>, via: NextHop): void {
    if (packet.length < PACKET_HEADER_BYTES) {
      this.#deps.drops.count(
        "Error translating data to message struct",
        "data too short to be a valid message",
      );
      return;
    }
    const to = this.#nodes.find(packet, DESTINATION_NODE_AT);
    if (to === undefined) return this.#dropUnknown();
    if (this.#inspects && !this.#inspect(packet, to, via)) return;
    if (to === this.#nodes.self) this.deliver(packet);
    else this.#forward(packet, to);
  }

  /**
   * Sends a packet of this node. `header` is complete, including the hops that it may go, and
   * belongs to the caller again afterwards; `payload` is copied.
   */
  send(header: Uint8Array<ArrayBuffer>, payload: Uint8Array, to: MeshNode): SendOutcome {
    if (this.#inspects && !this.#inspectOwn(header, payload, to)) return "sent";
    if (to === this.#nodes.self) return to.nextHop!.sendData(header, payload) ? "sent" : "dropped";
    const hops = packetHops(header);
    if (hops === 0) {
      this.#reply(header, Problem.ExpiredInTransit, this.#ownRoute(header, to));
      return "sent";
    }
    const { nextHop } = to;
    if (nextHop === undefined) return "no route";
    this.#deps.trace?.(
      `    Forwarding data length ${payload.length} to ${to.id} via ${nextHop.remoteNode}`,
    );
    setPacketHops(header, hops - 1);
    const queued = nextHop.sendData(header, payload);
    setPacketHops(header, hops);
    return queued ? "sent" : "dropped";
  }

  /** A header for packets of this node. */
  header(
    from: Service,
    to: MeshNode,
    toService: Service,
    hops = MAX_HOPS,
  ): Uint8Array<ArrayBuffer> {
    return encodePacketHeader({
      sourceNode: this.#nodes.self.hash,
      destinationNode: to.hash,
      sourceService: from,
      destinationService: toService,
    }, hops);
  }

  /** Gives a packet for this node to its service. */
  deliver(packet: Uint8Array<ArrayBuffer>): void {
    const from = this.#nodes.find(packet, SOURCE_NODE_AT);
    if (from === undefined) return this.#dropUnknown();
    const handler = this.#deps.handlerOf(packetService(packet, DESTINATION_SERVICE_AT));
    if (handler === undefined) this.#reply(packet, Problem.ServiceUnknown);
    else handler.receive(packet, from);
  }

  #forward(packet: Uint8Array<ArrayBuffer>, to: MeshNode): void {
    const hops = packetHops(packet);
    if (hops === 0) return this.#reply(packet, Problem.ExpiredInTransit);
    const { nextHop } = to;
    if (nextHop === undefined) {
      this.#deps.drops.count("Error handling message data", "no route to node");
      return;
    }
    setPacketHops(packet, hops - 1);
    nextHop.sendData(packet);
  }

  /** Tells the sender of `packet` what became of it. */
  #reply(packet: Uint8Array, problem: string, route = this.#routeOf(packet)): void {
    const sourceService = packetService(packet, SOURCE_SERVICE_AT);
    // Neither an unreachable message nor a pong is answered with another message: two nodes could
    // keep answering each other for ever.
    if (sourceService === UNREACHABLE_SERVICE || sourceService === PING_SERVICE) return;
    if (route === undefined) return this.#dropUnknown();
    if (!this.#replies.take()) {
      this.#deps.drops.countLimit("unreachable message not sent because there were too many");
      return;
    }
    const from = this.#nodes.get(route.fromNode)!;
    const header = this.header(UNREACHABLE_SERVICE, from, UNREACHABLE_SERVICE);
    this.send(header, encodeUnreachable({ ...route, problem }), from);
  }

  /** Traces a packet that arrived and asks the firewall; false when it ends here. */
  #inspect(packet: Uint8Array<ArrayBuffer>, to: MeshNode, via: NextHop): boolean {
    const route = this.#routeOf(packet);
    if (route === undefined) {
      this.#dropUnknown();
      return false;
    }
    const { trace } = this.#deps;
    if (trace !== undefined) {
      const length = packet.length - PACKET_HEADER_BYTES;
      trace(`--- Received data length ${length} ${describe(route)} via ${via.remoteNode}`);
      const next = to === this.#nodes.self ? undefined : to.nextHop;
      if (next !== undefined) {
        trace(`    Forwarding data length ${length} to ${to.id} via ${next.remoteNode}`);
      }
    }
    return this.#admit(packet, route);
  }

  #inspectOwn(header: Uint8Array<ArrayBuffer>, payload: Uint8Array, to: MeshNode): boolean {
    const route = this.#ownRoute(header, to);
    this.#deps.trace?.(`--- Sending data length ${payload.length} ${describe(route)}`);
    return this.#admit(header, route);
  }

  #admit(packet: Uint8Array, route: PacketRoute): boolean {
    const verdict = this.#deps.firewall?.(route) ?? "accept";
    if (verdict === "reject") this.#reply(packet, Problem.Rejected, route);
    return verdict === "accept";
  }

  /** As `#routeOf`; `to` need not be a known node. */
  #ownRoute(header: Uint8Array, to: MeshNode): PacketRoute {
    return {
      fromNode: this.#nodes.self.id,
      toNode: to.id,
      fromService: serviceText(packetService(header, SOURCE_SERVICE_AT)),
      toService: serviceText(packetService(header, DESTINATION_SERVICE_AT)),
    };
  }

  /** The names in a packet's header; undefined if its nodes are not known. */
  #routeOf(packet: Uint8Array): PacketRoute | undefined {
    const from = this.#nodes.find(packet, SOURCE_NODE_AT);
    const to = this.#nodes.find(packet, DESTINATION_NODE_AT);
    if (from === undefined || to === undefined) return undefined;
    return {
      fromNode: from.id,
      toNode: to.id,
      fromService: serviceText(packetService(packet, SOURCE_SERVICE_AT)),
      toService: serviceText(packetService(packet, DESTINATION_SERVICE_AT)),
    };
  }

  #dropUnknown(): void {
    this.#deps.drops.count("Error translating data to message struct", "hash not found");
  }
}

function describe({ fromNode, fromService, toNode, toService }: PacketRoute): string {
  return `from ${fromNode}:${fromService} to ${toNode}:${toService}`;
}
