import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { seededRandom } from "../sim/seeded_random.ts";
import { type OpenPair, Pair, readAll } from "./_pair.ts";
import type { QuicStream } from "../../lib/quic/quic_stream.ts";
import { writeAll } from "../../lib/base/byte_conn.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (words: string) => new TextEncoder().encode(words);

function digest(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

async function sendAll(stream: QuicStream, data: Uint8Array): Promise<void> {
  await writeAll(stream, data);
  await stream.closeWrite();
}

async function transfer(pair: Pair, from: QuicStream, to: QuicStream, data: Uint8Array) {
  const [, received] = await pair.run(Promise.all([sendAll(from, data), readAll(to)]));
  assert.equal(received.length, data.length);
  assert.equal(digest(received), digest(data));
}

Deno.test("a stream carries bytes both ways", async () => {
  using pair = await Pair.create();
  const { near, far } = await pair.open();
  await near.write(bytes("ping"));
  const into = new Uint8Array(100);
  assert.equal(await pair.run(far.read(into)), 4);
  await far.write(bytes("pong!"));
  assert.equal(await pair.run(near.read(into)), 5);
  assert.equal(text(into.subarray(0, 5)), "pong!");
});

Deno.test("a half-closed stream still carries bytes the other way", async () => {
  using pair = await Pair.create();
  const { near, far } = await pair.open();
  await near.write(bytes("question"));
  await near.closeWrite();
  assert.equal(text(await pair.run(readAll(far))), "question");
  await far.write(bytes("answer"));
  await far.closeWrite();
  assert.equal(text(await pair.run(readAll(near))), "answer");
  assert.equal(await near.read(new Uint8Array(1)), null, "the end stays the end");
  await assert.rejects(near.write(bytes("more")), /after the end/);
});

Deno.test("20 MB arrive byte for byte", async () => {
  using pair = await Pair.create();
  const { near, far } = await pair.open();
  await transfer(pair, near, far, seededRandom(7).fill(new Uint8Array(20_000_000)));
});

Deno.test("5 MB arrive byte for byte over a wire that loses, doubles and reorders", async () => {
  using pair = await Pair.create({
    wire: { delayMs: 2, loss: 0.03, duplication: 0.05, jitterMs: 6, seed: 42 },
  });
  const { near, far, dialled } = await pair.open();
  await transfer(pair, near, far, seededRandom(8).fill(new Uint8Array(5_000_000)));
  assert.ok(dialled.statistics().packetsLost > 0);
});

Deno.test("a slow link with a short queue is used nearly to its capacity", async () => {
  using pair = await Pair.create({
    wire: { bytesPerSecond: 2_500_000, queueBytes: 500_000, delayMs: 20 },
  });
  const { near, far, dialled } = await pair.open();
  const begin = pair.clock.now();
  await transfer(pair, near, far, new Uint8Array(10_000_000));
  const seconds = (pair.clock.now() - begin) / 1000;
  assert.ok(seconds < 4.6, `${seconds} s instead of 4`);
  const { packetsLost, packetsSent } = dialled.statistics();
  assert.ok(packetsLost < packetsSent / 10, `${packetsLost} of ${packetsSent} packets lost`);
});

Deno.test("a read takes no more than fits and the rest comes with the next", async () => {
  using pair = await Pair.create();
  const { near, far } = await pair.open();
  await near.write(bytes("abcdef"));
  await pair.clock.advance(10);
  const into = new Uint8Array(4);
  assert.equal(await far.read(into), 4);
  assert.equal(text(into), "abcd");
  assert.equal(await far.read(into), 2);
  assert.equal(await far.read(new Uint8Array()), 0);
});

Deno.test("a writer waits while nobody reads, and goes on when somebody does", async () => {
  using pair = await Pair.create({
    server: { limits: { receiveWindowBytes: 100_000 } },
    client: { limits: { sendWindowBytes: 200_000 } },
  });
  const { near, far } = await pair.open();
  const data = seededRandom(9).fill(new Uint8Array(2_000_000));
  let written = 0;
  const writing = (async () => {
    for (let at = 0; at < data.length; at += 50_000) {
      written += await near.write(data.subarray(at, at + 50_000));
    }
    await near.closeWrite();
  })();
  await pair.clock.advance(1_000);
  assert.ok(written < 500_000, `${written} bytes went into windows of 300,000`);
  const received = await pair.run(readAll(far));
  await writing;
  assert.equal(digest(received), digest(data));
});

Deno.test("what was written before close arrives, and the connection ends normally", async () => {
  using pair = await Pair.create();
  const { near, far, dialled, accepted } = await pair.open();
  const data = seededRandom(10).fill(new Uint8Array(100_000));
  await writeAll(near, data);
  near.close();
  assert.equal(digest(await pair.run(readAll(far))), digest(data));
  far.close();
  assert.equal(await pair.run(dialled.closed), undefined);
  assert.equal(await pair.run(accepted.closed), undefined);
});

Deno.test("a closed stream tells the other side's writer once more than a little comes", async () => {
  using pair = await Pair.create();
  const { near, far, dialled, accepted } = await pair.open();
  far.close();
  far.close();
  await assert.rejects(far.read(new Uint8Array(1)), /closed stream/);
  await assert.rejects(far.write(bytes("x")), /after the end/);
  await near.write(bytes("x"));
  await pair.clock.advance(10);
  await near.write(new Uint8Array(100_000));
  await pair.clock.advance(10);
  await assert.rejects(near.write(bytes("x")), /no longer reads/);
  assert.equal(await near.read(new Uint8Array(1)), null);
  near.close();
  assert.equal(await pair.run(dialled.closed, 1_000), undefined);
  assert.equal(await pair.run(accepted.closed, 1_000), undefined);
});

Deno.test("a dialler that closes early closes the connection when the other side is done", async () => {
  using pair = await Pair.create();
  const { near, far, dialled } = await pair.open();
  await near.write(bytes("last request"));
  near.close();
  assert.equal(text(await pair.run(readAll(far))), "last request");
  await pair.clock.advance(5_000);
  assert.equal(dialled.ended, undefined, "a Go peer might not have read it yet");
  await far.write(bytes("unwanted"));
  far.close();
  assert.equal(await pair.run(dialled.closed, 1_000), undefined);
});

Deno.test("a reader that leaves a bulk transfer ends it and the connection", async () => {
  using pair = await Pair.create();
  const { near, far, accepted } = await pair.open();
  const sending = assert.rejects(writeAll(far, new Uint8Array(20_000_000)), /no longer reads/)
    .then(() => readAll(far)).then(() => far.close());
  await pair.run(near.read(new Uint8Array(1000)));
  near.close();
  await pair.run(sending);
  assert.equal(await pair.run(accepted.closed, 1_000), undefined);
});

Deno.test("a waiting reader and writer are told of the end of the connection", async () => {
  using pair = await Pair.create({ client: { limits: { sendWindowBytes: 10_000 } } });
  const { near, far, accepted }: OpenPair = await pair.open();
  const reading = assert.rejects(
    near.read(new Uint8Array(1)),
    /closed by the peer: bye \(code 7\)/,
  );
  pair.wire.cut = true;
  await near.write(new Uint8Array(20_000));
  const writing = assert.rejects(near.write(new Uint8Array(1)), /closed by the peer: bye/);
  pair.wire.cut = false;
  accepted.close(7, "bye");
  await assert.rejects(far.read(new Uint8Array(1)), /closed: bye/);
  await pair.run(Promise.all([reading, writing]));
});

Deno.test("bytes that came before the end of the connection can be read after it", async () => {
  using pair = await Pair.create();
  const { near, far, dialled, accepted } = await pair.open();
  await near.write(bytes("last words"));
  await pair.clock.advance(5);
  dialled.close();
  await pair.run(accepted.closed);
  await pair.clock.advance(5_000);
  const into = new Uint8Array(100);
  assert.equal(await far.read(into), 10);
  await assert.rejects(far.read(into), /normal close/);
  assert.equal(pair.server.connectionCount, 0);
});

Deno.test("the one stream of a connection is handed out once", async () => {
  using pair = await Pair.create();
  const { dialled, accepted } = await pair.open();
  await assert.rejects(dialled.openStream(), /in use/);
  await assert.rejects(accepted.acceptStream(), /in use/);
  await assert.rejects(accepted.openStream(), /only the dialling side/);
  await assert.rejects(dialled.acceptStream(), /only the accepting side/);
});

Deno.test("waiting for the stream ends with the signal's reason", async () => {
  using pair = await Pair.create();
  await pair.dial();
  await pair.clock.until(() => pair.accepted.length > 0, 1_000);
  const [accepted] = pair.accepted;
  const abort = new AbortController();
  const waiting = assert.rejects(
    accepted!.acceptStream({ signal: abort.signal }),
    /enough/,
  );
  abort.abort(new Error("enough"));
  await waiting;
});
