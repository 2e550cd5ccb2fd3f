/** Functions of the endpoint's user that throw end at most the one connection concerned. */
import assert from "node:assert/strict";
import { insecureClientTls, insecureServerTls } from "../../lib/quic/insecure_tls.ts";
import type { QuicError } from "../../lib/quic/quic_error.ts";
import { settle } from "../sim/virtual_clock.ts";
import { barIdentity, fooIdentity } from "./_identities.ts";
import { Hub } from "./_hub.ts";
import type { OpenPair } from "./_pair.ts";

const SERVER = "bar:control";

/** One byte there and one back. */
async function check(hub: Hub, { near, far }: OpenPair): Promise<void> {
  await near.write(Uint8Array.of(1));
  assert.equal(await hub.run(far.read(new Uint8Array(8)), 5_000), 1);
  await far.write(Uint8Array.of(2));
  assert.equal(await hub.run(near.read(new Uint8Array(8)), 5_000), 1);
}

function problems(hub: Hub): string[] {
  return [...new Set(hub.errors.map(({ message }) => message))];
}

Deno.test("a service that throws for a new connection loses only that one, and its peer is told", async () => {
  using hub = new Hub();
  await hub.add(SERVER, {
    server: insecureServerTls(),
    onConnection(connection) {
      if (connection.remote === "evil:x") throw new RangeError("not that one");
      hub.accepted(SERVER).push(connection);
    },
  });
  for (const client of ["foo:a", "evil:x", "qux:b"]) await hub.add(client);
  const foo = await hub.open("foo:a", SERVER);
  // In the same turn as others' packets.
  const dials = ["evil:x", "qux:b"].map((client) => hub.dial(client, SERVER));
  await foo.near.write(Uint8Array.of(0));
  const [evil, qux] = await hub.run(Promise.all(dials));
  const error = await hub.run(evil!.closed, 1_000) as QuicError;
  assert.equal(error.message, "closed by the peer: internal error (code 500)");
  assert.equal(await hub.run(foo.far.read(new Uint8Array(8))), 1);
  await check(hub, foo);
  assert.equal(qux!.ended, undefined);
  assert.deepEqual(problems(hub), ["the connection with evil:x failed: not that one"]);
  await hub.clock.advance(60_000);
  assert.equal(hub.endpoint(SERVER).connectionCount, 2);
});

Deno.test("a turn ends even if a user's function throws in it, so that time goes on", async () => {
  using hub = new Hub();
  await hub.add(SERVER, {
    server: insecureServerTls(),
    onConnection() {
      throw new RangeError("not today");
    },
  });
  await hub.add("foo:a");
  await hub.run(hub.dial("foo:a", SERVER));
  await hub.clock.advance(20_000);
  // If the turn had been left open, the handshake's deadline would already be over.
  const late = await hub.run(hub.dial("foo:a", SERVER), 1_000);
  assert.equal((await hub.run(late.closed, 1_000) as QuicError).code, 500);
});

for (const name of ["send", "writable"] as const) {
  Deno.test(`${name} that throws for one remote ends its connection and no other`, async () => {
    using hub = new Hub();
    let failing = false;
    await hub.add(SERVER, {
      server: insecureServerTls(),
      send(to, datagram) {
        if (failing && name === "send" && to === "evil:x") throw new Error("no way there");
        hub.send(SERVER, to, datagram);
      },
      writable(to) {
        if (failing && name === "writable" && to === "evil:x") throw new Error("no way there");
        return true;
      },
    });
    for (const client of ["evil:x", "foo:a"]) await hub.add(client);
    const evil = await hub.open("evil:x", SERVER);
    const foo = await hub.open("foo:a", SERVER);
    failing = true;
    await evil.far.write(new Uint8Array(100_000));
    await foo.far.write(Uint8Array.of(1));
    const error = await hub.run(evil.accepted.closed, 1_000) as QuicError;
    assert.match(error.message, /internal error/);
    assert.equal(await hub.run(foo.near.read(new Uint8Array(8))), 1);
    await check(hub, foo);
    assert.deepEqual(problems(hub), ["the connection with evil:x failed: no way there"]);
    failing = false;
    await check(hub, await hub.open("evil:x", SERVER));
  });
}

Deno.test("send that throws in a timer's turn leaves the other connections their timers", async () => {
  using hub = new Hub();
  let failing = false;
  await hub.add("foo:a", {
    send(to, datagram) {
      if (failing && to === "evil:control") throw new Error("no way there");
      hub.send("foo:a", to, datagram);
    },
  });
  for (const server of ["evil:control", SERVER]) {
    await hub.add(server, { server: insecureServerTls() });
  }
  const evil = await hub.open("foo:a", "evil:control");
  const bar = await hub.open("foo:a", SERVER);
  await hub.clock.advance(1_000);
  failing = true;
  // Only the dialler's pings keep them alive.
  await hub.clock.advance(300_000);
  assert.match(String(evil.dialled.ended), /internal error/);
  assert.equal(bar.accepted.ended, undefined);
  await check(hub, bar);
});

Deno.test("send that throws for an answer to a stranger is reported, and harms nobody", async () => {
  using hub = new Hub();
  const server = await hub.add(SERVER, {
    server: insecureServerTls(),
    send(to, datagram) {
      if (to === "evil:x") throw new Error("no way there");
      hub.send(SERVER, to, datagram);
    },
  });
  await hub.add("foo:a");
  const unknownVersion = new Uint8Array(1200);
  unknownVersion.set([0xc0, 0x0a, 0x0b, 0x0c, 0x0d, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 9, 9, 9, 9]);
  const dialling = hub.dial("foo:a", SERVER);
  server.receive("evil:x", unknownVersion);
  await settle();
  assert.deepEqual(problems(hub), ["sending to evil:x failed: no way there"]);
  await hub.run(dialling, 1_000);
});

Deno.test("a check of clients that itself fails refuses that client, and is reported", async () => {
  using hub = new Hub();
  await hub.add(SERVER, {
    server: {
      identity: barIdentity,
      verifyClient(_chain, node) {
        if (node === "evil") throw new TypeError("cannot read the list");
      },
    },
  });
  for (const client of ["evil:x", "foo:a"]) await hub.add(client);
  const tls = { identity: fooIdentity, verifyServer: () => {} };
  const evil = await hub.run(hub.dial("evil:x", SERVER, tls));
  assert.equal((await hub.run(evil.closed, 1_000) as QuicError).alert, 80);
  const foo = await hub.run(hub.dial("foo:a", SERVER, tls));
  await hub.clock.advance(100);
  assert.equal(foo.ended, undefined);
  assert.deepEqual(problems(hub), [
    "checking the certificate of evil:x failed: cannot read the list",
  ]);
});

Deno.test("a check that calls into its endpoint refuses the peer, and breaks nothing", async () => {
  using hub = new Hub();
  const client = await hub.add("foo:a");
  await hub.add(SERVER, { server: insecureServerTls() });
  const open = await hub.open("foo:a", SERVER);
  const dialling = hub.dial("foo:a", SERVER, { verifyServer: () => client.close() });
  await assert.rejects(hub.run(dialling, 1_000), /may not call into it/);
  await check(hub, open);
});

Deno.test("a server's identity that cannot be read or be told of leaves the earlier one", async () => {
  using hub = new Hub();
  let identity = () => barIdentity;
  await hub.add(SERVER, {
    server: {
      get identity() {
        return identity();
      },
    },
    onIdentityRefused() {
      throw new Error("no log");
    },
  });
  await hub.add("foo:a");
  const tls = { verifyServer: () => {} };
  for (
    const next of [
      () => {
        throw new Error("no file");
      },
      () => ({ chain: barIdentity.chain, privateKey: fooIdentity.privateKey }),
    ]
  ) {
    identity = next;
    const connection = await hub.run(hub.dial("foo:a", SERVER, tls));
    assert.deepEqual(connection.peerChain, barIdentity.chain);
    connection.close();
  }
  assert.deepEqual(problems(hub), [
    "renewing the server's certificate failed: no file",
    "renewing the server's certificate failed: no log",
  ]);
});

Deno.test("a log that also throws harms nobody", async () => {
  using hub = new Hub();
  await hub.add(SERVER, {
    server: insecureServerTls(),
    onConnection() {
      throw new Error("no");
    },
    onError() {
      throw new Error("no log");
    },
  });
  await hub.add("foo:a");
  for (let i = 0; i < 2; i++) {
    const connection = await hub.run(hub.dial("foo:a", SERVER, insecureClientTls()), 1_000);
    assert.equal((await hub.run(connection.closed, 1_000) as QuicError).code, 500);
  }
});

Deno.test("a user that closes the endpoint from within its functions ends it properly", async () => {
  using hub = new Hub();
  const server = await hub.add(SERVER, {
    server: insecureServerTls(),
    onConnection: () => server.close(),
  });
  await hub.add("foo:a");
  const dialled = await hub.run(hub.dial("foo:a", SERVER));
  assert.equal(await hub.run(dialled.closed, 1_000), undefined);
  assert.equal(server.connectionCount, 0);
  assert.deepEqual(hub.errors, []);
});
