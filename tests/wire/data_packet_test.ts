import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import {
  DESTINATION_NODE_AT,
  DESTINATION_SERVICE_AT,
  encodePacketHeader,
  PACKET_HEADER_BYTES,
  packetHops,
  packetInt32,
  packetService,
  type Service,
  serviceFromText,
  serviceText,
  setPacketHops,
  SOURCE_NODE_AT,
  SOURCE_SERVICE_AT,
} from "../../lib/wire/data_packet.ts";
import { hashNodeId } from "../../lib/wire/node_id.ts";

// A ping from service TI0SH7tk of `bar` to `foo`, captured from Go daemons 1.6.9.
const PING = Uint8Array.fromHex(
  "001d000014ef88ca522894d1ef7a78b67f92bdf7544930534837746b70696e6700000000",
);

Deno.test("encodePacketHeader writes the bytes that the Go daemon writes", () => {
  const header = encodePacketHeader({
    sourceNode: hashNodeId("bar"),
    destinationNode: hashNodeId("foo"),
    sourceService: serviceFromText("TI0SH7tk")!,
    destinationService: serviceFromText("ping")!,
  }, 29);
  deepEqual(header, PING);
});

Deno.test("a packet's fields are read in place", () => {
  equal(packetHops(PING), 29);
  equal(packetInt32(PING, SOURCE_NODE_AT) >>> 0, 0x14ef88ca);
  equal(packetInt32(PING, SOURCE_NODE_AT + 4) >>> 0, 0x522894d1);
  equal(packetInt32(PING, DESTINATION_NODE_AT) >>> 0, 0xef7a78b6);
  equal(packetService(PING, SOURCE_SERVICE_AT), "TI0SH7tk");
  equal(packetService(PING, DESTINATION_SERVICE_AT), "ping");
});

Deno.test("setPacketHops changes nothing but the hops", () => {
  const packet = PING.slice();
  setPacketHops(packet, 28);
  equal(packetHops(packet), 28);
  packet[1] = 29;
  deepEqual(packet, PING);
});

Deno.test("serviceFromText refuses more than 8 bytes", () => {
  equal(serviceFromText("12345678"), "12345678");
  equal(serviceFromText("123456789"), undefined);
  equal(serviceFromText("ääääa"), undefined);
});

Deno.test("a service name of any 8 bytes survives the header", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
    const service = String.fromCharCode(...bytes).replace(/\0+$/, "") as Service;
    const node = { high: 1, low: 2 };
    const header = encodePacketHeader({
      sourceNode: node,
      destinationNode: node,
      sourceService: service,
      destinationService: service,
    }, 0);
    equal(header.length, PACKET_HEADER_BYTES);
    equal(packetService(header, SOURCE_SERVICE_AT), service);
    equal(packetService(header, DESTINATION_SERVICE_AT), service);
  }));
});

Deno.test("serviceText gives back the text of any service name", () => {
  for (const text of ["control", "", "äö€"]) equal(serviceText(serviceFromText(text)!), text);
  equal(serviceText("\xff" as Service), "\ufffd");
});
