import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import {
  FRAME_HEADER_BYTES,
  FrameBatch,
  FrameReader,
  MAX_MESSAGE_BYTES,
  messagesIn,
} from "../../lib/wire/frame.ts";

const anyMessage = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 1000, maxLength: 3000 }),
);

/** Feeds `stream` in steps of at most `step` bytes and returns copies of what comes out. */
function readAll(reader: FrameReader, stream: Uint8Array, step: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let at = 0;
  while (at < stream.length) {
    const space = reader.space();
    const count = Math.min(step, space.length, stream.length - at);
    space.set(stream.subarray(at, at + count));
    at += count;
    for (const message of reader.take(count)) messages.push(message.slice());
  }
  return messages;
}

function framesOf(messages: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const batch = new FrameBatch(16 * 1024 * 1024);
  for (const message of messages) equal(batch.append(message), true);
  return batch.frames.slice();
}

Deno.test("FrameBatch writes the length in little-endian order before the message", () => {
  deepEqual(framesOf([Uint8Array.of(7, 8, 9)]), Uint8Array.of(3, 0, 7, 8, 9));
  deepEqual(framesOf([new Uint8Array(0x1234)]).subarray(0, 2), Uint8Array.of(0x34, 0x12));
});

Deno.test("FrameBatch joins two parts into one message", () => {
  const batch = new FrameBatch(100);
  batch.append(Uint8Array.of(1, 2), Uint8Array.of(3));
  deepEqual(batch.frames, Uint8Array.of(3, 0, 1, 2, 3));
});

Deno.test("FrameBatch refuses what goes over its bound and keeps the rest", () => {
  const batch = new FrameBatch(20);
  equal(batch.append(new Uint8Array(18)), true);
  equal(batch.append(new Uint8Array(0)), false);
  equal(batch.length, 20);
  batch.clear();
  equal(batch.append(new Uint8Array(18)), true);
});

Deno.test("FrameBatch refuses a message that the length cannot express", () => {
  const batch = new FrameBatch(1024 * 1024);
  equal(batch.append(new Uint8Array(MAX_MESSAGE_BYTES + 1)), false);
  equal(batch.append(new Uint8Array(MAX_MESSAGE_BYTES), new Uint8Array(1)), false);
  equal(batch.append(new Uint8Array(MAX_MESSAGE_BYTES)), true);
});

Deno.test("FrameReader gives back any messages however the stream is split", () => {
  fc.assert(fc.property(
    fc.array(anyMessage, { maxLength: 30 }),
    fc.integer({ min: 1, max: 5000 }),
    (messages, step) => {
      const reader = new FrameReader();
      deepEqual(readAll(reader, framesOf(messages), step), messages.map((m) => m.slice()));
      equal(reader.incompleteBytes, 0);
    },
  ));
});

Deno.test("FrameReader takes one byte at a time", () => {
  const messages = [new Uint8Array(0), Uint8Array.of(1), new Uint8Array(300).fill(2)];
  deepEqual(readAll(new FrameReader(), framesOf(messages), 1), messages);
});

Deno.test("FrameReader accepts the largest possible message", () => {
  const messages = [new Uint8Array(MAX_MESSAGE_BYTES).fill(1), Uint8Array.of(2)];
  deepEqual(readAll(new FrameReader(), framesOf(messages), 10_000), messages);
});

Deno.test("FrameReader reports that a frame is incomplete", () => {
  const reader = new FrameReader();
  deepEqual(readAll(reader, Uint8Array.of(5, 0, 1), 3), []);
  equal(reader.incompleteBytes, 3);
});

Deno.test("FrameReader keeps a bounded buffer for an endless stream", () => {
  const reader = new FrameReader();
  const frames = framesOf(Array.from({ length: 200 }, () => new Uint8Array(40_000)));
  readAll(reader, frames, Infinity);
  equal(reader.space().length <= 256 * 1024, true);
});

Deno.test("messagesIn gives the messages of a batch", () => {
  fc.assert(fc.property(fc.array(anyMessage), (messages) => {
    deepEqual([...messagesIn(framesOf(messages))].map((m) => m.slice()), messages);
  }));
});

Deno.test("messagesIn refuses frames that are cut short", () => {
  throws(() => [...messagesIn(Uint8Array.of(3, 0, 1, 2))], RangeError);
  throws(() => [...messagesIn(new Uint8Array(FRAME_HEADER_BYTES - 1))], RangeError);
});
