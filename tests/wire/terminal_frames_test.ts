import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import {
  encodeTerminalFrame,
  isTerminalName,
  type TerminalFrame,
  TerminalFrameDecoder,
} from "../../lib/wire/terminal_frames.ts";

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.split(" "), (byte) => parseInt(byte, 16));
}

Deno.test("frames are on the wire as documented", () => {
  const frames: [TerminalFrame, string][] = [
    [{ kind: "typed", bytes: bytes("6c 73 0d") }, "00 00 03 6c 73 0d"],
    [{ kind: "window", rows: 24, columns: 300 }, "01 00 04 00 18 01 2c"],
    [{ kind: "terminal", name: "vt52" }, "02 00 04 76 74 35 32"],
  ];
  for (const [frame, wire] of frames) {
    deepStrictEqual(encodeTerminalFrame(frame), bytes(wire));
    deepStrictEqual(new TerminalFrameDecoder().push(bytes(wire)), [frame]);
  }
});

const anyFrame: fc.Arbitrary<TerminalFrame> = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 200_000, size: "max" }).map((some) =>
    ({ kind: "typed", bytes: Uint8Array.from(some) }) as const
  ),
  fc.record({ rows: fc.nat(0xffff), columns: fc.nat(0xffff) }).map((size) =>
    ({ kind: "window", ...size }) as const
  ),
  fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/).map((name) =>
    ({ kind: "terminal", name }) as const
  ),
);

/** Joins what was typed at one go, however many frames that took. */
function merged(frames: readonly TerminalFrame[]): unknown[] {
  const list: unknown[] = [];
  let typed: number[] | undefined;
  for (const frame of frames) {
    if (frame.kind !== "typed") {
      list.push(frame);
      typed = undefined;
    } else if (typed === undefined) list.push(typed = [...frame.bytes]);
    else for (const byte of frame.bytes) typed.push(byte);
  }
  return list;
}

Deno.test("what is encoded is decoded, wherever it is torn", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 4 }), fc.integer({ min: 1, max: 70_000 }), (
      frames,
      piece,
    ) => {
      const decoder = new TerminalFrameDecoder();
      const wire = frames.flatMap((frame) => [encodeTerminalFrame(frame)]);
      const decoded: TerminalFrame[] = [];
      for (const part of wire) {
        for (let at = 0; at < part.length; at += piece) {
          decoded.push(...decoder.push(part.subarray(at, at + piece)));
        }
      }
      deepStrictEqual(merged(decoded), merged(frames));
    }),
    { numRuns: 30 },
  );
});

Deno.test("frames of unknown kinds are ignored, and malformed ones refused", () => {
  deepStrictEqual(new TerminalFrameDecoder().push(bytes("09 00 01 ff 00 00 01 61")), [
    { kind: "typed", bytes: bytes("61") },
  ]);
  throws(
    () => new TerminalFrameDecoder().push(bytes("01 00 02 00 18")),
    /expected a window's size/,
  );
  throws(() => new TerminalFrameDecoder().push(bytes("02 00 01 2f")), /expected the name/);
  throws(() => encodeTerminalFrame({ kind: "window", rows: 65536, columns: 1 }), RangeError);
  throws(() => encodeTerminalFrame({ kind: "terminal", name: "../x" }), RangeError);
});

Deno.test("a decoder never throws anything but a SyntaxError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (some) => {
    try {
      new TerminalFrameDecoder().push(some);
    } catch (error) {
      strictEqual(error instanceof SyntaxError, true);
    }
  }));
});

Deno.test("names of terminals are those of a database", () => {
  for (const name of ["xterm-256color", "vt100", "screen.xterm+x"]) {
    strictEqual(isTerminalName(name), true);
  }
  for (const name of ["", "a/b", "-x", "x y", "x".repeat(65)]) {
    strictEqual(isTerminalName(name), false);
  }
});
