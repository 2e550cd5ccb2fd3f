/**
 * The set-up of a link as decisions without I/O: what a route message of the neighbour means, from
 * the first one, which says who it is, to every later one, which must not contradict it.
 */
import type { LinkPolicy } from "../backends/backend.ts";
import type { RouteMessage } from "../wire/mod.ts";

export type LinkState =
  /** The neighbour has not said who it is. */
  | { readonly phase: "unidentified" }
  | {
    readonly phase: "up";
    readonly remoteNode: string;
    readonly cost: number;
    /** Its updates have listed us, and have to from then on. */
    readonly listsUs: boolean;
  };

export type RouteDecision =
  /** The link is up; `state` says with whom and at what cost. */
  | { readonly kind: "establish"; readonly state: LinkState & { phase: "up" } }
  /** Refuse the neighbour; `reason` completes "… because". */
  | { readonly kind: "reject"; readonly remoteNode: string; readonly reason: string }
  /** A regular update, to be entered into the tables. */
  | { readonly kind: "process"; readonly state: LinkState & { phase: "up" } }
  /** A late set-up message: the neighbour did not know of us when it sent it. */
  | { readonly kind: "ignore" };

export interface SetupContext {
  readonly selfId: string;
  readonly policy: LinkPolicy;
  readonly isLinked: (nodeId: string) => boolean;
}

export function decideRoute(
  state: LinkState,
  message: RouteMessage,
  context: SetupContext,
): RouteDecision {
  return state.phase === "up"
    ? decideUpdate(state, message, context)
    : decideIdentity(message.forwardingNode, context);
}

function decideIdentity(remoteNode: string, context: SetupContext): RouteDecision {
  const { selfId, policy, isLinked } = context;
  const reject = (reason: string): RouteDecision => ({ kind: "reject", remoteNode, reason });
  if (remoteNode === selfId) return reject("it tried to connect using our own node ID");
  if (policy.allowedPeers !== undefined && !policy.allowedPeers.includes(remoteNode)) {
    return reject("it is not in the allowed peers list");
  }
  if (isLinked(remoteNode)) {
    return reject("it connected using a node ID we are already connected to");
  }
  const cost = Object.hasOwn(policy.nodeCost, remoteNode)
    ? policy.nodeCost[remoteNode]!
    : policy.cost;
  return { kind: "establish", state: { phase: "up", remoteNode, cost, listsUs: false } };
}

function decideUpdate(
  state: LinkState & { phase: "up" },
  message: RouteMessage,
  { selfId }: SetupContext,
): RouteDecision {
  const { remoteNode, cost } = state;
  const reject = (reason: string): RouteDecision => ({ kind: "reject", remoteNode, reason });
  if (message.forwardingNode !== remoteNode) {
    return reject(
      `remote node ID changed unexpectedly from ${remoteNode} to ${message.forwardingNode}`,
    );
  }
  if (message.nodeId !== remoteNode) return { kind: "process", state };
  const remoteCost = message.connections.get(selfId);
  if (remoteCost === undefined) {
    return state.listsUs
      ? reject("remote node no longer lists us as a connection")
      : { kind: "ignore" };
  }
  if (remoteCost !== cost) return reject("we disagree about the connection cost");
  return { kind: "process", state: { ...state, listsUs: true } };
}
