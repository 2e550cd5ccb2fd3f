/**
 * Route messages: what a node says about its own links, flooded through the mesh. JSON after the
 * type byte:
 *
 *     {"NodeID":…,"UpdateID":…,"UpdateEpoch":…,"UpdateSequence":…,"Connections":{node:cost,…},
 *      "ForwardingNode":…,"SuspectedDuplicate":…}
 */
import {
  isObject,
  MalformedMessage,
  nodeIdField,
  parseJsonFields,
  printableField,
  uint64Field,
} from "./json_fields.ts";
import { encodeTextMessage, MessageType } from "./message_type.ts";
import { isNodeId } from "./node_id.ts";

export interface RouteMessage {
  /** The node whose links these are; "" while it is still setting up the link. */
  readonly nodeId: string;
  /** Tells the copies of one flood from those of the next. */
  readonly updateId: string;
  /** Grows with each start of the node. */
  readonly epoch: bigint;
  /** Grows with each message of one epoch. */
  readonly sequence: bigint;
  /** Cost of the link to each neighbour. */
  readonly connections: ReadonlyMap<string, number>;
  /** The neighbour that passed the message on. */
  readonly forwardingNode: string;
  /** Epoch of another node with the same id, 0 for none. */
  readonly suspectedDuplicate: bigint;
}

/** Most links of one node: more than fit into a message even with the shortest names. */
export const MAX_CONNECTIONS = 8192;
/** The original's update ids have 8 characters. */
export const MAX_UPDATE_ID_LENGTH = 64;

/** Reads a message, type byte included. Throws `MalformedMessage`. */
export function decodeRouteMessage(message: Uint8Array): RouteMessage {
  const fields = parseJsonFields(message.subarray(1), "route message");
  return {
    nodeId: fields.NodeID === "" ? "" : nodeIdField(fields, "NodeID"),
    updateId: printableField(fields, "UpdateID", MAX_UPDATE_ID_LENGTH),
    epoch: uint64Field(fields, "UpdateEpoch"),
    sequence: uint64Field(fields, "UpdateSequence"),
    connections: readConnections(fields.Connections ?? {}),
    forwardingNode: nodeIdField(fields, "ForwardingNode"),
    suspectedDuplicate: uint64Field(fields, "SuspectedDuplicate"),
  };
}

/** Writes a message, type byte included. */
export function encodeRouteMessage(route: RouteMessage): Uint8Array<ArrayBuffer> {
  const connections: string[] = [];
  for (const [node, cost] of route.connections) {
    connections.push(`${JSON.stringify(node)}:${JSON.stringify(cost)}`);
  }
  // By hand, as `JSON.stringify` cannot print a bigint.
  return encodeTextMessage(
    MessageType.Route,
    `{"NodeID":${JSON.stringify(route.nodeId)}` +
      `,"UpdateID":${JSON.stringify(route.updateId)}` +
      `,"UpdateEpoch":${route.epoch}` +
      `,"UpdateSequence":${route.sequence}` +
      `,"Connections":{${connections.join(",")}}` +
      `,"ForwardingNode":${JSON.stringify(route.forwardingNode)}` +
      `,"SuspectedDuplicate":${route.suspectedDuplicate}}`,
  );
}

/**
 * The shortest message that introduces a node to a new neighbour, which takes it for one of a node
 * that is still setting up the link.
 */
export function encodeIntroduction(nodeId: string): Uint8Array<ArrayBuffer> {
  return encodeTextMessage(
    MessageType.Route,
    `{"NodeID":"","ForwardingNode":${JSON.stringify(nodeId)}}`,
  );
}

function readConnections(value: unknown): Map<string, number> {
  if (!isObject(value)) throw new MalformedMessage("Connections must be an object");
  const connections = new Map<string, number>();
  for (const [node, rawCost] of Object.entries(value)) {
    if (!isNodeId(node)) throw new MalformedMessage("Connections names something not a node id");
    const cost = typeof rawCost === "bigint" ? Number(rawCost) : rawCost;
    if (typeof cost !== "number" || !isCost(cost)) {
      throw new MalformedMessage(`the cost of the connection to ${node} must be above 0`);
    }
    connections.set(node, cost);
  }
  if (connections.size > MAX_CONNECTIONS) {
    throw new MalformedMessage(`Connections has ${connections.size} of ${MAX_CONNECTIONS} entries`);
  }
  return connections;
}

/** Whether a link may have this cost. */
export function isCost(cost: number): boolean {
  return Number.isFinite(cost) && cost > 0;
}
