import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import {
  type Advertisement,
  decodeAdvertisement,
  encodeAdvertisement,
} from "../../lib/wire/advertisement.ts";
import { MalformedMessage } from "../../lib/wire/json_fields.ts";
import { isNodeId, isPrintable } from "../../lib/wire/node_id.ts";
import { formatTimestamp } from "../../lib/wire/timestamp.ts";

const bytesOf = (body: string) => new TextEncoder().encode(`\x02${body}`);
const textOf = (message: Uint8Array) => new TextDecoder().decode(message.subarray(1));

// Captured from a Go daemon 1.6.9.
const CAPTURED = '{"NodeID":"foo","Service":"control","Time":"2026-11-21T00:57:23.051208816Z",' +
  '"ConnType":1,"Tags":{"type":"Control Service"},' +
  '"WorkCommands":[{"WorkType":"cat","Secure":false}],"Cancel":false}';

const anyText = fc.string({ unit: "grapheme", maxLength: 8 }).filter(isPrintable);
const anyAdvertisement: fc.Arbitrary<Advertisement> = fc.record({
  nodeId: anyText.filter(isNodeId),
  service: fc.stringMatching(/^[a-zA-Z0-9]{1,8}$/),
  time: fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }).map(formatTimestamp),
  connectionType: fc.constantFrom(0 as const, 1 as const, 2 as const),
  tags: fc.option(
    fc.array(fc.tuple(fc.oneof(anyText, fc.constant("__proto__")), anyText))
      .map((entries) => new Map(entries)),
  ),
  workCommands: fc.option(
    fc.array(fc.record({ WorkType: anyText.filter((text) => text !== ""), Secure: fc.boolean() })),
  ),
  cancel: fc.boolean(),
});

Deno.test("decodeAdvertisement reads what the Go daemon sends", () => {
  deepEqual(decodeAdvertisement(bytesOf(CAPTURED)), {
    nodeId: "foo",
    service: "control",
    time: "2026-11-21T00:57:23.051208816Z",
    connectionType: 1,
    tags: new Map([["type", "Control Service"]]),
    workCommands: [{ WorkType: "cat", Secure: false }],
    cancel: false,
  });
});

Deno.test("encodeAdvertisement writes the bytes that the Go daemon writes", () => {
  equal(textOf(encodeAdvertisement(decodeAdvertisement(bytesOf(CAPTURED)))), CAPTURED);
});

Deno.test("any advertisement survives encoding and decoding", () => {
  fc.assert(fc.property(anyAdvertisement, (advertisement) => {
    deepEqual(decodeAdvertisement(encodeAdvertisement(advertisement)), advertisement);
  }));
});

Deno.test("decodeAdvertisement refuses fields out of range", () => {
  const refused: [from: string, to: string][] = [
    ['"NodeID":"foo"', '"NodeID":""'],
    ['"Service":"control"', '"Service":"controlxx"'],
    ['"Service":"control"', '"Service":""'],
    ['"Service":"control"', '"Service":"\\u0007"'],
    ['"Time":"2026', '"Time":"26'],
    ['"Time":"2026-11', '"Time":"2026-13'],
    ['"ConnType":1', '"ConnType":3'],
    ['"ConnType":1', '"ConnType":"1"'],
    ['"Tags":{"type":"Control Service"}', '"Tags":{"type":1}'],
    ['"Tags":{"type":"Control Service"}', '"Tags":[]'],
    ['"WorkCommands":[{', '"WorkCommands":[1,{'],
    ['"WorkType":"cat"', '"WorkType":""'],
    ['"Secure":false', '"Secure":"no"'],
    ['"Cancel":false', '"Cancel":0'],
    ['"Cancel":false}', '"Cancel":false'],
  ];
  for (const [from, to] of refused) {
    throws(() => decodeAdvertisement(bytesOf(CAPTURED.replace(from, to))), MalformedMessage, to);
  }
});

Deno.test("decodeAdvertisement throws nothing but MalformedMessage on any bytes", () => {
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (body) => {
    try {
      decodeAdvertisement(bytesOf(body));
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
    }
  }));
});
