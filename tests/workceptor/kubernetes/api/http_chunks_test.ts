import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { ChunkDecoder } from "../../../../lib/workceptor/kubernetes/api/http_chunks.ts";

const encoder = new TextEncoder();

function coded(chunks: readonly Uint8Array[], end = "0\r\n\r\n"): Uint8Array {
  return Uint8Array.from([
    ...chunks.flatMap((chunk) => [
      ...encoder.encode(`${chunk.length.toString(16)};x=y\r\n`),
      ...chunk,
      ...encoder.encode("\r\n"),
    ]),
    ...encoder.encode(end),
  ]);
}

/** Feeds `bytes` in pieces of these sizes, over and over. */
function decodeAll(bytes: Uint8Array, sizes: readonly number[]) {
  const decoder = new ChunkDecoder();
  const data: number[] = [];
  let taken = 0;
  for (let at = 0, turn = 0; at < bytes.length && !decoder.ended; turn++) {
    const piece = bytes.slice(at, at + sizes[turn % sizes.length]!);
    const result = decoder.decode(piece);
    data.push(...piece.subarray(0, result.data));
    taken += result.taken;
    at += piece.length;
  }
  return { data: Uint8Array.from(data), taken, ended: decoder.ended };
}

const chunk = fc.uint8Array({ minLength: 1, maxLength: 50 });
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

Deno.test("a body in chunks is decoded however it is cut into reads", () => {
  fc.assert(fc.property(fc.array(chunk), sizes, (chunks, cuts) => {
    const bytes = coded(chunks, "0\r\nTrailer: x\r\n\r\n");
    const decoded = decodeAll(bytes, cuts);
    deepEqual(decoded.data, Uint8Array.from(chunks.flatMap((part) => [...part])));
    equal(decoded.ended, true);
    equal(decoded.taken, bytes.length);
  }));
});

Deno.test("a body in chunks that is cut anywhere is not complete", () => {
  fc.assert(fc.property(fc.array(chunk), sizes, fc.nat(), (chunks, cuts, where) => {
    const bytes = coded(chunks);
    equal(decodeAll(bytes.subarray(0, where % bytes.length), cuts).ended, false);
  }));
});

Deno.test("bytes after the last chunk are left alone", () => {
  const decoder = new ChunkDecoder();
  const bytes = encoder.encode("2\r\nab\r\n0\r\n\r\nHTTP/1.1");
  deepEqual(decoder.decode(bytes), { data: 2, taken: bytes.length - 8 });
});

for (
  const [what, text] of [
    ["a size that is no number", "x\r\n"],
    ["a size beyond all measure", "fffffffffffffff\r\n"],
    ["a chunk that is longer than its size", "1\r\nab"],
    ["an endless size", "0".repeat(10_000)],
    ["endless trailers", "0\r\n" + "a: b\r\n".repeat(200)],
  ] as const
) {
  Deno.test(`${what} is refused`, () => {
    throws(() => new ChunkDecoder().decode(encoder.encode(text)), SyntaxError);
  });
}
