import assert from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import type { Connection } from "../../lib/quic/connection.ts";
import type { QuicError } from "../../lib/quic/quic_error.ts";
import type { QuicStream } from "../../lib/quic/quic_stream.ts";
import { StreamCode } from "../../lib/quic/stream_codes.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { Pair, type PairOptions, readAll } from "./_pair.ts";

interface Ends {
  readonly near: QuicStream;
  readonly far: QuicStream;
}

/** A connection with many streams. */
class Many implements Disposable {
  private constructor(
    readonly pair: Pair,
    readonly dialled: Connection,
    readonly accepted: Connection,
  ) {}

  static async create(options: PairOptions = {}): Promise<Many> {
    const pair = await Pair.create({ manyStreams: true, ...options });
    const dialled = await pair.dial();
    await pair.clock.until(() => pair.accepted.length > 0, 10_000);
    return new Many(pair, dialled, pair.accepted[0]!);
  }

  async open(): Promise<Ends> {
    const { pair, dialled, accepted } = this;
    const near = await pair.run(dialled.openStream());
    await near.write(Uint8Array.of(0));
    const far = await pair.run(accepted.acceptStream());
    await pair.run(far.read(new Uint8Array(1)));
    return { near, far };
  }

  [Symbol.dispose](): void {
    this.pair[Symbol.dispose]();
  }
}

async function sendAll(stream: QuicStream, data: Uint8Array): Promise<void> {
  await writeAll(stream, data);
  await stream.closeWrite();
}

/** Random bytes, of different lengths for different `seed`s. */
function payload(seed: number, most: number): Uint8Array {
  const [high, low] = seededRandom(seed).fill(new Uint8Array(2));
  return seededRandom(seed).fill(new Uint8Array(1 + (high! * 256 + low!) % most));
}

async function exchange({ near, far }: Ends, there: Uint8Array, back: Uint8Array): Promise<void> {
  const [, , atFar, atNear] = await Promise.all([
    sendAll(near, there),
    sendAll(far, back),
    readAll(far),
    readAll(near),
  ]);
  near.close();
  far.close();
  assert.ok(Buffer.from(atFar).equals(there));
  assert.ok(Buffer.from(atNear).equals(back));
}

for (
  const [wire, options] of [
    ["a good wire", {}],
    ["a wire that loses, doubles and reorders", {
      wire: { delayMs: 2, loss: 0.03, duplication: 0.05, jitterMs: 6, seed: 5 },
    }],
  ] as [string, PairOptions][]
) {
  Deno.test(`streams side by side carry random payloads both ways byte for byte over ${wire}`, async () => {
    using many = await Many.create(options);
    const ends: Ends[] = [];
    for (let i = 0; i < 32; i++) ends.push(await many.open());
    assert.equal(many.dialled.streamCount, 32);
    await many.pair.run(
      Promise.all(ends.map((end, i) => exchange(end, payload(i, 60_000), payload(99 - i, 60_000)))),
    );
    await many.pair.clock.advance(500);
    assert.equal(many.dialled.streamCount, 0);
    assert.equal(many.accepted.streamCount, 0);
    assert.equal(many.dialled.ended, undefined, "the connection is there for more");
  });
}

Deno.test("both ends agree on many streams only if both are ours", async () => {
  for (const [server, client] of [[0, 40], [40, 0], [0, 0]]) {
    using pair = await Pair.create({
      manyStreams: true,
      server: { limits: { maxStreams: server! } },
      client: { limits: { maxStreams: client! } },
    });
    const { near, far, dialled, accepted } = await pair.open();
    assert.deepEqual([dialled.manyStreams, accepted.manyStreams], [false, false]);
    await assert.rejects(dialled.openStream(), /in use/);
    assert.equal(dialled.tryOpenStream(), undefined);
    near.close();
    far.close();
    assert.equal(await pair.run(dialled.closed, 2_000), undefined);
  }
  using many = await Many.create();
  assert.deepEqual([many.dialled.manyStreams, many.accepted.manyStreams], [true, true]);
});

Deno.test("a half-closed stream carries bytes the other way, beside others", async () => {
  using many = await Many.create();
  const [one, other] = [await many.open(), await many.open()];
  await sendAll(one.near, Uint8Array.of(1, 2, 3));
  assert.equal((await many.pair.run(readAll(one.far))).length, 3);
  await sendAll(one.far, Uint8Array.of(4, 5));
  assert.equal((await many.pair.run(readAll(one.near))).length, 2);
  await many.pair.run(exchange(other, payload(1, 9_000), payload(2, 9_000)));
});

Deno.test("a stream that is broken off fails at the other end, and no other stream does", async () => {
  using many = await Many.create();
  const [one, other] = [await many.open(), await many.open()];
  await one.near.write(new Uint8Array(50_000));
  const reading = assert.rejects(async () => {
    for (;;) await one.far.read(new Uint8Array(1_000));
  }, /the peer abandoned the stream before its end/);
  await many.pair.clock.advance(5);
  one.near.abort();
  await many.pair.run(reading);
  assert.match(`${await many.pair.run(one.far.closed)}`, /abandoned the stream/);
  await assert.rejects(one.far.write(Uint8Array.of(1)), /no longer reads/);
  await assert.rejects(one.near.read(new Uint8Array(1)), /broken off/);
  await assert.rejects(one.near.write(Uint8Array.of(1)), /after the end/);
  one.far.close();
  await many.pair.run(exchange(other, payload(3, 9_000), payload(4, 9_000)));
  await many.pair.clock.advance(100);
  assert.deepEqual([many.dialled.streamCount, many.accepted.streamCount], [0, 0]);
});

Deno.test("a peer that breaks a stream off which nobody reads is noticed", async () => {
  using many = await Many.create();
  const { near, far } = await many.open();
  near.abort();
  assert.match(`${await many.pair.run(far.closed, 1_000)}`, /abandoned/);
});

Deno.test("a refused stream says why", async () => {
  using many = await Many.create();
  for (
    const [code, words] of [
      [StreamCode.tooMany, /too many streams/],
      [StreamCode.refused, /refused by the peer's service/],
      [StreamCode.connectionTooOld, /connection is too old/],
    ] as const
  ) {
    const { near, far } = await many.open();
    far.breakOff(code);
    const error = await many.pair.run(near.read(new Uint8Array(1)).catch((error) => error));
    assert.match(`${error}`, words);
    assert.equal((error as QuicError).code, code);
    near.close();
  }
});

Deno.test("a closed stream whose peer does not end it is broken off after a time, and no other", async () => {
  using many = await Many.create();
  const [one, other] = [await many.open(), await many.open()];
  one.near.close();
  await many.pair.clock.advance(25_000);
  assert.equal(many.dialled.streamCount, 2);
  await many.pair.clock.advance(10_000);
  assert.equal(many.dialled.streamCount, 1);
  assert.match(`${await many.pair.run(one.far.closed)}`, /abandoned/);
  await many.pair.run(exchange(other, payload(5, 9_000), payload(6, 9_000)));
});

Deno.test("a reader that leaves a bulk transfer ends that stream only", async () => {
  using many = await Many.create();
  const [one, other] = [await many.open(), await many.open()];
  const sending = assert.rejects(writeAll(one.far, new Uint8Array(20_000_000)), /no longer reads/);
  await many.pair.run(one.near.read(new Uint8Array(1_000)));
  one.near.close();
  await many.pair.run(sending);
  one.far.close();
  await many.pair.run(exchange(other, payload(7, 9_000), payload(8, 9_000)));
  await many.pair.clock.advance(500);
  assert.deepEqual([many.dialled.streamCount, many.accepted.streamCount], [0, 0]);
});

Deno.test("readers that stall do not hold up the other streams", async () => {
  const window = 100_000;
  using many = await Many.create({
    server: { limits: { receiveWindowBytes: window, maxStreams: 60 } },
  });
  const ends: Ends[] = [];
  for (let i = 0; i < 50; i++) ends.push(await many.open());
  const stalled = ends.slice(0, 49);
  const pending = stalled.map(({ near }) => writeAll(near, new Uint8Array(3 * window)));
  await many.pair.clock.advance(2_000);
  const begin = many.pair.clock.now();
  await many.pair.run(
    exchange(ends[49]!, seededRandom(1).fill(new Uint8Array(2_000_000)), payload(2, 99)),
  );
  assert.ok(many.pair.clock.now() - begin < 5_000, `${many.pair.clock.now() - begin} ms`);
  const received = stalled.map(({ far }) => readSome(far, 3 * window));
  await many.pair.run(Promise.all([...pending, ...received]));
});

async function readSome(stream: QuicStream, bytes: number): Promise<void> {
  const into = new Uint8Array(64 * 1024);
  while (bytes > 0) bytes -= (await stream.read(into))!;
}

Deno.test("small streams are not held up by one that carries all that the wire takes", async () => {
  using many = await Many.create({
    wire: { bytesPerSecond: 2_000_000, queueBytes: 300_000, delayMs: 5 },
    client: { limits: { sendWindowBytes: 200_000 } },
  });
  const bulk = await many.open();
  const size = 20_000_000;
  const sending = sendAll(bulk.near, new Uint8Array(size));
  const receiving = readSome(bulk.far, size);
  await many.pair.clock.advance(1_000);
  for (let i = 0; i < 20; i++) {
    const begin = many.pair.clock.now();
    const { near, far } = await many.open();
    await many.pair.run(exchange({ near, far }, payload(i, 20_000), payload(i + 1, 20_000)));
    const took = many.pair.clock.now() - begin;
    assert.ok(took < 1_500, `small exchange ${i} took ${took} ms`);
  }
  await many.pair.run(Promise.all([sending, receiving]));
});

Deno.test("1,000 streams one after another leave nothing behind", async () => {
  using many = await Many.create();
  const memory = () => many.pair.client.memoryBytes + many.pair.server.memoryBytes;
  let before = 0;
  for (let i = 0; i < 1_000; i++) {
    const ends = await many.open();
    await many.pair.run(exchange(ends, payload(i, 2_000), payload(i + 1, 2_000)));
    if (i === 300) before = memory();
  }
  await many.pair.clock.advance(500);
  assert.deepEqual([many.dialled.streamCount, many.accepted.streamCount], [0, 0]);
  assert.equal(memory(), before, "the cores' memories have grown");
});

Deno.test("a dialler gets no more streams at a time than the listener takes", async () => {
  using many = await Many.create({ server: { limits: { maxStreams: 3 } } });
  const ends = [await many.open(), await many.open(), await many.open()];
  assert.equal(many.dialled.tryOpenStream(), undefined);
  const waiting = many.dialled.openStream();
  await many.pair.run(exchange(ends[0]!, payload(1, 99), payload(2, 99)));
  const next = await many.pair.run(waiting, 1_000);
  next.abort();
});

Deno.test("streams count as a node's share, and one too many is refused", async () => {
  const refused: string[] = [];
  using many = await Many.create({
    server: { limits: { maxConnections: 8 }, onRefused: (_, reason) => refused.push(reason) },
  });
  // Half of the places: the connection's own and those of three streams.
  for (let i = 0; i < 3; i++) await many.open();
  const extra = await many.pair.run(many.dialled.openStream());
  await extra.write(Uint8Array.of(0));
  await assert.rejects(many.pair.run(extra.read(new Uint8Array(1))), /too many streams/);
  assert.deepEqual(refused, ["too many streams from node foo"]);
  assert.equal(many.dialled.ended, undefined);
});

Deno.test("all streams learn of the end of their connection, and can read what came before", async () => {
  using many = await Many.create();
  const [one, other] = [await many.open(), await many.open()];
  await one.near.write(Uint8Array.of(1, 2, 3));
  await many.pair.clock.advance(5);
  many.dialled.close(7, "bye");
  const errors = await many.pair.run(Promise.all([one.far.closed, other.far.closed]));
  for (const error of errors) assert.match(`${error}`, /closed by the peer: bye/);
  const into = new Uint8Array(8);
  assert.equal(await one.far.read(into), 3);
  await assert.rejects(one.far.read(into), /bye/);
  await assert.rejects(other.far.read(into), /bye/);
  await assert.rejects(other.far.write(into), /bye/);
  await many.pair.clock.advance(5_000);
  assert.equal(many.pair.server.connectionCount, 0);
});
