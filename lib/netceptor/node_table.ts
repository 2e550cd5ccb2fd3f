/**
 * The nodes of the mesh that this one can address, found by the hash that packets carry. A look-up
 * costs no allocation, since it happens for every packet.
 */
import { packetInt32 } from "../wire/data_packet.ts";
import { hashNodeId, type NodeHash } from "../wire/node_id.ts";

/** Where packets for a node go next: a link's queue, or back to this node. */
export interface NextHop {
  /** Queues a copy of `head` and `tail` as one packet; false if it was dropped. */
  sendData(head: Uint8Array, tail?: Uint8Array): boolean;
  /** False if so much is waiting that a considerate sender waits too. */
  readonly writable: boolean;
  /** Node id of the neighbour. */
  readonly remoteNode: string;
}

export class MeshNode {
  readonly id: string;
  readonly hash: NodeHash;
  /** Undefined while there is no route. */
  nextHop: NextHop | undefined;
  /** No longer in the table: another object may stand for the node later. */
  forgotten = false;
  /** The next node in the same bucket of the table. */
  sameBucket: MeshNode | undefined;
  readonly #high: number;
  readonly #low: number;

  constructor(id: string) {
    this.id = id;
    this.hash = hashNodeId(id);
    this.#high = this.hash.high | 0;
    this.#low = this.hash.low | 0;
  }

  /** The table's bucket for this node. */
  get bucket(): number {
    return this.#low;
  }

  /** Whether the hash has these halves, as signed numbers. */
  hasHash(high: number, low: number): boolean {
    return this.#high === high && this.#low === low;
  }
}

export class NodeTable {
  readonly self: MeshNode;
  readonly #byId = new Map<string, MeshNode>();
  /** The first node of each bucket, by the lower half of the hash. */
  readonly #buckets = new Map<number, MeshNode>();

  constructor(selfId: string) {
    this.self = this.add(selfId);
  }

  /** The node called `id`, added if not known yet. */
  add(id: string): MeshNode {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const node = new MeshNode(id);
    // A new node with the same hash as an older one goes after it, so it cannot take over its
    // traffic.
    const first = this.#buckets.get(node.bucket);
    if (first === undefined) this.#buckets.set(node.bucket, node);
    else lastOf(first).sameBucket = node;
    this.#byId.set(id, node);
    return node;
  }

  delete(id: string): void {
    const node = this.#byId.get(id);
    if (node === undefined || node === this.self) return;
    this.#byId.delete(id);
    node.forgotten = true;
    const first = this.#buckets.get(node.bucket)!;
    if (first === node) {
      if (node.sameBucket === undefined) this.#buckets.delete(node.bucket);
      else this.#buckets.set(node.bucket, node.sameBucket);
      return;
    }
    let before = first;
    while (before.sameBucket !== node) before = before.sameBucket!;
    before.sameBucket = node.sameBucket;
  }

  get(id: string): MeshNode | undefined {
    return this.#byId.get(id);
  }

  /** The node whose hash is in `packet` at `at`. */
  find(packet: Uint8Array, at: number): MeshNode | undefined {
    const high = packetInt32(packet, at);
    const low = packetInt32(packet, at + 4);
    let node = this.#buckets.get(low);
    while (node !== undefined && !node.hasHash(high, low)) node = node.sameBucket;
    return node;
  }

  [Symbol.iterator](): IterableIterator<MeshNode> {
    return this.#byId.values();
  }
}

function lastOf(node: MeshNode): MeshNode {
  while (node.sameBucket !== undefined) node = node.sameBucket;
  return node;
}
