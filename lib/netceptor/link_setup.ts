/**
 * The set-up of a link as decisions without I/O: what a route message from the neighbour means,
 * from the first one, which says who it is, to all later ones, which must not contradict it.
 */
import type { LinkPolicy } from "../backends/backend.ts";
import { printableList } from "../base/printable.ts";
import type { RouteMessage } from "../wire/route_message.ts";

/** How far a link has come. */
export type LinkPhase =
  /** The neighbour has not said who it is. */
  | { readonly kind: "unidentified" }
  | {
    readonly kind: "up";
    readonly remoteNode: string;
    readonly cost: number;
    /** Its updates have listed us, and must keep listing us. */
    readonly listsUs: boolean;
  };

/** The phase of a link whose neighbour is known. */
export type UpPhase = Extract<LinkPhase, { kind: "up" }>;

export type RouteDecision =
  /** The link is up; `phase` says with whom and at what cost. */
  | { readonly kind: "establish"; readonly phase: UpPhase }
  /** Refuse the neighbour; `reason` completes "… because". */
  | { readonly kind: "reject"; readonly remoteNode: string; readonly reason: string }
  /** A regular update, to enter into the tables. */
  | { readonly kind: "process"; readonly phase: UpPhase }
  /** A late set-up message: the neighbour did not know of us when it sent it. */
  | { readonly kind: "ignore" };

export interface SetupContext {
  readonly selfId: string;
  readonly policy: LinkPolicy;
  /** Node ids in the neighbour's certificate, if it has shown one. */
  readonly certifiedNodes: readonly string[];
  readonly isLinked: (nodeId: string) => boolean;
  /** Whether a link with this node and cost still fits into our route message. */
  readonly hasRoomFor: (nodeId: string, cost: number) => boolean;
}

export function decideRoute(
  phase: LinkPhase,
  message: RouteMessage,
  context: SetupContext,
): RouteDecision {
  return phase.kind === "up"
    ? decideUpdate(phase, message, context)
    : decideIdentity(message.forwardingNode, context);
}

function decideIdentity(remoteNode: string, context: SetupContext): RouteDecision {
  const { selfId, policy, certifiedNodes, isLinked, hasRoomFor } = context;
  const reject = (reason: string): RouteDecision => ({ kind: "reject", remoteNode, reason });
  if (remoteNode === selfId) return reject("it tried to connect using our own node ID");
  if (policy.allowedPeers !== undefined && !policy.allowedPeers.includes(remoteNode)) {
    return reject("it is not in the allowed peers list");
  }
  if (policy.verifyNodeId && !certifiedNodes.includes(remoteNode)) {
    return reject(
      certifiedNodes.length === 0
        ? "it has no certificate that names a node (verifynodeid)"
        : `its certificate names ${printableList(certifiedNodes)} (verifynodeid)`,
    );
  }
  if (isLinked(remoteNode)) {
    return reject("it connected using a node ID we are already connected to");
  }
  const cost = Object.hasOwn(policy.nodeCost, remoteNode)
    ? policy.nodeCost[remoteNode]!
    : policy.cost;
  if (!hasRoomFor(remoteNode, cost)) {
    return reject("we have as many connections as fit into a routing update");
  }
  return { kind: "establish", phase: { kind: "up", remoteNode, cost, listsUs: false } };
}

function decideUpdate(
  phase: UpPhase,
  message: RouteMessage,
  { selfId }: SetupContext,
): RouteDecision {
  const { remoteNode, cost } = phase;
  const reject = (reason: string): RouteDecision => ({ kind: "reject", remoteNode, reason });
  if (message.forwardingNode !== remoteNode) {
    return reject(
      `remote node ID changed unexpectedly from ${remoteNode} to ${message.forwardingNode}`,
    );
  }
  if (message.nodeId !== remoteNode) return { kind: "process", phase };
  const remoteCost = message.connections.get(selfId);
  if (remoteCost === undefined) {
    return phase.listsUs
      ? reject("remote node no longer lists us as a connection")
      : { kind: "ignore" };
  }
  if (remoteCost !== cost) return reject("we disagree about the connection cost");
  return { kind: "process", phase: { ...phase, listsUs: true } };
}
