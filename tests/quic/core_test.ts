import assert from "node:assert/strict";
import type { Random } from "../../lib/base/random.ts";
import { readBlobs, writeBlobs } from "../../lib/quic/blobs.ts";
import { Core, CoreBroken } from "../../lib/quic/core.ts";
import { insecureClientTls, insecureServerTls } from "../../lib/quic/insecure_tls.ts";
import { CoreLoader, coreUrl, loadCore } from "../../lib/quic/load_core.ts";
import type { QuicError } from "../../lib/quic/quic_error.ts";
import { nodeOf, Remotes } from "../../lib/quic/remotes.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { settle } from "../sim/virtual_clock.ts";
import { Hub } from "./_hub.ts";
import { Pair, SERVER } from "./_pair.ts";

const compile = async () => await WebAssembly.compile(await Deno.readFile(coreUrl));

Deno.test("the core's code is compiled once in a realm", async () => {
  assert.equal(await loadCore(), await loadCore());
});

Deno.test("code that could not be read is tried again the next time", async () => {
  let tries = 0;
  const loader = new CoreLoader(() => {
    tries += 1;
    return tries === 1 ? Promise.reject(new Error("disk on fire")) : compile();
  });
  await assert.rejects(loader.load(), /disk on fire/);
  const module = await loader.load();
  assert.equal(await loader.load(), module);
  assert.equal(tries, 2);
});

Deno.test("a panic in the core breaks it, with the panic's message", async () => {
  const broke: Error[] = [];
  const core = new Core(await loadCore(), {
    random: seededRandom(1),
    verify: () => undefined,
    coreBroke: (error) => broke.push(error),
  });
  const tooShort = core.pass(new Uint8Array(8));
  assert.throws(() => core.call.check_open(tooShort, 0), (error) => {
    assert.ok(error instanceof CoreBroken);
    assert.match(error.message, /the QUIC core broke down: .*exports\.rs.*a key/s);
    return true;
  });
  assert.ok(core.broken);
  assert.deepEqual(broke, [core.broken]);
  assert.throws(() => core.pass(new Uint8Array(8)), CoreBroken);
  assert.equal(broke.length, 1);
});

/** Randomness that fails while `failing`, which breaks the core that asks for it. */
class FragileRandom implements Random {
  failing = false;
  readonly #random = seededRandom(1);

  fill(into: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (this.failing) throw new Error("no entropy left");
    return this.#random.fill(into);
  }
}

Deno.test("a core that breaks ends its endpoint's connections, and the endpoint goes on", async () => {
  const random = new FragileRandom();
  using pair = await Pair.create({ client: { random } });
  const { near, dialled } = await pair.open();
  const reading = assert.rejects(near.read(new Uint8Array(1)), /the QUIC core broke down/);
  random.failing = true;
  await assert.rejects(
    pair.client.connect(SERVER, insecureClientTls(), "bar"),
    /the QUIC core broke down: Error: no entropy left/,
  );
  await reading;
  assert.match(String(await dialled.closed), /broke down/);
  await assert.rejects(near.write(new Uint8Array(1)), /broke down/);
  near.close();
  dialled.close();
  assert.equal(pair.client.connectionCount, 0);
  await settle();
  assert.deepEqual(pair.errors.map(({ name }) => name), ["CoreBroken"]);

  random.failing = false;
  const { near: next, far } = await pair.open();
  await next.write(Uint8Array.of(1, 2, 3));
  assert.equal(await pair.run(far.read(new Uint8Array(8))), 3);
});

Deno.test("a core that breaks harms no other endpoint, whose peers learn of it at once", async () => {
  const random = new FragileRandom();
  using hub = await Hub.create("bar:control", "foo:a", "qux:b");
  const server = await hub.add("baz:control", { random, server: insecureServerTls() });
  const lost = await hub.open("foo:a", "baz:control");
  const other = await hub.open("qux:b", "bar:control");
  random.failing = true;
  // A handshake asks for randomness.
  const dialling = hub.dial("foo:a", "baz:control");
  await hub.clock.advance(100);
  random.failing = false;
  assert.equal(server.connectionCount, 0);
  assert.ok(hub.errors.length > 0);
  for (const error of hub.errors) assert.match(error.message, /no entropy left/);

  await other.near.write(Uint8Array.of(7));
  assert.equal(await hub.run(other.far.read(new Uint8Array(8))), 1);
  await lost.near.write(Uint8Array.of(7));
  const error = await hub.run(lost.dialled.closed, 1_000);
  assert.equal((error as QuicError).ending, "reset");
  // QUIC retried the dial that came at the wrong time.
  await hub.run(dialling);
  await hub.clock.until(() => hub.accepted("baz:control").length === 2, 1_000);
  await hub.open("foo:a", "baz:control");
});

Deno.test("blobs come back unchanged", () => {
  const blobs = [new Uint8Array([1, 2, 3]), new Uint8Array(), new Uint8Array(300).fill(9)];
  assert.deepEqual(readBlobs(writeBlobs(blobs)), blobs);
  assert.deepEqual(readBlobs(new Uint8Array()), []);
});

Deno.test("a remote has one number, and is kept while a connection uses it", () => {
  const remotes = new Remotes(seededRandom(1));
  const number = remotes.number("foo:a");
  assert.ok(Number.isSafeInteger(number) && number < 2 ** 48);
  assert.equal(remotes.number("foo:a"), number);
  assert.notEqual(remotes.number("foo:b"), number);
  assert.notEqual(new Remotes(seededRandom(2)).number("foo:a"), number);
  assert.equal(remotes.size, 0);
  remotes.retain("foo:a");
  remotes.retain("foo:a");
  assert.equal(remotes.number("foo:a"), number);
  remotes.release("foo:a");
  assert.equal(remotes.size, 1);
  remotes.release("foo:a");
  remotes.release("foo:a");
  assert.equal(remotes.size, 0);
});

Deno.test("the node of a remote is what is before the last colon", () => {
  assert.equal(nodeOf("foo:control"), "foo");
  assert.equal(nodeOf("a:b:control"), "a:b");
  assert.equal(nodeOf("foo"), "foo");
});
