/**
 * Who is linked to whom at what cost, as far as this node has heard. Pure state: what an update
 * means for floods and routes is the answer of `apply`.
 */
import type { RouteMessage } from "../wire/mod.ts";
import { FORGET_NODE_AFTER_MS, MAX_CONNECTIONS_IN_MESH, MAX_NODES } from "./limits.ts";
import type { ConnectionCosts } from "./shortest_paths.ts";

/** What `apply` made of an update. */
export type UpdateOutcome =
  /** Older than what is known. */
  | { readonly kind: "stale" }
  /** No room; not to be flooded on either. */
  | { readonly kind: "full" }
  | {
    readonly kind: "applied";
    /** The node was not heard of before: it should learn of us. */
    readonly isNew: boolean;
    /** Routes may have changed. */
    readonly changed: boolean;
    /** A silent node that made room. */
    readonly forgotten: string | undefined;
  };

interface Heard {
  epoch: bigint;
  sequence: bigint;
  atMs: number;
}

export interface LinkStateLimits {
  readonly maxNodes: number;
  readonly maxConnections: number;
}

const DEFAULT_LIMITS: LinkStateLimits = {
  maxNodes: MAX_NODES,
  maxConnections: MAX_CONNECTIONS_IN_MESH,
};

export class LinkStateTable {
  readonly #self: string;
  readonly #limits: LinkStateLimits;
  readonly #costs = new Map<string, Map<string, number>>();
  /** The nodes in whose rows a node is, so that an update need not look at all rows. */
  readonly #listedBy = new Map<string, Set<string>>();
  /** The last update of each node, the one silent for longest first. */
  readonly #heard = new Map<string, Heard>();
  #connectionCount = 0;

  constructor(self: string, limits = DEFAULT_LIMITS) {
    this.#self = self;
    this.#limits = limits;
  }

  get costs(): ConnectionCosts {
    return this.#costs;
  }

  /** Enters the update of another node. `nowMs` is monotonic time. */
  apply(update: RouteMessage, nowMs: number): UpdateOutcome {
    const { nodeId, epoch, sequence } = update;
    const heard = this.#heard.get(nodeId);
    if (heard !== undefined) {
      const newer = epoch > heard.epoch || (epoch === heard.epoch && sequence > heard.sequence);
      if (!newer) return { kind: "stale" };
    }
    const before = this.#costs.get(nodeId);
    const growth = update.connections.size - (before?.size ?? 0);
    if (this.#connectionCount + growth > this.#limits.maxConnections) return { kind: "full" };
    let forgotten: string | undefined;
    if (heard === undefined && this.#heard.size >= this.#limits.maxNodes) {
      forgotten = this.#forgetSilentNode(nowMs);
      if (forgotten === undefined) return { kind: "full" };
    }
    this.#heard.delete(nodeId);
    this.#heard.set(nodeId, { epoch, sequence, atMs: nowMs });
    const changed = before === undefined || !sameCosts(before, update.connections);
    if (changed) this.#setConnections(nodeId, update.connections);
    return { kind: "applied", isNew: heard === undefined, changed, forgotten };
  }

  /**
   * A node suspects another one, of the same name and with epoch `suspected`, of being its
   * duplicate: if that is the one heard of last, the suspecting node counts from now on.
   */
  applySuspicion(update: RouteMessage): void {
    const heard = this.#heard.get(update.nodeId);
    if (heard === undefined || heard.epoch !== update.suspectedDuplicate) return;
    heard.epoch = update.epoch;
    heard.sequence = update.sequence;
  }

  /** A link of ours came up. */
  connect(neighbour: string, cost: number): void {
    this.#set(this.#self, neighbour, cost);
    this.#set(neighbour, this.#self, cost);
  }

  /** A link of ours is gone. */
  disconnect(neighbour: string): void {
    this.#delete(neighbour, this.#self);
    this.#delete(this.#self, neighbour);
  }

  #setConnections(nodeId: string, connections: ReadonlyMap<string, number>): void {
    this.#clearRow(nodeId);
    this.#costs.set(nodeId, new Map());
    for (const [neighbour, cost] of connections) this.#set(nodeId, neighbour, cost);
    for (const node of [...this.#listedBy.get(nodeId) ?? []]) {
      if (node !== this.#self && !connections.has(node)) this.#delete(node, nodeId);
    }
  }

  /** Drops the node that was silent for longest, if that is long enough. */
  #forgetSilentNode(nowMs: number): string | undefined {
    for (const [node, { atMs }] of this.#heard) {
      if (nowMs - atMs < FORGET_NODE_AFTER_MS) return undefined;
      // A neighbour is kept as long as its link is.
      if (this.#costs.get(this.#self)?.has(node)) continue;
      this.#heard.delete(node);
      this.#clearRow(node);
      this.#costs.delete(node);
      return node;
    }
    return undefined;
  }

  #set(node: string, neighbour: string, cost: number): void {
    let row = this.#costs.get(node);
    if (row === undefined) this.#costs.set(node, row = new Map());
    if (!row.has(neighbour)) this.#connectionCount++;
    row.set(neighbour, cost);
    let listedBy = this.#listedBy.get(neighbour);
    if (listedBy === undefined) this.#listedBy.set(neighbour, listedBy = new Set());
    listedBy.add(node);
  }

  #delete(node: string, neighbour: string): void {
    if (!this.#costs.get(node)?.delete(neighbour)) return;
    this.#connectionCount--;
    const listedBy = this.#listedBy.get(neighbour)!;
    listedBy.delete(node);
    if (listedBy.size === 0) this.#listedBy.delete(neighbour);
  }

  #clearRow(node: string): void {
    for (const neighbour of [...this.#costs.get(node)?.keys() ?? []]) this.#delete(node, neighbour);
  }
}

function sameCosts(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  if (a.size !== b.size) return false;
  for (const [node, cost] of a) if (b.get(node) !== cost) return false;
  return true;
}
