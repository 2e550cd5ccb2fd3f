import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { MalformedMessage } from "../../lib/wire/json_fields.ts";
import { isNodeId, MAX_NODE_ID_BYTES } from "../../lib/wire/node_id.ts";
import {
  decodeRouteMessage,
  encodeRouteMessage,
  MAX_UPDATE_ID_LENGTH,
  type RouteMessage,
} from "../../lib/wire/route_message.ts";

const bytesOf = (body: string) => new TextEncoder().encode(`\x01${body}`);
const textOf = (message: Uint8Array) => new TextDecoder().decode(message.subarray(1));

// Captured from a Go daemon 1.6.9.
const CAPTURED = '{"NodeID":"foo","UpdateID":"gnQyHwsb","UpdateEpoch":30118837949183575,' +
  '"UpdateSequence":2,"Connections":{"bar":1},"ForwardingNode":"foo","SuspectedDuplicate":0}';

const anyNodeId = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter(isNodeId);
const anyRoute: fc.Arbitrary<RouteMessage> = fc.record({
  nodeId: fc.oneof(anyNodeId, fc.constant("")),
  updateId: fc.string({ maxLength: MAX_UPDATE_ID_LENGTH }),
  epoch: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  connections: fc.array(fc.tuple(
    fc.oneof(anyNodeId, fc.constantFrom("__proto__", "UpdateEpoch", "NodeID", "7")),
    fc.double({ min: 0, minExcluded: true, noNaN: true, noDefaultInfinity: true }),
  )).map((entries) => new Map(entries)),
  forwardingNode: anyNodeId,
  suspectedDuplicate: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
});

function withField(name: string, value: string): Uint8Array {
  return bytesOf(
    CAPTURED.replace(new RegExp(`("${name}":)("[^"]*"|\\{[^}]*\\}|\\d+)`), `$1${value}`),
  );
}

Deno.test("decodeRouteMessage reads what the Go daemon sends, digit by digit", () => {
  deepEqual(decodeRouteMessage(bytesOf(CAPTURED)), {
    nodeId: "foo",
    updateId: "gnQyHwsb",
    epoch: 30118837949183575n,
    sequence: 2n,
    connections: new Map([["bar", 1]]),
    forwardingNode: "foo",
    suspectedDuplicate: 0n,
  });
});

Deno.test("encodeRouteMessage writes the bytes that the Go daemon writes", () => {
  equal(textOf(encodeRouteMessage(decodeRouteMessage(bytesOf(CAPTURED)))), CAPTURED);
});

Deno.test("any route message survives encoding and decoding", () => {
  fc.assert(fc.property(anyRoute, (route) => {
    const decoded = decodeRouteMessage(encodeRouteMessage(route));
    deepEqual(decoded, route);
    deepEqual(decodeRouteMessage(encodeRouteMessage(decoded)), decoded);
  }));
});

Deno.test("decodeRouteMessage reads a missing field as its zero value", () => {
  const route = decodeRouteMessage(bytesOf('{"NodeID":"a","ForwardingNode":"b"}'));
  deepEqual([route.updateId, route.epoch, route.sequence, route.connections.size], ["", 0n, 0n, 0]);
});

Deno.test("decodeRouteMessage accepts the empty node id of a node that is still starting", () => {
  equal(decodeRouteMessage(withField("NodeID", '""')).nodeId, "");
});

Deno.test("decodeRouteMessage refuses fields out of range", () => {
  const refused: [field: string, value: string][] = [
    ["NodeID", "7"],
    ["NodeID", JSON.stringify("x".repeat(MAX_NODE_ID_BYTES + 1))],
    ["NodeID", JSON.stringify("ä".repeat(MAX_NODE_ID_BYTES / 2 + 1))],
    ["NodeID", '"a\\nb"'],
    ["NodeID", '"a\\u007fb"'],
    ["NodeID", '"a\\u009fb"'],
    ["NodeID", '"\\ud800"'],
    ["ForwardingNode", '""'],
    ["ForwardingNode", "null"],
    ["UpdateID", JSON.stringify("x".repeat(MAX_UPDATE_ID_LENGTH + 1))],
    ["UpdateEpoch", "-1"],
    ["UpdateEpoch", "1.5"],
    ["UpdateEpoch", '"1"'],
    ["UpdateEpoch", "18446744073709551616"],
    ["UpdateSequence", "1e30"],
    ["SuspectedDuplicate", "-9007199254740993"],
    ["Connections", "[]"],
    ["Connections", "7"],
    ["Connections", '{"b":0}'],
    ["Connections", '{"b":-1}'],
    ["Connections", '{"b":1e999}'],
    ["Connections", '{"b":"1"}'],
    ["Connections", '{"":1}'],
  ];
  for (const [field, value] of refused) {
    throws(
      () => decodeRouteMessage(withField(field, value)),
      MalformedMessage,
      `${field} ${value}`,
    );
  }
});

Deno.test("decodeRouteMessage accepts the largest uint64", () => {
  equal(decodeRouteMessage(withField("UpdateEpoch", "18446744073709551615")).epoch, 2n ** 64n - 1n);
});

Deno.test("decodeRouteMessage refuses bytes that are not a JSON object", () => {
  for (const body of ["", "{", "[]", "null", "1", '{"NodeID":"a"', "\xff", "[".repeat(60_000)]) {
    throws(() => decodeRouteMessage(bytesOf(body)), MalformedMessage);
  }
  throws(() => decodeRouteMessage(Uint8Array.of(1, 0xff, 0xfe)), MalformedMessage);
});

Deno.test("decodeRouteMessage throws nothing but MalformedMessage on any bytes", () => {
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (body) => {
    try {
      decodeRouteMessage(bytesOf(body));
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
    }
  }));
});
