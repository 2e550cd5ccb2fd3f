import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { pathCosts, shortestPaths } from "../../lib/netceptor/shortest_paths.ts";

type Costs = Map<string, Map<string, number>>;

/** Links in both directions, as in the tables of a mesh at rest. */
function meshOf(links: [string, string, number][]): Costs {
  const costs: Costs = new Map();
  const row = (node: string) => {
    if (!costs.has(node)) costs.set(node, new Map());
    return costs.get(node)!;
  };
  for (const [a, b, cost] of links) {
    row(a).set(b, cost);
    row(b).set(a, cost);
  }
  return costs;
}

/** Least cost between all pairs (Floyd and Warshall). */
function allCosts(costs: Costs): Map<string, Map<string, number>> {
  const nodes = [...costs.keys()];
  const best = new Map(
    nodes.map((a) => [
      a,
      new Map(nodes.map((b) => [b, a === b ? 0 : costs.get(a)!.get(b) ?? Infinity])),
    ]),
  );
  for (const k of nodes) {
    for (const a of nodes) {
      for (const b of nodes) {
        const through = best.get(a)!.get(k)! + best.get(k)!.get(b)!;
        if (through < best.get(a)!.get(b)!) best.get(a)!.set(b, through);
      }
    }
  }
  return best;
}

const anyMesh = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 9 }).map((n) => `n${n}`),
    fc.integer({ min: 0, max: 9 }).map((n) => `n${n}`),
    fc.integer({ min: 1, max: 5 }),
  ).filter(([a, b]) => a !== b),
  { minLength: 1, maxLength: 25 },
).map((links) => meshOf(links));

Deno.test("shortestPaths reaches exactly the nodes that can be reached", () => {
  const costs = meshOf([["a", "b", 1], ["b", "c", 1], ["x", "y", 1]]);
  deepEqual(shortestPaths(costs, "a"), new Map([["b", "b"], ["c", "b"]]));
});

Deno.test("shortestPaths goes round an expensive link", () => {
  const costs = meshOf([["a", "c", 5], ["a", "b", 1], ["b", "c", 1]]);
  equal(shortestPaths(costs, "a").get("c"), "b");
});

Deno.test("shortestPaths takes the neighbour that sorts first among equals", () => {
  const links: [string, string, number][] = [
    ["a", "c", 1],
    ["a", "b", 1],
    ["b", "d", 1],
    ["c", "d", 1],
  ];
  equal(shortestPaths(meshOf(links), "a").get("d"), "b");
  equal(shortestPaths(meshOf(links.reverse()), "a").get("d"), "b");
});

Deno.test("shortestPaths leaves out nodes that have only been mentioned", () => {
  const costs: Costs = new Map([["a", new Map([["b", 1]])], ["b", new Map([["c", 1], ["a", 1]])]]);
  deepEqual(shortestPaths(costs, "a"), new Map([["b", "b"]]));
});

Deno.test("shortestPaths of a node that knows nobody is empty", () => {
  deepEqual(shortestPaths(new Map(), "a"), new Map());
});

Deno.test("pathCosts are the least costs to the nodes that can be reached", () => {
  fc.assert(fc.property(anyMesh, (costs) => {
    for (const [from, least] of allCosts(costs)) {
      const reachable = [...least].filter(([to, cost]) => to !== from && cost < Infinity);
      deepEqual(new Map([...pathCosts(costs, from)].sort()), new Map(reachable.sort()));
    }
  }));
});

Deno.test("following shortestPaths from node to node costs the least there is", () => {
  fc.assert(fc.property(anyMesh, (costs) => {
    const best = allCosts(costs);
    const routes = new Map([...costs.keys()].map((node) => [node, shortestPaths(costs, node)]));
    for (const from of costs.keys()) {
      for (const to of costs.keys()) {
        const least = best.get(from)!.get(to)!;
        if (from === to) continue;
        equal(routes.get(from)!.has(to), least < Infinity);
        let cost = 0;
        let node = from;
        while (node !== to && least < Infinity) {
          const next = routes.get(node)!.get(to)!;
          cost += costs.get(node)!.get(next)!;
          node = next;
        }
        if (least < Infinity) equal(cost, least);
      }
    }
  }));
});
