/**
 * Who may begin and hold connections when places are scarce. Any node of the mesh can send as many
 * handshakes as it likes, even in other nodes' names, so nobody's share may depend on others'
 * restraint.
 */

import { giveWay } from "../base/give_way.ts";

/** Items that nodes have with us, by node, the oldest first. */
export class ByNode<Item> {
  readonly #items = new Map<string, Set<Item>>();
  #size = 0;

  /** Of all nodes together. */
  get size(): number {
    return this.#size;
  }

  add(node: string, item: Item): void {
    let ofNode = this.#items.get(node);
    if (!ofNode) this.#items.set(node, ofNode = new Set());
    if (!ofNode.has(item)) this.#size++;
    ofNode.add(item);
  }

  delete(node: string, item: Item): void {
    const ofNode = this.#items.get(node);
    if (!ofNode?.delete(item)) return;
    this.#size--;
    if (ofNode.size === 0) this.#items.delete(node);
  }

  /** How many `node` has. */
  count(node: string): number {
    return this.#items.get(node)?.size ?? 0;
  }

  /** Those of `node`. */
  of(node: string): ReadonlySet<Item> {
    return this.#items.get(node) ?? new Set();
  }

  /** How many each node has. */
  counts(): Map<string, number> {
    return new Map(Array.from(this.#items, ([node, items]) => [node, items.size]));
  }
}

/**
 * The neighbour through which a node is reached. A neighbour can invent nodes, so all that it
 * brings shares what it may have.
 */
export type NeighbourOf = (node: string) => string;

/** A place for one more item: a free one, or that of another item, which has to go. */
export type Place<Item> = "free" | { readonly evict: Item };

/**
 * A place for one more item of `node` among those that are `taken`; undefined if it has its share.
 *
 * When all are taken, an item of the node with the most gives way, behind the neighbour with the
 * most: whoever floods loses its own, and everybody else gets in. `choose` says which, given all of
 * them, the oldest first.
 */
export function findPlace<Item>(
  taken: ByNode<Item>,
  node: string,
  limits: { readonly max: number; readonly maxPerNode?: number },
  choose: (items: readonly Item[]) => Item | undefined,
  neighbourOf?: NeighbourOf,
): Place<Item> | undefined {
  const { max, maxPerNode = max } = limits;
  if (taken.count(node) >= maxPerNode) return undefined;
  if (taken.size < max) return "free";
  const heaviest = giveWay(taken.counts(), { owner: node, more: 1 }, neighbourOf);
  if (heaviest === undefined) return undefined;
  const evict = choose([...taken.of(heaviest)]);
  return evict === undefined ? undefined : { evict };
}

/** What to do about a new handshake. */
export type Judgement<Handshake> =
  | { readonly verdict: "accept"; readonly place: Place<Handshake> }
  /** It must prove its address and try again. */
  | { readonly verdict: "retry" }
  /** There is no answer, so it tries again by itself. */
  | { readonly verdict: "ignore" };

/**
 * Judges a new handshake of `node`, given those that are not complete; `proven` if it has shown
 * that it receives what is sent to its address, without which it may be anybody's. The oldest gives
 * way to one of another node. A node that itself has the most is ignored for now: its older
 * handshakes are closer to completion.
 */
export function judgeHandshake<Handshake>(
  halfOpen: ByNode<Handshake>,
  { node, proven }: { readonly node: string; readonly proven: boolean },
  limits: { readonly maxHalfOpen: number; readonly maxUnproven: number },
  neighbourOf?: NeighbourOf,
): Judgement<Handshake> {
  if (!proven && halfOpen.size >= limits.maxUnproven) return { verdict: "retry" };
  const { maxHalfOpen: max } = limits;
  const place = findPlace(halfOpen, node, { max }, ([oldest]) => oldest, neighbourOf);
  return place === undefined ? { verdict: "ignore" } : { verdict: "accept", place };
}
