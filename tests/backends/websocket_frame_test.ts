import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { systemRandom } from "../../lib/base/random.ts";
import { CloseCode, WebSocketError } from "../../lib/backends/websocket_frame.ts";
import { WebSocketReader } from "../../lib/backends/websocket_reader.ts";
import { WebSocketWriter } from "../../lib/backends/websocket_writer.ts";
import { framesOf } from "./session_contract.ts";

/** Feeds `bytes` in parts of the given lengths, over and over. */
function readAll(reader: WebSocketReader, bytes: Uint8Array, parts: readonly number[]) {
  const messages: Uint8Array[] = [];
  const pings: Uint8Array[] = [];
  let closed = false;
  for (let at = 0, part = 0; at < bytes.length && !closed; part++) {
    const space = reader.space();
    const count = Math.min(parts[part % parts.length]!, bytes.length - at, space.length);
    space.set(bytes.subarray(at, at + count));
    at += count;
    const taken = reader.take(count);
    for (const message of taken.messages) messages.push(message.slice());
    if (taken.ping !== undefined) pings.push(taken.ping.slice());
    closed = taken.closed;
  }
  return { messages, pings, closed };
}

const partLengths = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 5 });
const anyMessages = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(125, 126, 127, 16_384, 65_535).map((length) =>
      Uint8Array.from({ length }, (_, index) => index % 251)
    ),
  ),
  { maxLength: 12 },
);

for (const masked of [true, false]) {
  Deno.test(`messages survive ${masked ? "masked" : "plain"} frames, however they are cut`, () => {
    fc.assert(
      fc.property(anyMessages, partLengths, (messages, parts) => {
        const writer = new WebSocketWriter(masked ? systemRandom : undefined);
        const bytes = writer.binary(framesOf(messages)).slice();
        deepEqual(readAll(new WebSocketReader({ masked }), bytes, parts).messages, messages);
      }),
      { numRuns: 60 },
    );
  });
}

Deno.test("frames are as RFC 6455 writes them", () => {
  const writer = new WebSocketWriter();
  deepEqual(writer.binary(framesOf([Uint8Array.of(1, 2)])), Uint8Array.of(0x82, 2, 1, 2));
  deepEqual(
    writer.binary(framesOf([new Uint8Array(126)])).subarray(0, 5),
    Uint8Array.of(0x82, 126, 0, 126, 0),
  );
  deepEqual(writer.close(1002), Uint8Array.of(0x88, 2, 0x03, 0xea));
  deepEqual(writer.pong(Uint8Array.of(7)), Uint8Array.of(0x8a, 1, 7));
  const random = { fill: (into: Uint8Array<ArrayBuffer>) => into.fill(0x0f) };
  deepEqual(
    new WebSocketWriter(random).binary(framesOf([Uint8Array.of(0xff, 0, 1)])),
    Uint8Array.of(0x82, 0x83, 0x0f, 0x0f, 0x0f, 0x0f, 0xf0, 0x0f, 0x0e),
  );
});

Deno.test("each frame of a client has its own mask", () => {
  const writer = new WebSocketWriter(systemRandom);
  const masks = new Set<string>();
  for (let count = 0; count < 3000; count++) {
    masks.add(writer.binary(framesOf([Uint8Array.of(0)])).subarray(2, 6).join());
  }
  equal(masks.size > 2990, true);
});

Deno.test("a message in parts is put together, with a ping in between", () => {
  const bytes = Uint8Array.of(
    ...[0x02, 2, 1, 2],
    ...[0x00, 0],
    ...[0x89, 1, 42],
    ...[0x00, 1, 3],
    ...[0x80, 1, 4],
    ...[0x82, 1, 5],
  );
  for (const part of [1, 2, 3, 5, 100]) {
    deepEqual(readAll(new WebSocketReader({ masked: false }), bytes, [part]), {
      messages: [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5)],
      pings: [Uint8Array.of(42)],
      closed: false,
    });
  }
});

Deno.test("a 64-bit length is understood", () => {
  const bytes = Uint8Array.of(0x82, 127, 0, 0, 0, 0, 0, 0, 0, 3, 7, 8, 9);
  deepEqual(
    readAll(new WebSocketReader({ masked: false }), bytes, [4]).messages,
    [Uint8Array.of(7, 8, 9)],
  );
});

Deno.test("everything after a close frame is ignored, and so are pongs", () => {
  const bytes = Uint8Array.of(0x8a, 0, 0x82, 1, 5, 0x88, 0, 0xff, 0xff);
  deepEqual(readAll(new WebSocketReader({ masked: false }), bytes, [100]), {
    messages: [Uint8Array.of(5)],
    pings: [],
    closed: true,
  });
});

const violations: [what: string, code: number, bytes: number[], text: RegExp][] = [
  ["text", CloseCode.unsupported, [0x81, 1, 65], /text, not binary/],
  [
    "a mask where none belongs",
    CloseCode.protocolError,
    [0x82, 0x81, 1, 1, 1, 1, 5],
    /with a mask/,
  ],
  ["compression", CloseCode.protocolError, [0xc2, 1, 5], /extension/],
  ["an unknown data frame", CloseCode.protocolError, [0x83, 0], /unknown type 3/],
  ["an unknown control frame", CloseCode.protocolError, [0x8b, 0], /unknown type 11/],
  ["a ping in parts", CloseCode.protocolError, [0x09, 0], /control frame in parts/],
  ["a long ping", CloseCode.protocolError, [0x89, 126, 0, 200], /too long/],
  ["a continuation of nothing", CloseCode.protocolError, [0x80, 1, 5], /out of order/],
  ["a message within a message", CloseCode.protocolError, [0x02, 1, 5, 0x82, 1, 5], /out of order/],
  [
    "2^63 bytes",
    CloseCode.tooBig,
    [0x82, 127, 128, 0, 0, 0, 0, 0, 0, 0],
    /at most 65535 are allowed/,
  ],
  [
    "65,536 bytes",
    CloseCode.tooBig,
    [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0],
    /at most 65535 are allowed/,
  ],
];
for (const [what, code, bytes, text] of violations) {
  Deno.test(`a peer that sends ${what} breaks the protocol`, () => {
    const reader = new WebSocketReader({ masked: false });
    throws(
      () => readAll(reader, Uint8Array.from(bytes), [100]),
      (error: unknown) =>
        error instanceof WebSocketError && error.code === code && text.test(error.message),
    );
  });
}

Deno.test("a client that does not mask breaks the protocol", () => {
  const reader = new WebSocketReader({ masked: true });
  throws(() => readAll(reader, Uint8Array.of(0x82, 1, 5), [100]), /without a mask/);
});

Deno.test("parts that add up to more than a message may have are refused", () => {
  const part = [0x00, 126, 0xff, 0xff, ...new Uint8Array(0xffff)];
  const bytes = Uint8Array.from([0x02, 1, 5, ...part]);
  throws(
    () => readAll(new WebSocketReader({ masked: false }), bytes, [9999]),
    /at most 65535 are allowed/,
  );
});

Deno.test("a message in more parts than any peer makes is refused", () => {
  const bytesOf = (parts: number) =>
    Uint8Array.from([0x02, 1, 5, ...Array(parts - 2).fill([0x00, 1, 5]).flat(), 0x80, 1, 5]);
  const { messages } = readAll(new WebSocketReader({ masked: false }), bytesOf(1024), [9999]);
  deepEqual(messages, [new Uint8Array(1024).fill(5)]);
  throws(
    () => readAll(new WebSocketReader({ masked: false }), bytesOf(1025), [9999]),
    /more than 1024 frames/,
  );
});

Deno.test("any bytes are either messages or a violation", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.boolean(),
      partLengths,
      (bytes, masked, parts) => {
        try {
          readAll(new WebSocketReader({ masked }), bytes, parts);
        } catch (error) {
          equal(error instanceof WebSocketError, true, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});
