/** A container's log, cut, repeated and rotated at random, against what the container wrote. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { concatBytes } from "../../../lib/base/concat_bytes.ts";
import { LogCursor, type LogOutput } from "../../../lib/workceptor/kubernetes/log_cursor.ts";
import { StampReader } from "../../../lib/workceptor/kubernetes/log_stamp.ts";

const encoder = new TextEncoder();

/** What the container runtime wrote: a piece of a line, or its end. */
interface LogRecord {
  /** Nanoseconds since 1970. */
  readonly at: bigint;
  /** With its newline, unless the line goes on in a later record. */
  readonly content: Uint8Array;
}

function stampText(at: bigint): string {
  const seconds = new Date(Number(at / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(at % 1_000_000_000n).padStart(9, "0")}Z `;
}

/** What the kubelet sends of a file: stamps where a line begins, from `sinceTime` on. */
function served(file: readonly LogRecord[], sinceTime: string | undefined): Uint8Array {
  const since = sinceTime === undefined ? 0n : BigInt(Date.parse(sinceTime)) * 1_000_000n;
  const parts: Uint8Array[] = [];
  let isNewLine = true;
  for (const { at, content } of file) {
    if (at >= since) {
      if (isNewLine) parts.push(encoder.encode(stampText(at)));
      parts.push(content);
    }
    isNewLine = content.length === 0 || content.at(-1) === 0x0a;
  }
  return concatBytes(...parts);
}

/** Checks what should be known, and returns what is new. */
function take(outputs: readonly LogOutput[], have: Uint8Array): Uint8Array {
  const fresh: Uint8Array[] = [have];
  for (const output of outputs) {
    if (output.is === "new") fresh.push(output.bytes.slice());
    else {
      const end = output.offset + output.bytes.length;
      assert.deepEqual(output.bytes, have.slice(output.offset, end));
    }
  }
  return concatBytes(...fresh);
}

const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  // Lines that look alike, like stamps, and like nothing.
  fc.constantFrom("same", "2026-11-25T11:44:58.000000001Z ", " ", "").map((text) =>
    encoder.encode(text)
  ),
).map((bytes) => bytes.filter((byte) => byte !== 0x0a));

/**
 * Records whose times grow by anything from nothing to some seconds, or else each of which has a
 * time of its own, and sometimes an earlier one than those before it.
 */
const records = fc.boolean().chain((stepsBack) =>
  fc.array(
    fc.record({
      content,
      isWhole: fc.boolean(),
      pauseNs: fc.oneof(
        fc.bigInt({ min: 1n, max: 1_000n }),
        fc.bigInt({ min: 1n, max: 5_000_000_000n }),
        // A line of the other stream that had to queue.
        stepsBack ? fc.bigInt({ min: -900_000_000n, max: -1n }) : fc.constant(0n),
      ),
    }),
    { maxLength: 40 },
  )
).map((drafts) => {
  let at = 1_795_606_000_000_000_000n;
  return drafts.map(({ content, isWhole, pauseNs }): LogRecord => {
    const stamp = at + pauseNs;
    if (pauseNs > 0n) at = stamp;
    // A runtime writes no piece without content.
    const whole = isWhole || content.length === 0;
    return { at: stamp, content: whole ? concatBytes(content, encoder.encode("\n")) : content };
  });
});

const cuts = fc.array(fc.nat(), { minLength: 1, maxLength: 12 });

Deno.test("output is whole however often and wherever reads of the log are cut", () => {
  fc.assert(
    fc.property(records, cuts, fc.nat({ max: 60 }), (log, cuts, chunk) => {
      let cursor = new LogCursor();
      let have: Uint8Array = new Uint8Array();
      let length = 0;
      for (const cut of [...cuts, Number.POSITIVE_INFINITY]) {
        // The log has grown meanwhile.
        length = Number.isFinite(cut) ? Math.max(length, cut % (log.length + 1)) : log.length;
        const written = log.slice(0, length);
        do {
          const { sinceTime } = cursor.begin();
          const all = served(written, sinceTime);
          const part = Number.isFinite(cut) ? all.subarray(0, cut % (all.length + 1)) : all;
          for (let at = 0; at < part.length; at += chunk + 1) {
            have = take(cursor.push(part.subarray(at, at + chunk + 1)), have);
          }
          if (part.length === all.length) cursor.end();
        } while (cursor.state.is === "missed");
        assert.notEqual(cursor.state.is, "rotated");
        assert.notEqual(cursor.state.is, "foreign");
        // Another daemon takes over.
        if (cut % 3 === 0) cursor = new LogCursor(cursor.position);
      }
      assert.deepEqual(have, concatBytes(...log.map(({ content }) => content)));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a rotation is noticed, and what the new log has comes once", () => {
  fc.assert(fc.property(records, records, fc.nat(), (before, after, cut) => {
    const later = after.map(({ at, content }) => ({ at: at + 3_600_000_000_000n, content }));
    const cursor = new LogCursor();
    cursor.begin();
    const first = served(before, undefined);
    let have = take(cursor.push(first.subarray(0, cut % (first.length + 1))), new Uint8Array());
    const { taken, anchor } = cursor.position;
    if (anchor === undefined) return;
    for (const state of ["missed", "rotated"]) {
      const { sinceTime } = cursor.begin();
      assert.deepEqual(cursor.push(served(later, sinceTime)), []);
      cursor.end();
      assert.equal(cursor.state.is, state);
    }
    cursor.startNewFile();
    assert.equal(cursor.begin().sinceTime, undefined);
    have = take(cursor.push(served(later, undefined)), have);
    assert.equal(cursor.position.base, taken);
    assert.deepEqual(have.subarray(taken), concatBytes(...later.map(({ content }) => content)));
  }));
});

Deno.test("a text of the server's own is not taken for output", () => {
  const cursor = new LogCursor();
  cursor.begin();
  const line = stampText(1_795_606_000_000_000_000n) + "a\n";
  const trouble = "failed to watch file: too many open files";
  const have = take(cursor.push(encoder.encode(line + trouble)), new Uint8Array());
  cursor.end();
  assert.deepEqual(have, encoder.encode("a\n"));
  assert.deepEqual(cursor.state, { is: "foreign", text: trouble });
});

Deno.test("a log without stamps is repeated from its beginning", () => {
  const cursor = new LogCursor(undefined, { stamped: false });
  cursor.begin();
  let have = take(cursor.push(encoder.encode("one\ntw")), new Uint8Array());
  assert.deepEqual(cursor.begin(), { sinceTime: undefined });
  have = take(cursor.push(encoder.encode("one\ntwo\n")), have);
  assert.deepEqual(have, encoder.encode("one\ntwo\n"));
});

Deno.test("a stamp is read with any number of digits and any zone", () => {
  const reader = new StampReader();
  const read = (text: string) => reader.read(encoder.encode(text));
  const seconds = Date.parse("2026-11-25T11:44:58Z") / 1000;
  const stamp = { seconds, nanos: 120_000_000 };
  assert.deepEqual(read("2026-11-25T11:44:58.12Z x"), { stamp, length: 24 });
  assert.deepEqual(read("2026-11-25T12:44:58.120000000+01:00 x"), { stamp, length: 36 });
  assert.deepEqual(read("2026-11-25T11:44:58Z "), { stamp: { seconds, nanos: 0 }, length: 21 });
  assert.equal(read("2026-11-25T11:44"), "cut");
  assert.equal(read("2026-13-25T11:44:58Z x"), undefined);
  assert.equal(read("2026-11-25T11:44:58.Z x"), undefined);
  assert.equal(read("no stamp"), undefined);
  assert.equal(read("x".repeat(60)), undefined);
});
