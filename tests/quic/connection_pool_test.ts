import assert from "node:assert/strict";
import {
  ConnectionPool,
  type PooledStream,
  type PoolTarget,
} from "../../lib/quic/connection_pool.ts";
import { insecureClientTls } from "../../lib/quic/insecure_tls.ts";
import type { PoolLimits } from "../../lib/quic/pool_rules.ts";
import { settle } from "../sim/virtual_clock.ts";
import type { ClientTls } from "../../lib/quic/tls.ts";
import { fooIdentity } from "./_identities.ts";
import { Pair, type PairOptions, SERVER } from "./_pair.ts";

/** A pool whose connections go to the server of a pair. */
class Pool implements Disposable {
  readonly pool: ConnectionPool;
  readonly target: PoolTarget = { remote: SERVER, node: "bar", tls: insecureClientTls() };
  /** Handshakes that were begun. */
  dials = 0;

  private constructor(readonly pair: Pair, limits: Partial<PoolLimits>) {
    this.pool = new ConnectionPool({
      clock: pair.clock,
      dial: ({ remote, node, tls }, signal) => {
        this.dials += 1;
        return pair.client.connect(remote, tls, node, { signal });
      },
    }, limits);
  }

  static async create(limits: Partial<PoolLimits> = {}, options: PairOptions = {}): Promise<Pool> {
    return new Pool(await Pair.create({ manyStreams: true, ...options }), limits);
  }

  open(
    options: { tls?: ClientTls; signal?: AbortSignal; fresh?: boolean } = {},
  ): Promise<PooledStream> {
    const { tls = this.target.tls, ...rest } = options;
    return this.pair.run(this.pool.open({ ...this.target, tls }, rest));
  }

  /** Ends a stream at both ends. */
  async end({ stream }: PooledStream): Promise<void> {
    stream.abort();
    await this.pair.clock.advance(10);
  }

  [Symbol.dispose](): void {
    this.pool[Symbol.dispose]();
    this.pair[Symbol.dispose]();
  }
}

Deno.test("streams one after another and side by side share a connection", async () => {
  using it = await Pool.create();
  const first = await it.open();
  assert.equal(first.warm, false);
  const second = await it.open();
  assert.equal(second.warm, true);
  assert.equal(second.connection, first.connection);
  await it.end(first);
  await it.end(second);
  const third = await it.open();
  assert.equal(third.connection, first.connection);
  assert.equal(it.dials, 1);
});

Deno.test("streams that are wanted at the same time share one handshake", async () => {
  using it = await Pool.create();
  const opened = await Promise.all(Array.from({ length: 20 }, () => it.open()));
  assert.equal(it.dials, 1);
  assert.equal(new Set(opened.map(({ stream }) => stream.index)).size, 20);
});

Deno.test("a full connection is followed by another", async () => {
  using it = await Pool.create({ maxStreams: 3 });
  const opened = await Promise.all(Array.from({ length: 8 }, () => it.open()));
  assert.equal(it.dials, 3);
  const counts = [...new Set(opened.map(({ connection }) => connection.streamCount))].sort();
  assert.deepEqual(counts, [2, 3]);
});

Deno.test("when the listener takes fewer streams than wanted, more connections are made", async () => {
  using it = await Pool.create({}, { server: { limits: { maxStreams: 2 } } });
  await Promise.all(Array.from({ length: 5 }, () => it.open()));
  assert.equal(it.dials, 3);
});

Deno.test("an idle connection closes after its time, and leaves nothing", async () => {
  using it = await Pool.create();
  const opened = await it.open();
  await it.pair.clock.advance(60_000);
  assert.equal(opened.connection.ended, undefined, "a stream is open");
  await it.end(opened);
  await it.pair.clock.advance(29_000);
  assert.equal(opened.connection.ended, undefined);
  await it.pair.clock.advance(2_000);
  assert.equal(await opened.connection.closed, undefined);
  await it.pair.clock.advance(5_000);
  assert.equal(it.pool.size, 0);
  assert.equal(it.pair.client.connectionCount + it.pair.server.connectionCount, 0);
  assert.equal((await it.open()).warm, false);
});

Deno.test("a connection that is too old takes no more streams, and closes with its last", async () => {
  using it = await Pool.create({ maxAgeMs: 100_000 });
  const old = await it.open();
  await it.pair.clock.advance(100_001);
  const next = await it.open();
  assert.notEqual(next.connection, old.connection);
  assert.equal(old.connection.ended, undefined);
  await it.end(old);
  assert.ok(old.connection.ended);
  assert.equal(next.connection.ended, undefined);
});

Deno.test("a renewed certificate is shown in a new handshake", async () => {
  using it = await Pool.create();
  let identity: ClientTls["identity"] = undefined;
  const { verifyServer } = insecureClientTls();
  const tls: ClientTls = {
    get identity() {
      return identity;
    },
    verifyServer,
  };
  const before = await it.open({ tls });
  assert.equal((await it.open({ tls })).connection, before.connection);
  identity = fooIdentity;
  const after = await it.open({ tls });
  assert.notEqual(after.connection, before.connection);
});

Deno.test("other TLS configs use other connections", async () => {
  using it = await Pool.create();
  const one = await it.open();
  const other = await it.open({ tls: insecureClientTls() });
  assert.notEqual(other.connection, one.connection);
});

Deno.test("a fresh connection can be asked for, and a retired one takes no more streams", async () => {
  using it = await Pool.create();
  const one = await it.open();
  const fresh = await it.open({ fresh: true });
  assert.notEqual(fresh.connection, one.connection);
  it.pool.retire(fresh.connection);
  assert.equal((await it.open()).connection, one.connection);
  await it.end(fresh);
  assert.ok(fresh.connection.ended);
});

Deno.test("with a node of the original every stream has a connection of its own", async () => {
  using it = await Pool.create({}, { server: { limits: { maxStreams: 0 } } });
  const opened = await Promise.all(Array.from({ length: 4 }, () => it.open()));
  assert.equal(new Set(opened.map(({ connection }) => connection)).size, 4);
  // Only the first four shared a handshake, until it showed that they cannot.
  assert.equal(it.dials, 4);
  assert.equal(it.pool.size, 0);
  await Promise.all(Array.from({ length: 3 }, () => it.open()));
  assert.equal(it.dials, 7);
  for (const { stream } of opened) stream.abort();
});

Deno.test("one who gives up does not end the handshake that others wait for", async () => {
  using it = await Pool.create();
  const abort = new AbortController();
  const impatient = assert.rejects(it.open({ signal: abort.signal }), /enough/);
  const patient = it.open();
  abort.abort(new Error("enough"));
  await impatient;
  assert.equal((await patient).connection.ended, undefined);
  assert.equal(it.dials, 1);
});

Deno.test("when all give up the handshake ends, and the next begins anew", async () => {
  using it = await Pool.create();
  it.pair.wire.cut = true;
  const abort = new AbortController();
  const waiting = Array.from(
    { length: 3 },
    () => assert.rejects(it.open({ signal: abort.signal }), /enough/),
  );
  abort.abort(new Error("enough"));
  await Promise.all(waiting);
  await settle();
  assert.equal(it.pool.size, 0);
  await it.pair.clock.advance(20_000);
  assert.equal(it.pair.client.connectionCount, 0);
  it.pair.wire.cut = false;
  assert.equal((await it.open()).warm, false);
  assert.equal(it.dials, 2);
});

Deno.test("all who wait for a handshake are told why it failed", async () => {
  using it = await Pool.create();
  it.pair.wire.cut = true;
  const waiting = [1, 2].map(() => assert.rejects(it.open(), /no handshake with bar:control/));
  await Promise.all(waiting);
  assert.equal(it.dials, 1);
  assert.equal(it.pool.size, 0);
});

Deno.test("a connection that ended is forgotten", async () => {
  using it = await Pool.create();
  const { connection } = await it.open();
  it.pair.client.forgetNode("bar", Infinity);
  await connection.closed;
  await settle();
  assert.equal(it.pool.size, 0);
  assert.equal((await it.open()).warm, false);
});
