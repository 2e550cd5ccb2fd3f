import assert from "node:assert/strict";
import { bridge } from "../../lib/base/bridge.ts";
import { type ByteConn, closeQuietly, writeAll } from "../../lib/base/byte_conn.ts";
import { bytes, MemoryConn, readText } from "../control/memory_conn.ts";

function bridged(signal?: AbortSignal) {
  const [left, leftEnd] = MemoryConn.pair();
  const [right, rightEnd] = MemoryConn.pair();
  return { left, right, leftEnd, rightEnd, done: bridge(leftEnd, rightEnd, { signal }) };
}

Deno.test("bridge passes on a half-close and then the answer to it", async () => {
  const { left, right, leftEnd, rightEnd, done } = bridged();
  await writeAll(left, bytes("question"));
  await left.closeWrite();
  assert.equal(await readText(right), "question");
  await writeAll(right, bytes("answer"));
  await right.closeWrite();
  assert.equal(await readText(left), "answer");
  await done;
  assert.ok(leftEnd.isClosed && rightEnd.isClosed);
});

Deno.test("bridge carries more than its buffers, in order", async () => {
  const { left, right, done } = bridged();
  const text = Array.from({ length: 200_000 }, (_, index) => `${index}\n`).join("");
  const writing = writeAll(left, bytes(text)).then(() => left.closeWrite());
  await right.closeWrite();
  assert.equal(await readText(right), text);
  await writing;
  await done;
});

Deno.test("bridge makes the sender wait for a receiver that does not read", async () => {
  const abort = new AbortController();
  const { left, done } = bridged(abort.signal);
  let sent = 0;
  const chunk = new Uint8Array(64 * 1024);
  const sending = (async () => {
    while (true) sent += await left.write(chunk);
  })();
  sending.catch(() => {});
  for (let before = -1; before !== sent;) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(sent <= 1024 * 1024, `${sent} bytes in flight`);
  abort.abort(new Error("enough"));
  await assert.rejects(done, /enough/);
  await assert.rejects(sending);
});

Deno.test("bridge ends both sides when one breaks", async () => {
  const { left, right, leftEnd, rightEnd, done } = bridged();
  const failed = assert.rejects(done, Deno.errors.BrokenPipe);
  // Closing a socket breaks the writes of the other side.
  right.close();
  await writeAll(left, bytes("into the void"));
  await failed;
  assert.ok(leftEnd.isClosed && rightEnd.isClosed);
});

Deno.test("bridge refuses to start if already aborted", async () => {
  const { leftEnd, rightEnd, done } = bridged(AbortSignal.abort(new Error("too late")));
  await assert.rejects(done, /too late/);
  assert.ok(leftEnd.isClosed && rightEnd.isClosed);
});

/** A bridge whose right side notes whether it was aborted. */
function abortable(leftEnd: ByteConn, rightEnd: MemoryConn) {
  const result = { aborted: false, done: Promise.resolve() };
  const abort = () => {
    result.aborted = true;
    closeQuietly(rightEnd);
  };
  result.done = bridge(leftEnd, Object.assign(rightEnd, { abort }));
  return result;
}

Deno.test("bridge aborts a side that did not get everything", async () => {
  const [, leftEnd] = MemoryConn.pair();
  const read = () => Promise.reject(new Deno.errors.ConnectionReset("reset"));
  const bridged = abortable(Object.assign(leftEnd, { read }), MemoryConn.pair()[1]);
  await assert.rejects(bridged.done, Deno.errors.ConnectionReset);
  assert.equal(bridged.aborted, true);
});

Deno.test("bridge closes a side that got everything, so that it can still read that", async () => {
  const [left, leftEnd] = MemoryConn.pair();
  const [right, rightEnd] = MemoryConn.pair();
  const bridged = abortable(leftEnd, rightEnd);
  await left.closeWrite();
  assert.equal(await right.read(new Uint8Array(1)), null);
  const failed = assert.rejects(bridged.done, Deno.errors.BrokenPipe);
  left.close();
  await writeAll(right, bytes("into the void"));
  await failed;
  assert.equal(bridged.aborted, false);
});

Deno.test("bridge passes on what a side has to say that takes no more", async () => {
  const { left, right, rightEnd, done } = bridged();
  const failed = assert.rejects(done, Deno.errors.BrokenPipe);
  const refused = Promise.withResolvers<void>();
  rightEnd.write = () => {
    refused.resolve();
    return Promise.reject(new Deno.errors.BrokenPipe("no more"));
  };
  await writeAll(left, bytes("a long upload"));
  await refused.promise;
  await writeAll(right, bytes("too long"));
  await right.closeWrite();
  assert.equal(await readText(left), "too long");
  await failed;
});
