import { deepEqual } from "node:assert/strict";
import type { LinkPolicy } from "../../lib/backends/backend.ts";
import { decideRoute, type LinkPhase } from "../../lib/netceptor/link_setup.ts";
import type { RouteMessage } from "../../lib/wire/route_message.ts";

const fresh: LinkPhase = { kind: "unidentified" };
const up: LinkPhase = { kind: "up", remoteNode: "peer", cost: 2, listsUs: false };
const listed: LinkPhase = { ...up, listsUs: true };

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
  phase: LinkPhase;
  message: RouteMessage;
  policy?: Partial<LinkPolicy>;
  certified?: string[];
  linked?: string[];
  decision: unknown;
}

const establish = (cost: number) => ({
  kind: "establish",
  phase: { kind: "up", remoteNode: "peer", cost, listsUs: false },
});
const reject = (reason: string, remoteNode = "peer") => ({ kind: "reject", remoteNode, reason });

const cases: Case[] = [
  {
    name: "the first message says who the neighbour is, whoever's routes it carries",
    phase: fresh,
    message: message({ nodeId: "other" }),
    decision: establish(1),
  },
  {
    name: "the cost for a node takes precedence over the general one",
    phase: fresh,
    message: message({}),
    policy: { nodeCost: { peer: 7, other: 8 } },
    decision: establish(7),
  },
  {
    name: "a node named like a member of every object has the general cost",
    phase: fresh,
    message: message({ forwardingNode: "toString" }),
    decision: {
      kind: "establish",
      phase: { kind: "up", remoteNode: "toString", cost: 1, listsUs: false },
    },
  },
  {
    name: "a neighbour with our own id is refused",
    phase: fresh,
    message: message({ forwardingNode: "me" }),
    decision: reject("it tried to connect using our own node ID", "me"),
  },
  {
    name: "a neighbour that is not on the list is refused",
    phase: fresh,
    message: message({}),
    policy: { allowedPeers: ["other"] },
    decision: reject("it is not in the allowed peers list"),
  },
  {
    name: "an empty list allows nobody",
    phase: fresh,
    message: message({}),
    policy: { allowedPeers: [] },
    decision: reject("it is not in the allowed peers list"),
  },
  {
    name: "a neighbour on the list is accepted",
    phase: fresh,
    message: message({}),
    policy: { allowedPeers: ["other", "peer"] },
    decision: establish(1),
  },
  {
    name: "a neighbour whose certificate names it is accepted",
    phase: fresh,
    message: message({}),
    policy: { verifyNodeId: true },
    certified: ["other", "peer"],
    decision: establish(1),
  },
  {
    name: "a neighbour whose certificate names others is refused",
    phase: fresh,
    message: message({}),
    policy: { verifyNodeId: true, allowedPeers: ["peer"] },
    certified: ["evil", "two\nlines"],
    decision: reject("its certificate names evil, two\\nlines (verifynodeid)"),
  },
  {
    name: "a neighbour without a certificate is refused when it needs one",
    phase: fresh,
    message: message({}),
    policy: { verifyNodeId: true },
    decision: reject("it has no certificate that names a node (verifynodeid)"),
  },
  {
    name: "a second link to a neighbour is refused",
    phase: fresh,
    message: message({}),
    linked: ["peer"],
    decision: reject("it connected using a node ID we are already connected to"),
  },
  {
    name: "a neighbour that changes its name is refused",
    phase: listed,
    message: message({ forwardingNode: "other" }),
    decision: reject("remote node ID changed unexpectedly from peer to other"),
  },
  {
    name: "an update about another node is processed",
    phase: up,
    message: message({ nodeId: "other", costs: { x: 1 } }),
    decision: { kind: "process", phase: up },
  },
  {
    name: "a late introduction is ignored",
    phase: up,
    message: message({}),
    decision: { kind: "ignore" },
  },
  {
    name: "an update that lists us at our cost is processed and remembered",
    phase: up,
    message: message({ costs: { me: 2 } }),
    decision: { kind: "process", phase: listed },
  },
  {
    name: "a neighbour that sees another cost is refused",
    phase: up,
    message: message({ costs: { me: 1 } }),
    decision: reject("we disagree about the connection cost"),
  },
  {
    name: "a neighbour that listed us once and no longer does is refused",
    phase: listed,
    message: message({ costs: { other: 1 } }),
    decision: reject("remote node no longer lists us as a connection"),
  },
];

for (const test of cases) {
  const { name, phase, message, policy, certified = [], linked = [], decision } = test;
  Deno.test(`link set-up: ${name}`, () => {
    const context = {
      selfId: "me",
      policy: { cost: 1, nodeCost: {}, ...policy },
      certifiedNodes: certified,
      hasRoomFor: () => true,
      isLinked: (node: string) => linked.includes(node),
    };
    deepEqual(decideRoute(phase, message, context), decision);
  });
}
