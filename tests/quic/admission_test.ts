/** Who gets in when some node asks for more than its share. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ByNode, findPlace, judgeHandshake } from "../../lib/quic/admission.ts";
import { insecureClientTls, insecureServerTls } from "../../lib/quic/insecure_tls.ts";
import type { QuicError } from "../../lib/quic/quic_error.ts";
import { settle } from "../sim/virtual_clock.ts";
import { halfInitial } from "../support/half_initials.ts";
import { recordInitials } from "../support/quic_initials.ts";
import { Hub } from "./_hub.ts";

const SERVER = "bar:control";
const limits = { maxHalfOpen: 4, maxUnproven: 2 };

function halfOpenOf(...nodes: string[]): ByNode<string> {
  const halfOpen = new ByNode<string>();
  nodes.forEach((node, i) => halfOpen.add(node, `${node}${i}`));
  return halfOpen;
}

Deno.test("a handshake has to prove its address once some are half open", () => {
  const judge = (halfOpen: ByNode<string>, proven: boolean) =>
    judgeHandshake(halfOpen, { node: "foo", proven }, limits).verdict;
  assert.equal(judge(halfOpenOf("a"), false), "accept");
  assert.equal(judge(halfOpenOf("a", "b"), false), "retry");
  assert.equal(judge(halfOpenOf("a", "b"), true), "accept");
  assert.equal(judge(halfOpenOf("a", "b", "c", "d"), false), "retry");
});

Deno.test("the node with the most half-open handshakes makes room, with its oldest", () => {
  const judge = (node: string, ...nodes: string[]) =>
    judgeHandshake(halfOpenOf(...nodes), { node, proven: true }, limits);
  const evicting = (evict: string) => ({ verdict: "accept", place: { evict } });
  assert.deepEqual(judge("foo", "a", "a", "a"), { verdict: "accept", place: "free" });
  assert.deepEqual(judge("foo", "b", "a", "a", "a"), evicting("a1"));
  assert.deepEqual(judge("a", "b", "a", "a", "a"), { verdict: "ignore" });
  assert.deepEqual(judge("b", "b", "a", "a", "a"), evicting("a1"));
  assert.deepEqual(judge("foo", "a", "b", "c", "d"), evicting("a0"));
});

Deno.test("a neighbour that invents nodes takes places from those only", () => {
  const taken = halfOpenOf("foo", "foo", "evil1", "evil2", "evil3", "evil4");
  const neighbourOf = (node: string) => node.startsWith("evil") ? "evil" : node;
  const find = (node: string) =>
    findPlace(taken, node, { max: 6 }, (items) => items.at(-1), neighbourOf);
  assert.deepEqual(find("foo"), { evict: "evil12" });
  assert.deepEqual(find("bar"), { evict: "evil12" });
  assert.deepEqual(find("evil5"), { evict: "evil12" });
  assert.equal(find("evil1"), undefined);
  const judged = judgeHandshake(
    taken,
    { node: "foo", proven: true },
    { maxHalfOpen: 6, maxUnproven: 0 },
    neighbourOf,
  );
  assert.deepEqual(judged, { verdict: "accept", place: { evict: "evil12" } });
});

Deno.test("no node has more than its share, the total stays within bounds, and a new node gets in", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 200 }),
    fc.integer({ min: 7, max: 20 }),
    (asking, max) => {
      const taken = new ByNode<string>();
      const limits = { max, maxPerNode: Math.ceil(max / 2) };
      const ask = (node: string, i: number) => {
        const place = findPlace(taken, node, limits, (items) => items.at(-1));
        if (place === undefined) return false;
        if (place !== "free") taken.delete(place.evict.split("/")[0]!, place.evict);
        taken.add(node, `${node}/${i}`);
        return true;
      };
      asking.forEach((node, i) => {
        const before = taken.count(`n${node}`);
        const got = ask(`n${node}`, i);
        assert.ok(got || before > 0, "a node without any gets one");
        assert.equal(taken.count(`n${node}`), got ? before + 1 : before);
        assert.ok(taken.size <= max && taken.count(`n${node}`) <= limits.maxPerNode);
      });
    },
  ));
});

Deno.test("items are counted once per node, and a node is forgotten with its last", () => {
  fc.assert(fc.property(
    fc.array(
      fc.tuple(fc.boolean(), fc.integer({ max: 3, min: 0 }), fc.integer({ max: 5, min: 0 })),
    ),
    (steps) => {
      const byNode = new ByNode<number>();
      const model = new Map<string, { node: string; item: number }>();
      for (const [adds, n, item] of steps) {
        const node = `n${n}`;
        if (adds) {
          byNode.add(node, item);
          model.set(`${node}/${item}`, { node, item });
        } else {
          byNode.delete(node, item);
          model.delete(`${node}/${item}`);
        }
        const counts = ["n0", "n1", "n2", "n3"].map((name) =>
          [...model.values()].filter((entry) => entry.node === name).length
        );
        assert.deepEqual(["n0", "n1", "n2", "n3"].map((name) => byNode.count(name)), counts);
        assert.equal(byNode.size, model.size);
        const held = Object.fromEntries(counts.map((count, i) => [`n${i}`, count]));
        const without = Object.entries(held).filter(([, count]) => count > 0);
        assert.deepEqual([...byNode.counts()].sort(), without);
      }
    },
  ));
});

const FIRST_PACKETS = {
  "whole ClientHellos": await recordInitials(500),
  "half ClientHellos": Array.from({ length: 500 }, halfInitial),
};

for (const [what, initials] of Object.entries(FIRST_PACKETS)) {
  Deno.test(`a flood of ${what} in other nodes' names keeps nobody out`, async () => {
    using hub = await Hub.create(SERVER, "foo:a");
    const server = hub.endpoint(SERVER);
    for (const [index, initial] of initials.entries()) {
      server.receive(`n${index % 50}:${index}`, initial);
      if (index % 5 === 0) await hub.clock.advance(10);
    }
    assert.equal(server.connectionCount, 64, "those that did not have to prove their address");
    const begin = hub.clock.now();
    await hub.open("foo:a", SERVER);
    assert.ok(hub.clock.now() - begin < 100, `${hub.clock.now() - begin} ms`);
    assert.deepEqual(hub.errors, []);
  });
}

Deno.test("a flood of half-open handshakes with proven addresses keeps nobody out", async () => {
  using hub = new Hub();
  let retries = 0;
  const server = await hub.add(SERVER, {
    server: insecureServerTls(),
    limits: { maxHalfOpen: 20, maxUnproven: 5 },
    // The hostile client follows a Retry and then stops.
    send(to, datagram) {
      const isRetry = (datagram[0]! & 0xf0) === 0xf0;
      if (to === "evil:x" && !isRetry) return;
      if (isRetry) retries++;
      hub.send(SERVER, to, datagram);
    },
  });
  await hub.add("foo:a");
  const flood = await hub.add("evil:x");
  const given = new AbortController();
  const dials: Promise<unknown>[] = [];
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 20; i++) {
      dials.push(
        flood.connect(SERVER, insecureClientTls(), "bar", { signal: given.signal }).catch(() => {}),
      );
    }
    const begin = hub.clock.now();
    const { near, dialled } = await hub.open("foo:a", SERVER);
    assert.ok(hub.clock.now() - begin < 100, `${hub.clock.now() - begin} ms`);
    near.close();
    dialled.close();
    assert.ok(server.connectionCount <= 40, `${server.connectionCount} connections`);
  }
  assert.ok(retries > 300, `${retries} retries`);
  given.abort();
  await Promise.all(dials);
});

Deno.test("a client that has to prove its address gets in with one more round trip", async () => {
  using hub = new Hub();
  await hub.add(SERVER, { server: insecureServerTls(), limits: { maxUnproven: 0 } });
  await hub.add("foo:a");
  const { near, far } = await hub.open("foo:a", SERVER);
  await near.write(Uint8Array.of(5));
  assert.equal(await hub.run(far.read(new Uint8Array(8))), 1);
});

Deno.test("a certificate renewed between a Retry and its answer stops no handshake", async () => {
  using hub = new Hub();
  const server = { ...insecureServerTls() };
  await hub.add(SERVER, {
    server: {
      get identity() {
        // Another object each time: a renewal with each first packet.
        return server.identity;
      },
    },
    limits: { maxUnproven: 0 },
  });
  await hub.add("foo:a");
  await hub.open("foo:a", SERVER);
});

Deno.test("a node with too many connections is told so, and the others get in", async () => {
  using hub = new Hub();
  const refusals: string[] = [];
  await hub.add(SERVER, {
    server: insecureServerTls(),
    limits: { maxConnections: 8 },
    onRefused: (remote, reason) => refusals.push(`${remote}: ${reason}`),
  });
  for (const client of ["evil:x", "evil:y", "foo:a", "qux:b"]) await hub.add(client);
  const held = [];
  for (const client of ["evil:x", "evil:y", "evil:x", "evil:y"]) {
    held.push(await hub.open(client, SERVER));
  }
  for (const client of ["evil:x", "evil:y"]) {
    const dialled = await hub.run(hub.dial(client, SERVER));
    const error = await hub.run(dialled.closed) as QuicError;
    assert.equal(
      error.message,
      "closed by the peer: too many connections from node evil (code 500)",
    );
  }
  assert.equal(hub.accepted(SERVER).length, 4);
  assert.deepEqual(refusals, [
    "evil:x: too many connections from node evil",
    "evil:y: too many connections from node evil",
  ]);
  await hub.open("foo:a", SERVER);
  await hub.open("qux:b", SERVER);
  // A place is free as soon as its connection is over.
  held[0]!.dialled.close();
  held[1]!.dialled.close();
  await hub.run(Promise.all(held.slice(0, 2).map(({ accepted }) => accepted.closed)));
  await settle();
  await hub.open("evil:x", SERVER);
});

Deno.test("a new node gets in when others hold all connections, at the heaviest's cost", async () => {
  using hub = new Hub();
  const refused: string[] = [];
  await hub.add(SERVER, {
    server: insecureServerTls(),
    limits: { maxConnections: 6 },
    onRefused: (remote) => refused.push(remote),
  });
  for (const client of ["evil:x", "vile:y", "foo:a"]) await hub.add(client);
  for (let i = 0; i < 2; i++) await hub.open("vile:y", SERVER);
  for (let i = 0; i < 2; i++) await hub.open("evil:x", SERVER);
  await hub.open("vile:y", SERVER);
  const { dialled } = await hub.open("evil:x", SERVER);
  const { near, far } = await hub.open("foo:a", SERVER);
  assert.deepEqual(refused, ["vile:y"]);
  assert.equal(dialled.ended, undefined);
  await near.write(Uint8Array.of(1));
  assert.equal(await hub.run(far.read(new Uint8Array(8))), 1);
});
