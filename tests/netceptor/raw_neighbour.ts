/** A neighbour that a test plays itself, message by message. */
import type { Session } from "../../lib/backends/backend.ts";
import { memorySessionPair } from "../../lib/backends/memory.ts";
import { encodePacketHeader, serviceFromText } from "../../lib/wire/data_packet.ts";
import { FrameBatch } from "../../lib/wire/frame.ts";
import { MessageType } from "../../lib/wire/message_type.ts";
import { hashNodeId } from "../../lib/wire/node_id.ts";
import {
  decodeRouteMessage,
  encodeRouteMessage,
  type RouteMessage,
} from "../../lib/wire/route_message.ts";
import type { SimMesh, SimNode } from "../sim/sim_mesh.ts";
import { settle } from "../sim/virtual_clock.ts";

export class RawNeighbour {
  readonly nodeId: string;
  /** Everything that the node under test has sent. */
  readonly received: Uint8Array[] = [];
  /** The node has closed the link. */
  ended = false;
  readonly #session: Session;
  #sequence = 0n;

  /** Links up with `node` unless `silent`. */
  constructor(mesh: SimMesh, node: SimNode, nodeId: string, options: { silent?: boolean } = {}) {
    const [ours, theirs] = memorySessionPair([nodeId, node.netceptor.nodeId]);
    this.nodeId = nodeId;
    this.#session = ours;
    mesh.attach(node, theirs);
    void this.#receive();
    if (!options.silent) {
      void this.sendRoute({});
      void this.sendRoute({ connections: new Map([[node.netceptor.nodeId, 1]]) });
    }
  }

  /** Sends raw messages and lets the node handle them. */
  async send(...messages: Uint8Array[]): Promise<void> {
    const batch = new FrameBatch(64 * 1024 * 1024);
    for (const message of messages) batch.append(message);
    await this.#session.send(batch.frames.slice()).catch(() => {});
    await settle();
  }

  async sendRoute(fields: Partial<RouteMessage>): Promise<void> {
    this.#sequence++;
    await this.send(encodeRouteMessage({
      nodeId: this.nodeId,
      updateId: `${this.nodeId}${this.#sequence}`,
      epoch: 1n,
      sequence: this.#sequence,
      connections: new Map(),
      forwardingNode: this.nodeId,
      suspectedDuplicate: 0n,
      ...fields,
    }));
  }

  get routes(): RouteMessage[] {
    return this.#ofType(MessageType.Route).map((message) => decodeRouteMessage(message));
  }

  get packets(): Uint8Array[] {
    return this.#ofType(MessageType.Data);
  }

  get rejected(): boolean {
    return this.#ofType(MessageType.Reject).length > 0;
  }

  #ofType(type: number): Uint8Array[] {
    return this.received.filter((message) => message[0] === type);
  }

  async #receive(): Promise<void> {
    for (;;) {
      const messages = await this.#session.receive().catch(() => null);
      if (messages === null) break;
      for (const message of messages) this.received.push(message.slice());
    }
    this.ended = true;
  }
}

/** A data packet from and to `node:service` addresses. */
export function packet(
  [fromNode, fromService]: [string, string],
  [toNode, toService]: [string, string],
  { hops = 30, payload = new Uint8Array() }: { hops?: number; payload?: Uint8Array } = {},
): Uint8Array {
  const header = encodePacketHeader({
    sourceNode: hashNodeId(fromNode),
    destinationNode: hashNodeId(toNode),
    sourceService: serviceFromText(fromService)!,
    destinationService: serviceFromText(toService)!,
  }, hops);
  return Uint8Array.of(...header, ...payload);
}
