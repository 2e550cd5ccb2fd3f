import { equal, ok } from "node:assert/strict";
import { NodeTable } from "../../lib/netceptor/node_table.ts";
import {
  DESTINATION_NODE_AT,
  encodePacketHeader,
  type Service,
} from "../../lib/wire/data_packet.ts";

function packetTo(hash: { high: number; low: number }) {
  const service = "" as Service;
  const node = { high: 0, low: 0 };
  return encodePacketHeader({
    sourceNode: node,
    destinationNode: hash,
    sourceService: service,
    destinationService: service,
  }, 1);
}

Deno.test("NodeTable finds nodes by the hash in a packet", () => {
  const table = new NodeTable("me");
  const nodes = Array.from({ length: 1000 }, (_, i) => table.add(`node-${i}`));
  for (const node of nodes) equal(table.find(packetTo(node.hash), DESTINATION_NODE_AT), node);
  equal(table.find(packetTo(table.self.hash), DESTINATION_NODE_AT), table.self);
  equal(table.find(packetTo({ high: 1, low: 2 }), DESTINATION_NODE_AT), undefined);
});

Deno.test("NodeTable compares both halves of a hash", () => {
  const table = new NodeTable("me");
  const { high, low } = table.self.hash;
  equal(table.find(packetTo({ high: high ^ 1, low }), DESTINATION_NODE_AT), undefined);
  equal(table.find(packetTo({ high, low: low ^ 1 }), DESTINATION_NODE_AT), undefined);
});

Deno.test("NodeTable adds a node once and forgets it, but never itself", () => {
  const table = new NodeTable("me");
  const node = table.add("a");
  equal(table.add("a"), node);
  table.delete("a");
  ok(node.forgotten);
  equal(table.get("a"), undefined);
  equal(table.find(packetTo(node.hash), DESTINATION_NODE_AT), undefined);
  table.delete("a");
  table.delete("me");
  equal(table.get("me"), table.self);
});
