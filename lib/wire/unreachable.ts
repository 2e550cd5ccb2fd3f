/**
 * Unreachable messages: the payload of a data packet to service `unreach`, which tells a sender
 * what became of its packet.
 */
import { parseJsonFields, printableField } from "./json_fields.ts";
import { MAX_NODE_ID_BYTES } from "./node_id.ts";

/** What can become of a packet, in the original's words. */
export const Problem = {
  /** Nobody listens on the service. */
  ServiceUnknown: "service unknown",
  /** The packet ran out of hops. */
  ExpiredInTransit: "message expired",
  /** A firewall rule rejected it. */
  Rejected: "blocked by firewall",
} as const;

/** Addresses are those of the packet that did not arrive. */
export interface Unreachable {
  readonly fromNode: string;
  readonly toNode: string;
  readonly fromService: string;
  readonly toService: string;
  /** One of `Problem`, or a text from a newer node. */
  readonly problem: string;
}

const MAX_SERVICE_LENGTH = 64;
const MAX_PROBLEM_LENGTH = 256;

const encoder = new TextEncoder();

/** Reads a packet's payload. Throws `MalformedMessage`. */
export function decodeUnreachable(payload: Uint8Array): Unreachable {
  const fields = parseJsonFields(payload, "unreachable message");
  return {
    fromNode: printableField(fields, "FromNode", MAX_NODE_ID_BYTES),
    toNode: printableField(fields, "ToNode", MAX_NODE_ID_BYTES),
    fromService: printableField(fields, "FromService", MAX_SERVICE_LENGTH),
    toService: printableField(fields, "ToService", MAX_SERVICE_LENGTH),
    problem: printableField(fields, "Problem", MAX_PROBLEM_LENGTH),
  };
}

/** Writes a packet's payload. */
export function encodeUnreachable(unreachable: Unreachable): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify({
    FromNode: unreachable.fromNode,
    ToNode: unreachable.toNode,
    FromService: unreachable.fromService,
    ToService: unreachable.toService,
    Problem: unreachable.problem,
  }));
}
