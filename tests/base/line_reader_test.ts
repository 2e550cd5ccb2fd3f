import assert from "node:assert/strict";
import fc from "fast-check";
import type { ByteConn } from "../../lib/base/byte_conn.ts";
import { LineReader, LineTooLongError, TruncatedLineError } from "../../lib/base/line_reader.ts";

const BOUND = { maxBytes: 1000 };

/** A connection that gives one chunk per read, then its end. */
function connOf(...chunks: string[]): ByteConn & { reads: number; closes: number } {
  const left = chunks.map((chunk) => new TextEncoder().encode(chunk));
  return {
    reads: 0,
    closes: 0,
    read(into) {
      this.reads++;
      const chunk = left.shift();
      if (chunk === undefined) return Promise.resolve(null);
      const count = Math.min(chunk.length, into.length);
      into.set(chunk.subarray(0, count));
      if (count < chunk.length) left.unshift(chunk.subarray(count));
      return Promise.resolve(count);
    },
    write: (bytes) => Promise.resolve(bytes.length),
    closeWrite: () => Promise.resolve(),
    close() {
      if (this.closes++ > 0) throw new Deno.errors.BadResource("closed twice");
    },
  };
}

async function readAll(reader: LineReader): Promise<string> {
  const buffer = new Uint8Array(3);
  let text = "";
  for (let count; (count = await reader.read(buffer)) !== null;) {
    text += String.fromCharCode(...buffer.subarray(0, count));
  }
  return text;
}

Deno.test("line reader gives lines and then the bytes after them, however they are split", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.stringMatching(/^[a-z]{0,8}$/), { maxLength: 5 }),
      fc.stringMatching(/^[a-z\n]{0,20}$/),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      async (lines, rest, sizes) => {
        const whole = lines.map((line) => `${line}\n`).join("") + rest;
        const chunks: string[] = [];
        for (let at = 0, index = 0; at < whole.length; index++) {
          const size = sizes[index % sizes.length]!;
          chunks.push(whole.slice(at, at + size));
          at += size;
        }
        const reader = new LineReader(connOf(...chunks));
        for (const line of lines) assert.equal(await reader.readLine(BOUND), line);
        assert.equal(await readAll(reader), rest);
        assert.equal(await reader.readLine(BOUND), null);
      },
    ),
  );
});

Deno.test("line reader refuses a line over the bound without holding much more", async () => {
  const conn = connOf(...new Array<string>(1000).fill("x".repeat(4096)));
  const reader = new LineReader(conn);
  await assert.rejects(reader.readLine({ maxBytes: 100_000 }), new LineTooLongError(100_000));
  assert.ok(conn.reads <= 2 + 100_000 / 4096, `${conn.reads} reads`);
  assert.equal(reader.buffered, 0);
});

Deno.test("line reader accepts a line of exactly the bound, and not one byte more", async () => {
  const exact = new LineReader(connOf("x".repeat(1000), "\nrest"));
  assert.equal((await exact.readLine(BOUND))!.length, 1000);
  assert.equal(await readAll(exact), "rest");
  const over = new LineReader(connOf("x".repeat(1001) + "\n"));
  await assert.rejects(over.readLine(BOUND), LineTooLongError);
});

Deno.test("line reader treats an unfinished last line as asked", async () => {
  await assert.rejects(
    new LineReader(connOf("par", "tial")).readLine(BOUND),
    new TruncatedLineError("partial"),
  );
  const reader = new LineReader(connOf("par", "tial"));
  assert.equal(await reader.readLine({ ...BOUND, unfinished: "line" }), "partial");
  assert.equal(await reader.readLine({ ...BOUND, unfinished: "line" }), null);
});

Deno.test("line reader loses nothing when a wait is aborted", async () => {
  const arrives = Promise.withResolvers<void>();
  const inner = connOf("late\nrest");
  const reader = new LineReader({
    ...inner,
    read: async (into: Uint8Array) => {
      await arrives.promise;
      return await inner.read(into);
    },
  });
  const abort = new AbortController();
  const reason = new Error("enough");
  const waiting = reader.readLine({ ...BOUND, signal: abort.signal });
  abort.abort(reason);
  await assert.rejects(waiting, reason);
  arrives.resolve();
  assert.equal(await reader.readLine(BOUND), "late");
  assert.equal(await readAll(reader), "rest");
});

Deno.test("line reader passes on a broken connection, and close may be repeated", async () => {
  const broken = new Deno.errors.ConnectionReset("reset");
  const conn = { ...connOf(), read: () => Promise.reject(broken) };
  await assert.rejects(new LineReader(conn).readLine(BOUND), broken);
  const closing = connOf();
  const reader = new LineReader(closing);
  reader.close();
  reader.close();
  assert.equal(closing.closes, 1);
});

Deno.test("line reader decodes UTF-8 across reads and keeps a byte order mark", async () => {
  const text = new TextEncoder().encode("\ufeffnäme\n");
  const bytes = [...text].map((byte) => String.fromCharCode(byte));
  const conn = connOf();
  conn.read = (into: Uint8Array) => {
    const byte = bytes.shift();
    if (byte === undefined) return Promise.resolve(null);
    into[0] = byte.charCodeAt(0);
    return Promise.resolve(1);
  };
  assert.equal(await new LineReader(conn).readLine(BOUND), "\ufeffnäme");
});

Deno.test("line reader reports that something has arrived, and shows it unread", async () => {
  const reader = new LineReader(connOf("Recept", "or\nrest"));
  await reader.ready();
  assert.equal(new TextDecoder().decode(reader.peek()), "Recept");
  await reader.ready();
  assert.equal(await reader.readLine(BOUND), "Receptor");
  assert.equal(new TextDecoder().decode(reader.peek()), "rest");
  assert.equal(await readAll(reader), "rest");
  await reader.ready();
  assert.equal(await reader.readLine(BOUND), null);
});

Deno.test("line reader asks before it grows, reports what it gives back, and drops what is refused", async () => {
  const asked: number[] = [];
  const bound = { maxBytes: 1_000_000 };
  const long = "x".repeat(20_000);
  const reader = new LineReader(connOf(`short\n${long}\nshort\n`), {
    reserve: (bytes) => asked.push(bytes),
  });
  assert.equal(await reader.readLine(bound), "short");
  assert.deepEqual(asked, []);
  assert.equal(await reader.readLine(bound), long);
  assert.equal(await reader.readLine(bound), "short");
  assert.deepEqual(asked, [8_192, 16_384, 32_768, 0]);

  const refusing = new LineReader(connOf(long), {
    reserve: (bytes) => {
      if (bytes > 10_000) throw new RangeError(`no ${bytes} bytes`);
    },
  });
  await assert.rejects(refusing.readLine(bound), /^RangeError: no 16384 bytes$/);
  assert.equal(refusing.buffered, 0);
});
