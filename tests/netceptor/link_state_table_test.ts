import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { LinkStateTable } from "../../lib/netceptor/link_state_table.ts";
import type { RouteMessage } from "../../lib/wire/route_message.ts";

function update(
  nodeId: string,
  connections: Record<string, number>,
  fields: Partial<RouteMessage> = {},
): RouteMessage {
  return {
    nodeId,
    updateId: "id",
    epoch: 1n,
    sequence: 1n,
    connections: new Map(Object.entries(connections)),
    forwardingNode: nodeId,
    suspectedDuplicate: 0n,
    ...fields,
  };
}

function table(state: LinkStateTable): Record<string, Record<string, number>> {
  return Object.fromEntries(
    Array.from(state.costs, ([node, costs]) => [node, Object.fromEntries(costs)]),
  );
}

/** Enters an update that the neighbour `via` brought. */
function enter(state: LinkStateTable, update: RouteMessage, nowMs: number, via = "near") {
  return state.apply(update, via, nowMs);
}

Deno.test("LinkStateTable enters an update and says that the node is new", () => {
  const state = new LinkStateTable("me");
  deepEqual(enter(state, update("a", { b: 2 }), 0), {
    kind: "applied",
    isNew: true,
    isRestarted: false,
    changed: true,
    forgotten: [],
  });
  deepEqual(table(state), { a: { b: 2 } });
});

Deno.test("LinkStateTable tells news from a repetition", () => {
  const state = new LinkStateTable("me");
  enter(state, update("a", { b: 1 }), 0);
  const again = enter(state, update("a", { b: 1 }, { sequence: 2n }), 0);
  deepEqual([again.kind, again.kind === "applied" && again.changed], ["applied", false]);
  const changed = enter(state, update("a", { b: 2 }, { sequence: 3n }), 0);
  equal(changed.kind === "applied" && changed.changed, true);
  equal(changed.kind === "applied" && changed.isNew, false);
});

const orders: [epoch: bigint, sequence: bigint, kind: string][] = [
  [5n, 7n, "stale"],
  [5n, 6n, "stale"],
  [4n, 99n, "stale"],
  [5n, 8n, "applied"],
  [6n, 1n, "applied"],
];
for (const [epoch, sequence, kind] of orders) {
  Deno.test(`after epoch 5, sequence 7, LinkStateTable takes ${epoch}, ${sequence} as ${kind}`, () => {
    const state = new LinkStateTable("me");
    enter(state, update("a", { b: 1 }, { epoch: 5n, sequence: 7n }), 0);
    const outcome = enter(state, update("a", { b: 2 }, { epoch, sequence }), 0);
    equal(outcome.kind, kind);
    if (outcome.kind === "applied") equal(outcome.isRestarted, epoch > 5n);
    equal(state.costs.get("a")!.get("b"), kind === "stale" ? 1 : 2);
  });
}

Deno.test("a node that no longer lists another also loses its link from there", () => {
  const state = new LinkStateTable("me");
  enter(state, update("a", { b: 1, c: 1 }), 0);
  enter(state, update("b", { a: 1 }), 0);
  enter(state, update("a", { c: 1 }, { sequence: 2n }), 0);
  deepEqual(table(state), { a: { c: 1 }, b: {} });
});

Deno.test("an update does not touch our own links", () => {
  const state = new LinkStateTable("me");
  state.connect("a", 3);
  enter(state, update("a", { b: 1 }), 0);
  deepEqual(table(state), { me: { a: 3 }, a: { b: 1 } });
});

Deno.test("a link of ours appears and disappears at both of its ends", () => {
  const state = new LinkStateTable("me");
  state.connect("a", 3);
  deepEqual(table(state), { me: { a: 3 }, a: { me: 3 } });
  state.disconnect("a");
  deepEqual(table(state), { me: {} });
});

Deno.test("a suspected duplicate gives way to the node that suspects it", () => {
  const state = new LinkStateTable("me");
  enter(state, update("a", { b: 1 }, { epoch: 9n }), 0);
  state.applySuspicion(update("a", {}, { epoch: 5n, sequence: 3n, suspectedDuplicate: 9n }));
  equal(enter(state, update("a", { c: 1 }, { epoch: 5n, sequence: 4n }), 0).kind, "applied");
});

Deno.test("a suspicion of an epoch that is not the last one changes nothing", () => {
  const state = new LinkStateTable("me");
  enter(state, update("a", { b: 1 }, { epoch: 9n }), 0);
  state.applySuspicion(update("a", {}, { epoch: 5n, suspectedDuplicate: 8n }));
  equal(enter(state, update("a", {}, { epoch: 5n, sequence: 99n }), 0).kind, "stale");
});

Deno.test("a suspicion by the younger of two nodes changes nothing", () => {
  const state = new LinkStateTable("me");
  enter(state, update("a", { b: 1 }, { epoch: 9n }), 0);
  state.applySuspicion(update("a", {}, { epoch: 2n ** 64n - 1n, suspectedDuplicate: 9n }));
  equal(enter(state, update("a", {}, { epoch: 9n, sequence: 2n }), 0).kind, "applied");
});

Deno.test("neighbours that come and go under new names leave nothing behind", () => {
  const state = new LinkStateTable("me");
  for (let i = 0; i < 100; i++) {
    state.connect(`guest${i}`, 1);
    equal(state.disconnect(`guest${i}`), true);
  }
  deepEqual(table(state), { me: {} });
  state.connect("a", 1);
  enter(state, update("a", { me: 1 }), 0, "a");
  equal(state.disconnect("a"), false, "it has said something");
  deepEqual(table(state), { me: {}, a: {} });
});

Deno.test("in a full table nodes that cannot be reached make room, the oldest first", () => {
  const state = new LinkStateTable("me", { maxNodes: 4, maxConnections: 100 });
  state.connect("near", 1);
  enter(state, update("real", { near: 1 }), 0);
  state.classify(new Set(["near", "real"]));
  const outcomes = [1, 2, 3, 4].map((i) => enter(state, update(`made-up-${i}`, { near: 1 }), 0));
  deepEqual(outcomes.map((outcome) => outcome.kind === "applied" && outcome.forgotten), [
    [],
    [],
    ["made-up-1"],
    ["made-up-2"],
  ]);
  deepEqual(Object.keys(table(state)).sort(), ["made-up-3", "made-up-4", "me", "near", "real"]);
});

Deno.test("the neighbour that brought the most nodes loses first", () => {
  const state = new LinkStateTable("me", { maxNodes: 12, maxConnections: 1000 });
  state.connect("honest", 1);
  state.connect("evil", 1);
  for (const name of ["h1", "h2"]) enter(state, update(name, { honest: 1 }), 0, "honest");
  for (let i = 0; i < 1000; i++) enter(state, update(`e${i}`, { evil: 1 }), 0, "evil");
  state.classify(state.costs);
  // All can be reached now: a neighbour that brought less still gets nodes in, the one that brought
  // the most does not.
  equal(enter(state, update("e-more", { evil: 1 }), 0, "evil").kind, "full");
  equal(enter(state, update("h3", { honest: 1 }), 0, "honest").kind, "applied");
  const nodes = Object.keys(table(state));
  for (const name of ["honest", "evil", "h1", "h2", "h3", "e999"]) ok(nodes.includes(name), name);
  equal(nodes.length, 13);
});

Deno.test("in a table full of nodes that can be reached a silent one makes room", () => {
  const state = new LinkStateTable("me", { maxNodes: 2, maxConnections: 100 });
  state.connect("a", 1);
  enter(state, update("a", { me: 1 }), 0, "a");
  enter(state, update("b", { a: 1 }), 30_000, "a");
  state.classify(new Set(["a", "b"]));
  equal(enter(state, update("c", { a: 1 }), 59_000, "a").kind, "full");
  const outcome = enter(state, update("c", { a: 1 }), 91_000, "a");
  deepEqual(outcome.kind === "applied" && outcome.forgotten, ["b"], "the neighbour stays");
  deepEqual(Object.keys(table(state)).sort(), ["a", "c", "me"]);
});

Deno.test("a table full of links takes more in place of nodes that cannot be reached", () => {
  const state = new LinkStateTable("me", { maxNodes: 10, maxConnections: 3 });
  equal(enter(state, update("a", { x: 1, y: 1, z: 1 }), 0).kind, "applied");
  state.classify(new Set(["a"]));
  equal(enter(state, update("b", { x: 1 }), 0).kind, "full");
  equal(enter(state, update("a", { x: 1 }, { sequence: 2n }), 0).kind, "applied");
  equal(enter(state, update("b", { x: 1, y: 1 }), 0).kind, "applied");
  const outcome = enter(state, update("c", { x: 1 }), 0);
  deepEqual(outcome.kind === "applied" && outcome.forgotten, ["b"]);
});

Deno.test("LinkStateTable agrees with a model without shortcuts, whatever happens", () => {
  const node = fc.constantFrom("a", "b", "c", "d");
  const step = fc.oneof(
    fc.record({ kind: fc.constant("update" as const), node, listed: fc.uniqueArray(node) }),
    fc.record({ kind: fc.constant("connect" as const), node }),
    fc.record({ kind: fc.constant("disconnect" as const), node }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const state = new LinkStateTable("me");
    const model: Record<string, Record<string, number>> = {};
    const heard = new Set<string>();
    let sequence = 0n;
    for (const step of steps) {
      if (step.kind === "update") {
        const costs = Object.fromEntries(step.listed.map((neighbour) => [neighbour, 1]));
        const outcome = enter(state, update(step.node, costs, { sequence: ++sequence }), 0);
        heard.add(step.node);
        equal(outcome.kind, "applied");
        const changed = JSON.stringify(sorted(model[step.node])) !== JSON.stringify(sorted(costs));
        equal(outcome.kind === "applied" && outcome.changed, changed);
        if (!changed) continue;
        model[step.node] = costs;
        for (const other of Object.keys(model)) {
          if (other !== "me" && !(other in costs)) delete model[other]![step.node];
        }
      } else if (step.kind === "connect") {
        state.connect(step.node, 1);
        (model.me ??= {})[step.node] = 1;
        (model[step.node] ??= {}).me = 1;
      } else {
        equal(state.disconnect(step.node), !heard.has(step.node));
        delete model.me?.[step.node];
        delete model[step.node]?.me;
        if (!heard.has(step.node)) delete model[step.node];
      }
    }
    deepEqual(table(state), model);
  }));
});

function sorted(costs: Record<string, number> | undefined) {
  return costs === undefined ? undefined : Object.entries(costs).sort();
}
