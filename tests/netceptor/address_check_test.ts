import { deepEqual, equal } from "node:assert/strict";
import type { Session } from "../../lib/backends/backend.ts";
import {
  DESTINATION_SERVICE_AT,
  encodePacketHeader,
  packetService,
  type Service,
  SOURCE_SERVICE_AT,
} from "../../lib/wire/data_packet.ts";
import { messagesIn } from "../../lib/wire/frame.ts";
import { MessageType } from "../../lib/wire/message_type.ts";
import { hashNodeId } from "../../lib/wire/node_id.ts";
import { encodeRouteMessage } from "../../lib/wire/route_message.ts";
import { SimMesh } from "../sim/sim_mesh.ts";
import { settle } from "../sim/virtual_clock.ts";

const VICTIM = "victim";

/** A session whose address may be forged, with a test at its other end. */
class ForgeableSession implements Session {
  readonly description = "forgeable";
  readonly acceptedFrom: string;
  readonly sent: Uint8Array[] = [];
  confirmed = false;
  closed = false;
  #queue: Uint8Array<ArrayBuffer>[] = [];
  #wake = () => {};

  constructor(acceptedFrom = "192.0.2.1") {
    this.acceptedFrom = acceptedFrom;
  }

  confirmAddress(): void {
    this.confirmed = true;
  }

  put(message: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#queue.push(message);
    this.#wake();
    return settle();
  }

  async receive(): Promise<readonly Uint8Array<ArrayBuffer>[] | null> {
    while (this.#queue.length === 0) {
      if (this.closed) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#queue.splice(0);
  }

  send(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.closed) return Promise.reject(new Error("closed"));
    this.sent.push(...messagesIn(frames.slice()));
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
    this.#wake();
  }

  get pings(): Uint8Array[] {
    return this.sent.filter((message) => message[0] === MessageType.Data);
  }
}

function introduction(nodeId: string, connections: Record<string, number> = {}) {
  return encodeRouteMessage({
    nodeId,
    updateId: crypto.randomUUID().slice(0, 8),
    epoch: 1n,
    sequence: BigInt(Object.keys(connections).length + 1),
    connections: new Map(Object.entries(connections)),
    forwardingNode: nodeId,
    suspectedDuplicate: 0n,
  });
}

/** A pong of `from` to whatever service asked. */
function pong(from: string, service: Service): Uint8Array<ArrayBuffer> {
  return encodePacketHeader({
    sourceNode: hashNodeId(from),
    destinationNode: hashNodeId(VICTIM),
    sourceService: "ping" as Service,
    destinationService: service,
  }, 30);
}

function linksOf(mesh: SimMesh, session: ForgeableSession) {
  const node = mesh.add(VICTIM);
  mesh.attach(node, session);
  return () => node.netceptor.status(["Connections"]).Connections.map(({ NodeID }) => NodeID);
}

Deno.test("a neighbour whose address may be forged is linked once it answers a ping", async () => {
  await using mesh = new SimMesh();
  const session = new ForgeableSession();
  const links = linksOf(mesh, session);
  await settle();
  equal(session.sent.length, 0, "it is not answered before it says who it is");
  await session.put(introduction("peer"));
  equal(session.sent.length, 1);
  await session.put(introduction("peer", { [VICTIM]: 1 }));
  deepEqual(links(), []);
  equal(session.confirmed, false);
  const [ping] = session.pings;
  equal(packetService(ping!, DESTINATION_SERVICE_AT), "ping");
  await session.put(pong("peer", packetService(ping!, SOURCE_SERVICE_AT)));
  await settle();
  equal(session.confirmed, true);
  deepEqual(links(), ["peer"], "what it said before counts");
});

Deno.test("a neighbour that does not answer its ping is neither linked nor kept", async () => {
  await using mesh = new SimMesh();
  const session = new ForgeableSession();
  const links = linksOf(mesh, session);
  for (const guess of ["ping", "unreach", "guessed1"] as Service[]) {
    await session.put(introduction("peer", { [VICTIM]: 1 }));
    await session.put(pong("peer", guess));
  }
  const service = packetService(session.pings[0]!, SOURCE_SERVICE_AT);
  await session.put(pong("somebody else", service));
  await mesh.clock.advance(5_000);
  deepEqual(links(), []);
  equal(session.closed, false);
  await mesh.clock.advance(7_000);
  equal(session.closed, true);
  equal(session.confirmed, false);
});
