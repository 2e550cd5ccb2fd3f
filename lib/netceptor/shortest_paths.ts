/** Least-cost routes through the mesh (Dijkstra's algorithm). */

/** Cost of each known link, by node and neighbour. All costs are above 0. */
export type ConnectionCosts = ReadonlyMap<string, ReadonlyMap<string, number>>;

/**
 * The neighbour of `self` to go through for each node that can be reached. Nodes without their own
 * row in `costs` are not destinations: nothing has been heard from them. Of several equally cheap
 * neighbours, the one whose id sorts first is chosen, so that all computations agree.
 */
export function shortestPaths(costs: ConnectionCosts, self: string): Map<string, string> {
  return search(costs, self).nextHops;
}

/** The cost of the cheapest path from `self` to each node that can be reached. */
export function pathCosts(costs: ConnectionCosts, self: string): Map<string, number> {
  const { best } = search(costs, self);
  best.delete(self);
  return best;
}

function search(
  costs: ConnectionCosts,
  self: string,
): { nextHops: Map<string, string>; best: Map<string, number> } {
  const nextHops = new Map<string, string>();
  const best = new Map<string, number>([[self, 0]]);
  const done = new Set<string>();
  const queue = new CostHeap();
  queue.push(self, 0);
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (done.has(node)) continue;
    done.add(node);
    for (const [neighbour, linkCost] of costs.get(node) ?? []) {
      if (done.has(neighbour) || !costs.has(neighbour)) continue;
      const pathCost = best.get(node)! + linkCost;
      const nextHop = node === self ? neighbour : nextHops.get(node)!;
      const known = best.get(neighbour) ?? Infinity;
      if (pathCost < known) {
        best.set(neighbour, pathCost);
        nextHops.set(neighbour, nextHop);
        queue.push(neighbour, pathCost);
      } else if (pathCost === known && nextHop < nextHops.get(neighbour)!) {
        nextHops.set(neighbour, nextHop);
      }
    }
  }
  return { nextHops, best };
}

/** A binary heap: the cheapest node comes out first. */
class CostHeap {
  readonly #items: { node: string; cost: number }[] = [];

  push(node: string, cost: number): void {
    const items = this.#items;
    let at = items.push({ node, cost }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]!.cost <= items[at]!.cost) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  pop(): string | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined) return undefined;
    if (items.length > 0) {
      items[0] = last;
      this.#sink();
    }
    return top.node;
  }

  #sink(): void {
    const items = this.#items;
    for (let at = 0;;) {
      let cheapest = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < items.length && items[child]!.cost < items[cheapest]!.cost) cheapest = child;
      }
      if (cheapest === at) return;
      this.#swap(at, cheapest);
      at = cheapest;
    }
  }

  #swap(a: number, b: number): void {
    const items = this.#items;
    [items[a], items[b]] = [items[b]!, items[a]!];
  }
}
