import assert from "node:assert/strict";
import { QuicError } from "../../lib/quic/quic_error.ts";
import { insecureClientTls } from "../../lib/quic/insecure_tls.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { settle } from "../sim/virtual_clock.ts";
import { CLIENT, Pair, readAll, SERVER } from "./_pair.ts";
import { writeAll } from "../../lib/base/byte_conn.ts";

Deno.test("a silent connection ends after the idle timeout on both sides", async () => {
  using pair = await Pair.create();
  const { dialled, accepted } = await pair.open();
  await pair.clock.advance(100);
  pair.wire.cut = true;
  const [near, far] = await pair.run(Promise.all([dialled.closed, accepted.closed]), 60_000);
  for (const error of [near, far]) {
    assert.ok(error instanceof QuicError);
    assert.equal(error.ending, "timed-out");
  }
  // 30 s after the last sign of the peer; the dialler's own ping at 15 s extends its limit.
  assert.ok(pair.clock.now() >= 30_000 && pair.clock.now() < 50_000, `${pair.clock.now()} ms`);
});

Deno.test("the dialler's pings keep a silent connection alive", async () => {
  using pair = await Pair.create();
  const { near, far, accepted } = await pair.open();
  await pair.clock.advance(300_000);
  assert.equal(accepted.ended, undefined);
  await near.write(Uint8Array.of(1));
  assert.equal(await pair.run(far.read(new Uint8Array(8))), 1);
});

Deno.test("without pings a silent connection ends", async () => {
  using pair = await Pair.create({ client: { limits: { keepAliveMs: 0 } } });
  const { accepted } = await pair.open();
  await pair.clock.advance(31_000);
  assert.equal(accepted.ended?.ending, "timed-out");
});

Deno.test("an unanswered dial fails after the handshake timeout", async () => {
  using pair = await Pair.create();
  pair.wire.cut = true;
  await assert.rejects(pair.dial(), /no handshake with bar:control within 15 s/);
  assert.ok(pair.clock.now() >= 15_000 && pair.clock.now() < 16_000, `${pair.clock.now()} ms`);
});

Deno.test("a dial ends with the signal's reason and leaves nothing behind", async () => {
  using pair = await Pair.create();
  pair.wire.cut = true;
  const abort = new AbortController();
  const dialling = assert.rejects(pair.dial(insecureClientTls(), abort.signal), /never mind/);
  abort.abort(new Error("never mind"));
  await dialling;
  await pair.clock.advance(20_000);
  assert.equal(pair.client.connectionCount, 0);
  await assert.rejects(pair.dial(insecureClientTls(), AbortSignal.abort(new Error("no"))), /no/);
});

Deno.test("an application's code is no TLS alert, whatever its number", async () => {
  using pair = await Pair.create();
  const { dialled, accepted } = await pair.open();
  accepted.close(500, "too many connections");
  const error = await pair.run(dialled.closed) as QuicError;
  assert.deepEqual([error.ending, error.code, error.alert], ["closed-by-peer", 500, undefined]);
});

Deno.test("unreachable ends no connection that is up", async () => {
  using pair = await Pair.create();
  const { near, far, dialled, accepted } = await pair.open();
  pair.client.unreachable(SERVER, "service unknown");
  pair.server.unreachable(accepted.remote, "service unknown");
  await far.write(Uint8Array.of(7));
  assert.equal(await pair.run(near.read(new Uint8Array(1))), 1);
  assert.equal(dialled.ended, undefined);
  assert.equal(accepted.ended, undefined);
});

Deno.test("unreachable ends a dial at once", async () => {
  using pair = await Pair.create();
  pair.wire.cut = true;
  const dialling = assert.rejects(pair.dial(), /bar:control is unreachable: service unknown/);
  await settle();
  pair.client.unreachable("elsewhere:control", "service unknown");
  assert.equal(pair.client.connectionCount, 1);
  pair.client.unreachable(SERVER, "service unknown");
  await dialling;
  assert.ok(pair.clock.now() < 100);
});

Deno.test("close tells the peer and leaves no timer and no connection behind", async () => {
  const pair = await Pair.create();
  const { dialled, accepted, near, far } = await pair.open();
  await near.write(new Uint8Array(100_000));
  pair.client.close();
  pair.client.close();
  assert.equal(await dialled.closed, undefined);
  await assert.rejects(near.read(new Uint8Array(1)), /closed/);
  await assert.rejects(near.write(new Uint8Array(1)), /closed/);
  await near.closeWrite();
  near.close();
  assert.equal(await pair.run(accepted.closed), undefined);
  far.close();
  pair.server.close();
  assert.equal(pair.client.connectionCount + pair.server.connectionCount, 0);
  await pair.clock.advance(60_000);
  assert.equal(pair.clock.pending, 0);
  await assert.rejects(
    pair.client.connect(SERVER, insecureClientTls(), "bar"),
    /endpoint is closed/,
  );
  pair.client.receive(SERVER, new Uint8Array(1200));
});

Deno.test("a connection that both sides have finished leaves nothing in either endpoint", async () => {
  using pair = await Pair.create();
  const { near, far } = await pair.open();
  near.close();
  await pair.run(readAll(far));
  far.close();
  await pair.clock.advance(5_000);
  assert.equal(pair.client.connectionCount, 0);
  assert.equal(pair.server.connectionCount, 0);
  assert.equal(pair.clock.pending, 0);
});

Deno.test("the accepting side closes a connection that the dialler leaves open", async () => {
  using pair = await Pair.create();
  const { near, far, dialled, accepted } = await pair.open();
  await near.closeWrite();
  await pair.run(readAll(far));
  far.close();
  await pair.clock.advance(20_000);
  assert.ok(!accepted.ended, "a slow reader gets its time");
  await pair.clock.advance(20_000);
  assert.equal(await pair.run(accepted.closed), undefined);
  assert.equal(await pair.run(dialled.closed), undefined);
});

Deno.test("datagrams grow to the largest that the endpoints allow", async () => {
  using pair = await Pair.create();
  const { dialled, near, far } = await pair.open();
  assert.ok(pair.wire.sizes[0]! <= 1200);
  await pair.clock.advance(100);
  assert.equal(dialled.statistics().mtu, 16_348);
  await near.write(new Uint8Array(100_000));
  await near.closeWrite();
  await pair.run(readAll(far));
  assert.equal(Math.max(...pair.wire.sizes), 16_348);
});

Deno.test("datagrams do not grow past what the other endpoint accepts", async () => {
  using pair = await Pair.create({ server: { maxDatagramBytes: 1452 } });
  const { dialled } = await pair.open();
  await pair.clock.advance(100);
  assert.equal(dialled.statistics().mtu, 1452);
});

Deno.test("datagrams do not grow past what the path can carry", async () => {
  using pair = await Pair.create({ wire: { mtu: 9_000 } });
  const { dialled, near, far } = await pair.open();
  const data = seededRandom(3).fill(new Uint8Array(2_000_000));
  const [, received] = await pair.run(Promise.all([
    writeAll(near, data).then(() => near.closeWrite()),
    readAll(far),
  ]));
  assert.deepEqual(received.length, data.length);
  const { mtu } = dialled.statistics();
  assert.ok(mtu > 8_000 && mtu <= 9_000, `${mtu}`);
});

Deno.test("the next connection with a remote knows what the path can carry", async () => {
  using pair = await Pair.create();
  const first = await pair.open();
  await pair.clock.advance(100);
  assert.equal(first.dialled.statistics().mtu, 16_348);
  const before = pair.wire.sizes.length;
  const next = await pair.open();
  await pair.clock.advance(100);
  for (const side of [next.dialled, next.accepted]) assert.equal(side.statistics().mtu, 16_348);
  const sent = pair.wire.sizes.slice(before).reduce((sum, size) => sum + size, 0);
  assert.ok(sent < 10_000, `${sent} bytes for a connection that carried one`);
  await next.near.write(new Uint8Array(100_000));
  await next.near.closeWrite();
  assert.equal((await pair.run(readAll(next.far))).length, 100_000);
});

Deno.test("a path that became narrower than known still carries the next connection", async () => {
  using pair = await Pair.create();
  await pair.open();
  await pair.clock.advance(100);
  pair.wire.mtu = 1_400;
  const { near, far, dialled } = await pair.open();
  const data = seededRandom(4).fill(new Uint8Array(1_000_000));
  const [, received] = await pair.run(Promise.all([
    writeAll(near, data).then(() => near.closeWrite()),
    readAll(far),
  ]));
  assert.deepEqual(received, data);
  assert.ok(pair.clock.now() < 10_000, `${pair.clock.now()} ms`);
  assert.ok(dialled.statistics().mtu <= 1_400);
});

Deno.test("sending pauses while the link has no room, and goes on with resume", async () => {
  let open = true;
  using pair = await Pair.create({ client: { writable: () => open } });
  const { near, far } = await pair.open();
  await pair.clock.advance(100);
  const before = pair.wire.sizes.length;
  open = false;
  await near.write(new Uint8Array(100_000));
  await near.closeWrite();
  await pair.clock.advance(50);
  assert.equal(pair.wire.sizes.length, before);
  open = true;
  pair.client.resume();
  assert.equal((await pair.run(readAll(far))).length, 100_000);
});

Deno.test("an Initial of another QUIC version is answered", async () => {
  using pair = await Pair.create();
  const initial = new Uint8Array(1200);
  initial.set([0xc0, 0x0a, 0x0b, 0x0c, 0x0d, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 9, 9, 9, 9]);
  pair.wire.recording = true;
  pair.server.receive("stranger:abc", initial);
  await settle();
  const [answer] = pair.wire.recorded;
  assert.deepEqual([...answer!.subarray(1, 5)], [0, 0, 0, 0], "a version negotiation");
  assert.equal(pair.server.connectionCount, 0);
});

Deno.test("garbage is dropped and harms no connection", async () => {
  using pair = await Pair.create();
  const { near, far } = await pair.open();
  const random = seededRandom(1234);
  pair.wire.recording = true;
  await near.write(new Uint8Array(5_000));
  await pair.clock.advance(20);
  const genuine = pair.wire.recorded.slice();
  for (let round = 0; round < 2_000; round++) {
    const [kind, where, size] = random.fill(new Uint8Array(3));
    let datagram: Uint8Array;
    if (kind! < 100) {
      datagram = random.fill(new Uint8Array(1 + size! * 6));
    } else {
      datagram = genuine[where! % genuine.length]!.slice();
      datagram[(where! * 7) % datagram.length]! ^= 1 + size!;
      if (kind! > 200) datagram = datagram.subarray(0, 1 + (size! * 5) % datagram.length);
    }
    pair.server.receive(kind! % 2 ? CLIENT : "stranger:abc", datagram);
    pair.client.receive(SERVER, datagram);
    if (round % 100 === 0) await pair.clock.advance(1);
  }
  pair.server.receive(CLIENT, new Uint8Array());
  await far.write(Uint8Array.of(1, 2, 3));
  assert.equal(await pair.run(near.read(new Uint8Array(10))), 3);
});

Deno.test("the same seed gives the same packets", async () => {
  const run = async (seed: number) => {
    using pair = await Pair.create({ seed, wire: { loss: 0.05, jitterMs: 3 } });
    pair.wire.recording = true;
    const { near, far } = await pair.open();
    await near.write(new Uint8Array(50_000));
    await near.closeWrite();
    await pair.run(readAll(far));
    return pair.wire.recorded;
  };
  const [first, again, other] = [await run(5), await run(5), await run(6)];
  assert.deepEqual(first, again);
  assert.notDeepEqual(first, other);
});

Deno.test("many connections share an endpoint", async () => {
  using pair = await Pair.create();
  const dialled = await pair.run(Promise.all(
    Array.from(
      { length: 50 },
      (_, index) =>
        pair.client.connect(SERVER, insecureClientTls(), `bar`).then(async (connection) => {
          const stream = await connection.openStream();
          await stream.write(Uint8Array.of(index));
          await stream.closeWrite();
          return connection;
        }),
    ),
  ));
  await pair.clock.until(() => pair.accepted.length === 50, 5_000);
  const first = await pair.run(Promise.all(
    pair.accepted.map(async (it) => (await readAll(await it.acceptStream()))[0]),
  ));
  assert.deepEqual(first.toSorted((a, b) => a! - b!), Array.from({ length: 50 }, (_, i) => i));
  for (const connection of dialled) connection.close();
  await pair.clock.advance(5_000);
  assert.equal(pair.client.connectionCount, 0);
});

Deno.test("a connection that ends before its stream comes leaves nothing behind", async () => {
  using pair = await Pair.create();
  const dialled = await pair.dial();
  await pair.clock.until(() => pair.accepted.length > 0, 1_000);
  const [accepted] = pair.accepted;
  const accepting = assert.rejects(accepted!.acceptStream(), /normal close/);
  dialled.close();
  await pair.run(accepting);
  await pair.clock.advance(60_000);
  assert.equal(pair.server.connectionCount, 0);
  assert.equal(pair.clock.pending, 0);
});

Deno.test("a stream that was waited for in vain can be asked for again", async () => {
  using pair = await Pair.create();
  const dialled = await pair.dial();
  await pair.clock.until(() => pair.accepted.length > 0, 1_000);
  const [accepted] = pair.accepted;
  const abort = new AbortController();
  const waiting = assert.rejects(accepted!.acceptStream({ signal: abort.signal }), /enough/);
  abort.abort(new Error("enough"));
  await waiting;
  const near = await dialled.openStream();
  await near.write(Uint8Array.of(7));
  const far = await pair.run(accepted!.acceptStream());
  assert.equal(await pair.run(far.read(new Uint8Array(8))), 1);
});
