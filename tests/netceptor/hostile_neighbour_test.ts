/** Neighbours that send what no honest node would: the node stays up, small and polite. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { decodeAdvertisement, encodeAdvertisement } from "../../lib/wire/advertisement.ts";
import { MessageType } from "../../lib/wire/message_type.ts";
import { inTime, SimMesh } from "../sim/sim_mesh.ts";
import { packet, RawNeighbour } from "./raw_neighbour.ts";

async function linkedPair(mesh: SimMesh) {
  const node = mesh.add("node");
  const evil = new RawNeighbour(mesh, node, "evil");
  await mesh.clock.until(() => node.netceptor.hasRoute("evil"), 1000);
  return { node, evil };
}

const text = (type: number, body: string) => Uint8Array.of(type, ...new TextEncoder().encode(body));

function advert(fields: Partial<Parameters<typeof encodeAdvertisement>[0]>): Uint8Array {
  return encodeAdvertisement({
    nodeId: "evil",
    service: "svc",
    time: "2026-11-21T00:00:00Z",
    connectionType: 1,
    tags: null,
    workCommands: null,
    cancel: false,
    ...fields,
  });
}

Deno.test("meaningless messages are dropped, and the link goes on", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  await evil.send(
    new Uint8Array(0),
    Uint8Array.of(4),
    Uint8Array.of(255, 1, 2),
    text(MessageType.Route, "{"),
    text(MessageType.Route, '{"NodeID":"x","ForwardingNode":"evil","Connections":{"y":-1}}'),
    text(MessageType.Advertisement, "[]"),
    text(MessageType.Route, `{"a":${"[".repeat(60_000)}`),
  );
  ok(!evil.ended);
  equal((await inTime(mesh.clock, node.netceptor.ping("node"))).from, "node");
  deepEqual(node.netceptor.status().KnownConnectionCosts, {
    node: { evil: 1 },
    evil: { node: 1 },
  });
  deepEqual(Object.values(node.netceptor.dropped), [3, 3, 1, 0]);
});

Deno.test("no message, whatever is in it, harms the node", async () => {
  await using mesh = new SimMesh();
  const node = mesh.add("node");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        fc.tuple(fc.integer({ min: 0, max: 4 }), fc.json()).map(([type, body]) => text(type, body)),
      )),
      async (messages) => {
        const evil = new RawNeighbour(mesh, node, "evil");
        await mesh.clock.advance(10);
        await evil.send(...messages);
        await evil.send(Uint8Array.of(MessageType.Reject));
        await mesh.clock.advance(10);
        ok(evil.ended);
      },
    ),
    { numRuns: 200 },
  );
  ok(!node.log.has("TypeError"));
});

Deno.test("nothing but an introduction is heard before the link is up", async () => {
  await using mesh = new SimMesh();
  const node = mesh.add("node");
  const evil = new RawNeighbour(mesh, node, "evil", { silent: true });
  await evil.send(packet(["evil", "a"], ["node", "ping"]), advert({}));
  equal(evil.packets.length, 0);
  deepEqual(node.netceptor.status().Advertisements, []);
});

Deno.test("a neighbour that changes its name is rejected", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  await evil.sendRoute({ forwardingNode: "other" });
  ok(evil.rejected);
  ok(evil.ended);
  ok(node.log.has("because remote node ID changed unexpectedly from evil to other"));
  deepEqual(node.netceptor.status().Connections, []);
});

Deno.test("a neighbour that no longer lists us is rejected", async () => {
  await using mesh = new SimMesh();
  const { evil } = await linkedPair(mesh);
  await evil.sendRoute({ connections: new Map([["other", 1]]) });
  ok(evil.rejected);
});

Deno.test("made-up nodes fill a bounded table and push out nobody who is there", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  const honest = new RawNeighbour(mesh, node, "honest");
  await mesh.clock.until(() => node.netceptor.hasRoute("honest"), 1000);
  for (let i = 0; i < 10_500; i++) {
    await evil.sendRoute({
      nodeId: `made-up-${i}`,
      updateId: `u${i}`,
      connections: new Map([["evil", 1]]),
    });
  }
  await mesh.clock.advance(1000);
  await honest.sendRoute({ connections: new Map([["node", 1], ["newest", 1]]) });
  await honest.sendRoute({ nodeId: "newest", connections: new Map([["honest", 1]]) });
  await mesh.clock.until(() => node.netceptor.hasRoute("newest"), 1000);
  const { KnownConnectionCosts, RoutingTable } = node.netceptor.status();
  ok(Object.keys(KnownConnectionCosts).length <= 10_001);
  equal(RoutingTable.honest, "honest");
});

Deno.test("made-up nodes that can be reached, too, push out nobody and keep nobody out", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  const honest = new RawNeighbour(mesh, node, "honest");
  await honest.sendRoute({ connections: new Map([["node", 1], ["first", 1]]) });
  await honest.sendRoute({ nodeId: "first", connections: new Map([["honest", 1]]) });
  await mesh.clock.until(() => node.netceptor.hasRoute("first"), 1000);
  // Each hub among them lists a thousand.
  for (let hub = 0; hub < 11; hub++) {
    const names = Array.from({ length: 1000 }, (_, i) => `m${hub}-${i}`);
    await evil.sendRoute({
      nodeId: `hub${hub}`,
      connections: new Map([["evil", 1], ...names.map((name) => [name, 1] as const)]),
    });
    for (const name of names) {
      await evil.sendRoute({ nodeId: name, connections: new Map([[`hub${hub}`, 1]]) });
    }
    await evil.sendRoute({
      connections: new Map([
        ["node", 1],
        ...Array.from({ length: hub + 1 }, (_, i) => [`hub${i}`, 1] as const),
      ]),
    });
    await mesh.clock.advance(200);
  }
  await honest.sendRoute({
    connections: new Map([["node", 1], ["first", 1], ["newest", 1]]),
  });
  await honest.sendRoute({ nodeId: "newest", connections: new Map([["honest", 1]]) });
  await mesh.clock.until(() => node.netceptor.hasRoute("newest"), 1000);
  const { KnownConnectionCosts, RoutingTable } = node.netceptor.status();
  ok(Object.keys(KnownConnectionCosts).length <= 10_001);
  ok(Object.keys(RoutingTable).length > 9000, "they fill the table");
  equal(RoutingTable.first, "honest");
});

Deno.test("neighbours that come and go under new names leave nothing behind", async () => {
  await using mesh = new SimMesh();
  const node = mesh.add("node");
  for (let i = 0; i < 50; i++) {
    const guest = new RawNeighbour(mesh, node, `guest${i}`, { silent: true });
    await guest.sendRoute({});
    await mesh.clock.until(() => node.netceptor.hasRoute(guest.nodeId), 1000);
    await guest.send(Uint8Array.of(MessageType.Reject));
    await mesh.clock.advance(200);
    ok(guest.ended);
  }
  deepEqual(node.netceptor.status().KnownConnectionCosts, { node: {} });
});

Deno.test("advertisements of one node are bounded, and newer ones win", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  const honest = new RawNeighbour(mesh, node, "honest");
  await mesh.clock.until(() => node.netceptor.hasRoute("honest"), 1000);
  for (let i = 0; i < 100; i++) await evil.send(advert({ service: `s${i}` }));
  equal(node.netceptor.status().Advertisements.length, 64);
  const floods = () => honest.received.filter(([type]) => type === MessageType.Advertisement);
  equal(floods().length, 64);

  const older = advert({ service: "s0", time: "2026-11-20T00:00:00Z", connectionType: 2 });
  const newer = advert({ service: "s0", time: "2026-11-21T00:00:00.000000001Z", cancel: true });
  await evil.send(older);
  equal(floods().length, 64);
  await evil.send(newer);
  equal(floods().length, 65);
  ok(decodeAdvertisement(floods().at(-1)!).cancel);
  equal(node.netceptor.status().Advertisements.length, 63);
});

Deno.test("a withdrawal that keeps coming is passed on once", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  const other = new RawNeighbour(mesh, node, "other");
  await mesh.clock.until(() => node.netceptor.hasRoute("other"), 1000);
  const floods = () => other.received.filter(([type]) => type === MessageType.Advertisement).length;
  await evil.send(advert({ nodeId: "far" }));
  equal(floods(), 1);
  const withdrawal = advert({ nodeId: "far", time: "2026-11-21T00:00:01Z", cancel: true });
  for (let i = 0; i < 100; i++) {
    await evil.send(withdrawal);
    await other.send(withdrawal);
  }
  equal(floods(), 2);
  await evil.send(advert({ nodeId: "far", time: "2026-11-21T00:00:00.5Z" }));
  equal(floods(), 2);
  deepEqual(node.netceptor.status(["Advertisements"]).Advertisements, []);
});

Deno.test("advertisements are bounded in bytes, and those of other neighbours stay", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  const honest = new RawNeighbour(mesh, node, "honest");
  await mesh.clock.until(() => node.netceptor.hasRoute("honest"), 1000);
  await honest.send(advert({ nodeId: "honest" }));
  const workCommands = Array.from({ length: 1000 }, () => ({ WorkType: "a", Secure: false }));
  for (let i = 0; i < 100; i++) {
    await evil.send(
      ...Array.from({ length: 10 }, (_, j) => advert({ nodeId: `n${i}-${j}`, workCommands })),
    );
  }
  await honest.send(advert({ nodeId: "newest" }));
  const nodes = node.netceptor.status(["Advertisements"]).Advertisements.map((a) => a.NodeID);
  ok(nodes.length < 600, `${nodes.length} adverts of 31 kB`);
  ok(nodes.includes("honest"));
  ok(nodes.includes("newest"));
  ok(nodes.includes("n99-9"));
});

Deno.test("what others say about our own services is not news", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  await evil.send(advert({ nodeId: "node", time: "2099-01-01T00:00:00Z" }));
  deepEqual(node.netceptor.status().Advertisements, []);
});

Deno.test("an update of ours that comes back changes nothing", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  const echo = evil.routes.at(-1)!;
  await evil.sendRoute({ ...echo, forwardingNode: "evil" });
  ok(!node.log.has("Duplicate node ID"));
});

Deno.test("a forged claim that we are a duplicate stops no node", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  let failed = false;
  void node.netceptor.failed.then(() => failed = true);
  const { epoch } = evil.routes.at(-1)!;
  // A node that started after us cannot have been there first.
  await evil.sendRoute({ nodeId: "node", epoch: epoch + 1n, suspectedDuplicate: epoch });
  for (let minutes = 0; minutes < 2; minutes++) {
    for (let i = 0; i < 4; i++) {
      await mesh.clock.advance(15_000);
      await evil.sendRoute({ connections: new Map([["node", 1]]) });
    }
  }
  for (let i = 0; i < 100; i++) {
    await evil.sendRoute({ nodeId: "node", epoch: epoch - 1n, suspectedDuplicate: epoch });
  }
  await mesh.clock.advance(5000);
  ok(!failed);
  ok(node.netceptor.hasRoute("evil"));
  const lines = node.log.lines.filter((line) => line.includes("claim that another node had our"));
  equal(lines.length, 2);
});

for (const forgery of ["a later epoch", "a higher sequence"]) {
  Deno.test(`a route message forged with ${forgery} silences no node for long`, async () => {
    await using mesh = new SimMesh();
    const [near] = mesh.addAll(4, [[0, 1], [1, 2], [2, 3]]);
    await mesh.converge();
    const evil = new RawNeighbour(mesh, near!, "evil");
    await mesh.clock.until(() => near!.netceptor.hasRoute("evil"), 1000);
    await mesh.clock.until(() => evil.routes.some(({ nodeId }) => nodeId === "n2"), 20_000);
    const { epoch } = evil.routes.findLast(({ nodeId }) => nodeId === "n2")!;
    await evil.sendRoute({
      nodeId: "n2",
      updateId: "forged",
      connections: new Map([["evil", 1]]),
      epoch: forgery === "a later epoch" ? epoch + (1n << 40n) : epoch,
      sequence: 2n ** 64n - 1n,
    });
    await mesh.clock.until(() => !near!.netceptor.hasRoute("n3"), 1000);
    await mesh.clock.until(() => near!.netceptor.hasRoute("n3"), 25_000);
  });
}

Deno.test("a route message forged with a later epoch ends no stream", async () => {
  await using mesh = new SimMesh();
  const [near, , far] = mesh.addAll(3, [[0, 1], [1, 2]]);
  await mesh.converge();
  const evil = new RawNeighbour(mesh, near!, "evil");
  await mesh.clock.until(() => evil.routes.some(({ nodeId }) => nodeId === "n2"), 20_000);
  await using listener = await far!.netceptor.listen("svc");
  const dialled = await inTime(mesh.clock, near!.netceptor.dial("n2", "svc"));
  const accepted = (await inTime(mesh.clock, listener[Symbol.asyncIterator]().next())).value!;
  const { epoch } = evil.routes.findLast(({ nodeId }) => nodeId === "n2")!;
  for (let forged = 1n; forged <= 5n; forged++) {
    await evil.sendRoute({
      nodeId: "n2",
      updateId: `forged${forged}`,
      connections: new Map([["n1", 1]]),
      epoch: epoch + (forged << 40n),
      sequence: 1n,
    });
    await mesh.clock.advance(3_000);
  }
  await dialled.write(Uint8Array.of(7));
  const into = new Uint8Array(1);
  equal(await inTime(mesh.clock, accepted.read(into)), 1);
  equal(into[0], 7);
});

Deno.test("twenty route messages a second do not flood the log", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  const names = Array.from({ length: 1000 }, (_, i) => [`leaf${i}`, 1] as const);
  await evil.sendRoute({ connections: new Map([["node", 1], ...names]) });
  for (const [name] of names) {
    await evil.sendRoute({ nodeId: name, connections: new Map([["evil", 1]]) });
  }
  await mesh.clock.advance(11_000);
  node.log.lines.length = 0;
  for (let i = 0; i < 200; i++) {
    await evil.sendRoute({ nodeId: "leaf0", connections: new Map([["evil", 1], ["x", i + 1]]) });
    await mesh.clock.advance(50);
  }
  const told = node.log.lines.filter((line) => line.startsWith("INFO"));
  ok(told.length < 5000, `${told.length} lines in 10 s`);
});

Deno.test("each flood is passed on once, and never back", async () => {
  await using mesh = new SimMesh();
  const { node, evil } = await linkedPair(mesh);
  const other = new RawNeighbour(mesh, node, "other");
  await mesh.clock.until(() => node.netceptor.hasRoute("other"), 1000);
  const flood = {
    nodeId: "far",
    updateId: "once",
    epoch: 7n,
    sequence: 1n,
    connections: new Map([["evil", 1]]),
  };
  await evil.sendRoute(flood);
  await evil.sendRoute(flood);
  await other.sendRoute(flood);
  const copies = other.routes.filter(({ nodeId }) => nodeId === "far");
  deepEqual(copies.map(({ forwardingNode, epoch }) => [forwardingNode, epoch]), [["node", 7n]]);
  equal(evil.routes.filter(({ nodeId }) => nodeId === "far").length, 0);
});

Deno.test("a node has no more links than it can list in one message", async () => {
  await using mesh = new SimMesh();
  const node = mesh.add("node");
  const long = "x".repeat(250);
  const neighbours = Array.from({ length: 250 }, (_, i) => {
    return new RawNeighbour(mesh, node, `${long}${i}`, { silent: true });
  });
  for (const neighbour of neighbours) await neighbour.sendRoute({ updateId: "hello" });
  await mesh.clock.advance(1000);
  const refused = neighbours.filter(({ rejected }) => rejected);
  ok(refused.length > 0 && refused.length < 20, `${refused.length} refused`);
  equal(neighbours[0]!.routes.at(-1)!.connections.size, 250 - refused.length);
  await neighbours[0]!.send(Uint8Array.of(MessageType.Reject));
  const next = new RawNeighbour(mesh, node, `${long}next`, { silent: true });
  await next.sendRoute({ updateId: "hello" });
  await mesh.clock.until(() => node.netceptor.hasRoute(next.nodeId), 1000);
});

Deno.test("a connection whose neighbour does not say who it is ends", async () => {
  await using mesh = new SimMesh();
  const node = mesh.add("node");
  const silent = new RawNeighbour(mesh, node, "silent", { silent: true });
  await mesh.clock.advance(10_000);
  ok(!silent.ended);
  await mesh.clock.advance(1_010);
  ok(silent.ended);
});
