import assert from "node:assert/strict";
import { readBlobs, writeBlobs } from "../../lib/quic/blobs.ts";
import { Core } from "../../lib/quic/core.ts";
import { Endpoint } from "../../lib/quic/endpoint.ts";
import { insecureClientTls, insecureServerTls } from "../../lib/quic/insecure_tls.ts";
import { CoreLoader, coreUrl, loadCore } from "../../lib/quic/load_core.ts";
import { Remotes } from "../../lib/quic/remotes.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { Pair, SERVER } from "./_pair.ts";

const compile = async () => await WebAssembly.compile(await Deno.readFile(coreUrl));

Deno.test("a realm has one core", async () => {
  assert.equal(await loadCore(), await loadCore());
});

Deno.test("a core whose file could not be read is read again the next time", async () => {
  let tries = 0;
  const loader = new CoreLoader(() => {
    tries += 1;
    return tries === 1 ? Promise.reject(new Error("disk on fire")) : compile();
  });
  await assert.rejects(loader.load(), /disk on fire/);
  const core = await loader.load();
  assert.equal(await loader.load(), core);
  assert.equal(tries, 2);
});

Deno.test("a core that breaks down ends all its connections, and the next one is a new one", async () => {
  const loader = new CoreLoader(compile);
  const core = await loader.load();
  let sound = true;
  const random = seededRandom(1);
  using pair = await Pair.create({
    server: { core },
    client: {
      core,
      random: {
        fill(into) {
          if (!sound) throw new Error("no entropy left");
          return random.fill(into);
        },
      },
    },
  });
  const { near, far, dialled, accepted } = await pair.open();
  const reading = assert.rejects(near.read(new Uint8Array(1)), /the QUIC core broke down/);
  sound = false;
  await assert.rejects(
    pair.client.connect(SERVER, insecureClientTls(), "bar"),
    /the QUIC core broke down: Error: no entropy left/,
  );
  await reading;
  assert.match(String(await dialled.closed), /broke down/);
  assert.match(String(await accepted.closed), /broke down/);
  await assert.rejects(far.read(new Uint8Array(1)), /broke down/);
  await assert.rejects(near.write(new Uint8Array(1)), /broke down/);
  near.close();
  far.close();
  pair.server.receive("foo:x", new Uint8Array(1200));
  pair.server.unreachable("foo:x", "service unknown");
  assert.equal(pair.client.connectionCount + pair.server.connectionCount, 0);
  await pair.clock.advance(100);
  assert.equal(pair.clock.pending, 0);
  const next = await loader.load();
  assert.notEqual(next, core);
  assert.equal(next.broken, undefined);
});

Deno.test("an endpoint that is disposed frees its number", async () => {
  const core = new Core(await compile());
  const common = { clock: new VirtualClock(), random: seededRandom(1), send() {}, core };
  const number = () => {
    const taken = core.addHost({
      random: seededRandom(1),
      verify: () => undefined,
      coreBroke() {},
    });
    core.removeHost(taken);
    return taken;
  };
  {
    using _first = await Endpoint.create({ ...common, server: insecureServerTls() });
    using _second = await Endpoint.create(common);
    assert.equal(number(), 2);
  }
  assert.equal(number(), 0);
});

Deno.test("blobs come back as they went", () => {
  const blobs = [new Uint8Array([1, 2, 3]), new Uint8Array(), new Uint8Array(300).fill(9)];
  assert.deepEqual(readBlobs(writeBlobs(blobs)), blobs);
  assert.deepEqual(readBlobs(new Uint8Array()), []);
});

Deno.test("a remote keeps its number while a connection uses it, and no longer", () => {
  const remotes = new Remotes();
  const number = remotes.number("foo:a");
  remotes.retain("foo:a");
  remotes.discardUnused("foo:a");
  assert.equal(remotes.number("foo:a"), number);
  assert.notEqual(remotes.number("foo:b"), number);
  remotes.discardUnused("foo:b");
  remotes.release("foo:a");
  assert.equal(remotes.size, 0);
});
