import { deepEqual } from "node:assert/strict";
import type { LinkPolicy } from "../../lib/backends/mod.ts";
import { decideRoute, type LinkState } from "../../lib/netceptor/link_setup.ts";
import type { RouteMessage } from "../../lib/wire/mod.ts";

const fresh: LinkState = { phase: "unidentified" };
const up: LinkState = { phase: "up", remoteNode: "peer", cost: 2, listsUs: false };
const listed: LinkState = { ...up, listsUs: true };

function message(fields: Partial<RouteMessage> & { costs?: Record<string, number> }): RouteMessage {
  const { costs = {}, ...rest } = fields;
  return {
    nodeId: "peer",
    updateId: "id",
    epoch: 1n,
    sequence: 1n,
    connections: new Map(Object.entries(costs)),
    forwardingNode: "peer",
    suspectedDuplicate: 0n,
    ...rest,
  };
}

interface Case {
  name: string;
  state: LinkState;
  message: RouteMessage;
  policy?: Partial<LinkPolicy>;
  linked?: string[];
  decision: unknown;
}

const establish = (cost: number) => ({
  kind: "establish",
  state: { phase: "up", remoteNode: "peer", cost, listsUs: false },
});
const reject = (reason: string, remoteNode = "peer") => ({ kind: "reject", remoteNode, reason });

const cases: Case[] = [
  {
    name: "the first message says who the neighbour is, whoever's routes it carries",
    state: fresh,
    message: message({ nodeId: "other" }),
    decision: establish(1),
  },
  {
    name: "the cost for a node goes before the general one",
    state: fresh,
    message: message({}),
    policy: { nodeCost: { peer: 7, other: 8 } },
    decision: establish(7),
  },
  {
    name: "a node called like a member of every object has the general cost",
    state: fresh,
    message: message({ forwardingNode: "toString" }),
    decision: {
      kind: "establish",
      state: { phase: "up", remoteNode: "toString", cost: 1, listsUs: false },
    },
  },
  {
    name: "a neighbour with our own id is refused",
    state: fresh,
    message: message({ forwardingNode: "me" }),
    decision: reject("it tried to connect using our own node ID", "me"),
  },
  {
    name: "a neighbour that is not on the list is refused",
    state: fresh,
    message: message({}),
    policy: { allowedPeers: ["other"] },
    decision: reject("it is not in the allowed peers list"),
  },
  {
    name: "an empty list allows nobody",
    state: fresh,
    message: message({}),
    policy: { allowedPeers: [] },
    decision: reject("it is not in the allowed peers list"),
  },
  {
    name: "a neighbour on the list is accepted",
    state: fresh,
    message: message({}),
    policy: { allowedPeers: ["other", "peer"] },
    decision: establish(1),
  },
  {
    name: "a second link to a neighbour is refused",
    state: fresh,
    message: message({}),
    linked: ["peer"],
    decision: reject("it connected using a node ID we are already connected to"),
  },
  {
    name: "a neighbour that changes its name is refused",
    state: listed,
    message: message({ forwardingNode: "other" }),
    decision: reject("remote node ID changed unexpectedly from peer to other"),
  },
  {
    name: "an update about another node is processed",
    state: up,
    message: message({ nodeId: "other", costs: { x: 1 } }),
    decision: { kind: "process", state: up },
  },
  {
    name: "a late introduction is ignored",
    state: up,
    message: message({}),
    decision: { kind: "ignore" },
  },
  {
    name: "an update that lists us at our cost is processed and remembered",
    state: up,
    message: message({ costs: { me: 2 } }),
    decision: { kind: "process", state: listed },
  },
  {
    name: "a neighbour that sees another cost is refused",
    state: up,
    message: message({ costs: { me: 1 } }),
    decision: reject("we disagree about the connection cost"),
  },
  {
    name: "a neighbour that listed us once and no longer does is refused",
    state: listed,
    message: message({ costs: { other: 1 } }),
    decision: reject("remote node no longer lists us as a connection"),
  },
];

for (const { name, state, message, policy, linked = [], decision } of cases) {
  Deno.test(`link set-up: ${name}`, () => {
    const context = {
      selfId: "me",
      policy: { cost: 1, nodeCost: {}, ...policy },
      isLinked: (node: string) => linked.includes(node),
    };
    deepEqual(decideRoute(state, message, context), decision);
  });
}
