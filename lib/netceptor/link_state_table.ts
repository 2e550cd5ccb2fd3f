/**
 * Who is linked to whom at what cost, as far as this node has heard. Pure state: `apply` returns
 * what an update means for floods and routes.
 *
 * The table is bounded, and any neighbour can invent nodes. So places go first to our neighbours,
 * then to nodes that can be reached over links that both of their ends report; all others make room
 * for newcomers. Among equals, the neighbour that brought the most loses first.
 */
import type { RouteMessage } from "../wire/route_message.ts";
import { FORGET_NODE_AFTER_MS, MAX_CONNECTIONS_IN_MESH, MAX_NODES } from "./limits.ts";
import { Shares } from "../base/shares.ts";
import type { ConnectionCosts } from "./shortest_paths.ts";

/** What `apply` made of an update. */
export type UpdateOutcome =
  /** Older than what is known. */
  | { readonly kind: "stale" }
  /** No room, so not to be flooded on either. Nodes may have been forgotten in vain. */
  | { readonly kind: "full"; readonly forgotten: readonly string[] }
  | {
    readonly kind: "applied";
    /** The node had not been heard of before, so it should learn of us. */
    readonly isNew: boolean;
    /** The node has restarted since it was last heard of. */
    readonly isRestarted: boolean;
    /** Routes may have changed. */
    readonly changed: boolean;
    /** Nodes that made room. */
    readonly forgotten: readonly string[];
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

/** What a node takes in addition to its connections, counted in connections. */
const NODE_WEIGHT = MAX_CONNECTIONS_IN_MESH / MAX_NODES;

/** Stands for the neighbour that brought a node whose own link is gone. */
const NO_NEIGHBOUR = "";

export class LinkStateTable {
  readonly #self: string;
  readonly #limits: LinkStateLimits;
  readonly #costs = new Map<string, Map<string, number>>();
  /** The nodes whose rows list a node, so that an update need not search all rows. */
  readonly #listedBy = new Map<string, Set<string>>();
  /** The last update of each node. */
  readonly #heard = new Map<string, Heard>();
  /**
   * The reachable nodes except our neighbours, by who brought their last update, sized by weight.
   */
  readonly #reachable = new Shares<string>();
  readonly #unreachable = new Shares<string>();
  #connectionCount = 0;

  constructor(self: string, limits = DEFAULT_LIMITS) {
    this.#self = self;
    this.#limits = limits;
  }

  get costs(): ConnectionCosts {
    return this.#costs;
  }

  /** Enters the update of another node that neighbour `via` brought at monotonic time `nowMs`. */
  apply(update: RouteMessage, via: string, nowMs: number): UpdateOutcome {
    const { nodeId, epoch, sequence, connections } = update;
    const heard = this.#heard.get(nodeId);
    if (heard !== undefined) {
      const newer = epoch > heard.epoch || (epoch === heard.epoch && sequence > heard.sequence);
      if (!newer) return { kind: "stale" };
    }
    const before = this.#costs.get(nodeId);
    const share = this.#shareOf(nodeId);
    // It does not make room for itself.
    share.delete(nodeId);
    const weight = NODE_WEIGHT + connections.size;
    const need = {
      nodes: before === undefined ? 1 : 0,
      connections: connections.size - (before?.size ?? 0),
    };
    const forgotten: string[] = [];
    while (this.#lacks(need)) {
      const victim = this.#victim(via, weight, nowMs);
      if (victim === undefined) {
        if (heard !== undefined) this.#enlist(share, nodeId, via);
        return { kind: "full", forgotten };
      }
      this.#forget(victim);
      forgotten.push(victim);
    }
    this.#heard.set(nodeId, { epoch, sequence, atMs: nowMs });
    const changed = before === undefined || !sameCosts(before, connections);
    if (changed) this.#setConnections(nodeId, connections);
    this.#enlist(share, nodeId, via);
    const isRestarted = heard !== undefined && epoch > heard.epoch;
    return { kind: "applied", isNew: heard === undefined, isRestarted, changed, forgotten };
  }

  /** The epoch that counts for a node; undefined if it has not been heard of. */
  epochOf(nodeId: string): bigint | undefined {
    return this.#heard.get(nodeId)?.epoch;
  }

  /** Records which nodes can be reached, as computed from `costs`. */
  classify(reachable: { has(nodeId: string): boolean }): void {
    for (const nodeId of this.#heard.keys()) {
      const [from, to] = reachable.has(nodeId)
        ? [this.#unreachable, this.#reachable]
        : [this.#reachable, this.#unreachable];
      const via = from.ownerOf(nodeId);
      if (via === undefined) continue;
      from.delete(nodeId);
      this.#enlist(to, nodeId, via);
    }
  }

  /**
   * A node suspects a younger one with the same id, whose epoch is `suspectedDuplicate`, of being
   * its duplicate: if that is the one last heard of, the suspecting node counts from now on.
   */
  applySuspicion(update: RouteMessage): void {
    const heard = this.#heard.get(update.nodeId);
    if (heard === undefined || heard.epoch !== update.suspectedDuplicate) return;
    // The younger one gives way; the reverse would be a trick to silence a node. With the same
    // epoch, a node revokes what somebody else wrote in its name.
    if (update.epoch > heard.epoch) return;
    heard.epoch = update.epoch;
    heard.sequence = update.sequence;
  }

  /** A link of ours came up. */
  connect(neighbour: string, cost: number): void {
    this.#set(this.#self, neighbour, cost);
    this.#set(neighbour, this.#self, cost);
    // As long as its link is up, a neighbour does not make room for others.
    this.#shareOf(neighbour).delete(neighbour);
  }

  /** A link of ours is gone; returns true if nothing more is known about its other end. */
  disconnect(neighbour: string): boolean {
    this.#delete(neighbour, this.#self);
    this.#delete(this.#self, neighbour);
    this.#reachable.leave(neighbour);
    this.#unreachable.leave(neighbour);
    if (this.#heard.has(neighbour)) {
      this.#enlist(this.#unreachable, neighbour, NO_NEIGHBOUR);
      return false;
    }
    this.#forget(neighbour);
    return true;
  }

  #setConnections(nodeId: string, connections: ReadonlyMap<string, number>): void {
    this.#clearRow(nodeId);
    this.#costs.set(nodeId, new Map());
    for (const [neighbour, cost] of connections) this.#set(nodeId, neighbour, cost);
    for (const node of [...this.#listedBy.get(nodeId) ?? []]) {
      if (node !== this.#self && !connections.has(node)) this.#delete(node, nodeId);
    }
  }

  /** The share that holds a known node, or would hold it as a new one. */
  #shareOf(nodeId: string): Shares<string> {
    return this.#reachable.ownerOf(nodeId) === undefined ? this.#unreachable : this.#reachable;
  }

  #enlist(share: Shares<string>, nodeId: string, via: string): void {
    if (this.#costs.get(this.#self)?.has(nodeId)) return;
    share.put(nodeId, via, NODE_WEIGHT + this.#costs.get(nodeId)!.size);
  }

  /** Whether the table has no room for that much more. */
  #lacks(need: { readonly nodes: number; readonly connections: number }): boolean {
    const nodes = this.#costs.size - (this.#costs.has(this.#self) ? 1 : 0);
    return (need.nodes > 0 && nodes + need.nodes > this.#limits.maxNodes) ||
      (need.connections > 0 &&
        this.#connectionCount + need.connections > this.#limits.maxConnections);
  }

  /** The node that makes room for an update of `weight` that `via` brought. */
  #victim(via: string, weight: number, nowMs: number): string | undefined {
    const unreachable = this.#unreachable.oldestOfLargest();
    if (unreachable !== undefined) return unreachable.item;
    const reachable = this.#reachable.oldestOfLargest();
    if (reachable === undefined) return undefined;
    const { item, shareSize } = reachable;
    const isSilent = nowMs - this.#heard.get(item)!.atMs >= FORGET_NODE_AFTER_MS;
    const bringsLess = this.#reachable.sizeOf(via) + weight < shareSize;
    return isSilent || bringsLess ? item : undefined;
  }

  #forget(nodeId: string): void {
    this.#heard.delete(nodeId);
    this.#reachable.delete(nodeId);
    this.#unreachable.delete(nodeId);
    this.#clearRow(nodeId);
    this.#costs.delete(nodeId);
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
