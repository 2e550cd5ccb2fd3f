/** What a node id may look like, and the hash that stands for it in data packets. */
import { highwayHash64 } from "./highway_hash.ts";

/**
 * Longest node id in bytes. The original has no limit of its own, but keeps each node's units in
 * a folder of that name, which file systems limit to 255 bytes.
 */
export const MAX_NODE_ID_BYTES = 255;

const LOCALHOST = "localhost";

const ZERO_KEY = new Uint8Array(32);
const encoder = new TextEncoder();

/**
 * Whether `text` can be the id of another node: not empty, not too long, and printable, since it is
 * shown in logs and other nodes' status.
 */
export function isNodeId(text: string): boolean {
  if (text.length === 0 || text.length > MAX_NODE_ID_BYTES) return false;
  return isPrintable(text) && encoder.encode(text).length <= MAX_NODE_ID_BYTES;
}

/** Whether `text` is well-formed Unicode without control characters. */
export function isPrintable(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) return false;
  }
  return text.isWellFormed();
}

/**
 * Whether `node` is the name by which users mean "this node": `localhost` in upper or lower case,
 * as in the original. No node may have this name. For all node names that come from a user; a name
 * from the mesh never means this node.
 */
export function isLocalhost(node: string): boolean {
  return node.length === LOCALHOST.length && node.toLowerCase() === LOCALHOST;
}

/** HighwayHash-64 of a node id, as two unsigned 32-bit halves: numbers are cheap to look up. */
export interface NodeHash {
  readonly high: number;
  readonly low: number;
}

export function hashNodeId(nodeId: string): NodeHash {
  const hash = highwayHash64(ZERO_KEY, encoder.encode(nodeId));
  return { high: Number(hash >> 32n), low: Number(hash & 0xffff_ffffn) };
}
