import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { LinkStateTable } from "../../lib/netceptor/link_state_table.ts";
import type { RouteMessage } from "../../lib/wire/mod.ts";

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

Deno.test("LinkStateTable enters an update and says that the node is new", () => {
  const state = new LinkStateTable("me");
  deepEqual(state.apply(update("a", { b: 2 }), 0), {
    kind: "applied",
    isNew: true,
    changed: true,
    forgotten: undefined,
  });
  deepEqual(table(state), { a: { b: 2 } });
});

Deno.test("LinkStateTable tells news from a repetition", () => {
  const state = new LinkStateTable("me");
  state.apply(update("a", { b: 1 }), 0);
  const again = state.apply(update("a", { b: 1 }, { sequence: 2n }), 0);
  deepEqual([again.kind, again.kind === "applied" && again.changed], ["applied", false]);
  const changed = state.apply(update("a", { b: 2 }, { sequence: 3n }), 0);
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
    state.apply(update("a", { b: 1 }, { epoch: 5n, sequence: 7n }), 0);
    equal(state.apply(update("a", { b: 2 }, { epoch, sequence }), 0).kind, kind);
    equal(state.costs.get("a")!.get("b"), kind === "stale" ? 1 : 2);
  });
}

Deno.test("a node that no longer lists another loses its link from there, too", () => {
  const state = new LinkStateTable("me");
  state.apply(update("a", { b: 1, c: 1 }), 0);
  state.apply(update("b", { a: 1 }), 0);
  state.apply(update("a", { c: 1 }, { sequence: 2n }), 0);
  deepEqual(table(state), { a: { c: 1 }, b: {} });
});

Deno.test("an update does not touch our own links", () => {
  const state = new LinkStateTable("me");
  state.connect("a", 3);
  state.apply(update("a", { b: 1 }), 0);
  deepEqual(table(state), { me: { a: 3 }, a: { b: 1 } });
});

Deno.test("a link of ours appears and disappears at both of its ends", () => {
  const state = new LinkStateTable("me");
  state.connect("a", 3);
  deepEqual(table(state), { me: { a: 3 }, a: { me: 3 } });
  state.disconnect("a");
  deepEqual(table(state), { me: {}, a: {} });
});

Deno.test("a suspected duplicate gives way to the node that suspects it", () => {
  const state = new LinkStateTable("me");
  state.apply(update("a", { b: 1 }, { epoch: 9n }), 0);
  state.applySuspicion(update("a", {}, { epoch: 5n, sequence: 3n, suspectedDuplicate: 9n }));
  equal(state.apply(update("a", { c: 1 }, { epoch: 5n, sequence: 4n }), 0).kind, "applied");
});

Deno.test("a suspicion of an epoch that is not the last one changes nothing", () => {
  const state = new LinkStateTable("me");
  state.apply(update("a", { b: 1 }, { epoch: 9n }), 0);
  state.applySuspicion(update("a", {}, { epoch: 5n, suspectedDuplicate: 8n }));
  equal(state.apply(update("a", {}, { epoch: 5n, sequence: 99n }), 0).kind, "stale");
});

Deno.test("a full table takes a new node only in place of one that is silent", () => {
  const state = new LinkStateTable("me", { maxNodes: 2, maxConnections: 100 });
  state.connect("a", 1);
  state.apply(update("a", { me: 1 }), 0);
  state.apply(update("b", { a: 1 }), 30_000);
  equal(state.apply(update("c", { a: 1 }), 59_000).kind, "full");
  const outcome = state.apply(update("c", { a: 1 }), 91_000);
  equal(outcome.kind === "applied" && outcome.forgotten, "b", "the neighbour stays");
  deepEqual(Object.keys(table(state)).sort(), ["a", "c", "me"]);
});

Deno.test("a full table takes no more links", () => {
  const state = new LinkStateTable("me", { maxNodes: 10, maxConnections: 3 });
  equal(state.apply(update("a", { x: 1, y: 1, z: 1 }), 0).kind, "applied");
  equal(state.apply(update("b", { x: 1 }), 0).kind, "full");
  equal(state.apply(update("a", { x: 1 }, { sequence: 2n }), 0).kind, "applied");
  equal(state.apply(update("b", { x: 1, y: 1 }), 0).kind, "applied");
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
    let sequence = 0n;
    for (const step of steps) {
      if (step.kind === "update") {
        const costs = Object.fromEntries(step.listed.map((neighbour) => [neighbour, 1]));
        const outcome = state.apply(update(step.node, costs, { sequence: ++sequence }), 0);
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
        state.disconnect(step.node);
        delete model.me?.[step.node];
        delete model[step.node]?.me;
      }
    }
    deepEqual(table(state), model);
  }));
});

function sorted(costs: Record<string, number> | undefined) {
  return costs === undefined ? undefined : Object.entries(costs).sort();
}
