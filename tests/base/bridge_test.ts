import assert from "node:assert/strict";
import { bridge } from "../../lib/base/bridge.ts";
import { writeAll } from "../../lib/base/byte_conn.ts";
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
