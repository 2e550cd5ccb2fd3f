import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { MemoryBackend, memorySessionPair } from "../../lib/backends/memory.ts";
import { silentLog } from "../../lib/base/log.ts";
import { Netceptor } from "../../lib/netceptor/netceptor.ts";
import { DEFAULT_POLICY, SimMesh } from "../sim/sim_mesh.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { settle, VirtualClock } from "../sim/virtual_clock.ts";

function make(options: Partial<ConstructorParameters<typeof Netceptor>[1]>) {
  const deps = { log: silentLog, clock: new VirtualClock(), random: seededRandom(1) };
  return new Netceptor(deps, { nodeId: "node", ...options });
}

Deno.test("Netceptor refuses invalid node ids", () => {
  throws(() => make({ nodeId: "localhost" }), /node ID "localhost" is reserved/);
  throws(() => make({ nodeId: "LOCALHOST" }), RangeError);
  throws(() => make({ nodeId: "" }), RangeError);
  throws(() => make({ nodeId: "a\nb" }), RangeError);
  throws(() => make({ nodeId: "x".repeat(256) }), /1 to 255 bytes/);
});

Deno.test("Netceptor refuses an idle timeout below 21 s", () => {
  throws(() => make({ maxIdleTimeoutMs: 20_999 }), /20.999 s is below the minimum, 21 s/);
  throws(() => make({ maxIdleTimeoutMs: NaN }), RangeError);
});

Deno.test("addBackend refuses invalid costs", async () => {
  await using netceptor = make({});
  const backend = new MemoryBackend();
  for (const cost of [0, -1, NaN, Infinity]) {
    throws(() => netceptor.addBackend(backend, { cost, nodeCost: {} }), /must be positive/);
    throws(
      () => netceptor.addBackend(backend, { cost: 1, nodeCost: { peer: cost } }),
      /must be positive for peer/,
    );
  }
});

Deno.test("disposing one backend ends its links and leaves the others", async () => {
  await using mesh = new SimMesh();
  const [a, b, c] = mesh.addAll(3, [[0, 1]]);
  await mesh.converge([a!, b!]);
  const backends = [new MemoryBackend("one"), new MemoryBackend("two")];
  const running = backends.map((backend) => c!.netceptor.addBackend(backend, DEFAULT_POLICY));
  for (const [i, node] of [a!, b!].entries()) {
    const [near, far] = memorySessionPair();
    backends[i]!.offer(near);
    mesh.attach(node, far);
  }
  await mesh.clock.until(() => c!.netceptor.status().Connections.length === 2, 1000);
  await running[0]![Symbol.asyncDispose]();
  equal(await running[0]!.ended, undefined);
  deepEqual(c!.netceptor.status().Connections, [{ NodeID: "n1", Cost: 1 }]);
  await mesh.clock.until(() => a!.netceptor.status().Connections.length === 1, 1000);
  await running[0]![Symbol.asyncDispose]();
});

Deno.test("a backend that fails reports it in `ended`", async () => {
  await using mesh = new SimMesh();
  const { netceptor, log } = mesh.add("node");
  const failure = new Error("no such device");
  const running = netceptor.addBackend(
    { description: "odd-listener", run: () => Promise.reject(failure) },
    DEFAULT_POLICY,
  );
  equal(await running.ended, failure);
  ok(log.has("ERROR Backend error: odd-listener: no such device"));
});

Deno.test("onRoutesChanged reports changes and nothing else", async () => {
  await using mesh = new SimMesh();
  const [a, b] = mesh.addAll(2, []);
  let changes = 0;
  const listener = a!.netceptor.onRoutesChanged(() => changes++);
  const link = mesh.link(a!, b!);
  await mesh.converge();
  equal(changes, 1);
  await mesh.clock.advance(60_000);
  equal(changes, 1);
  link.cut();
  await mesh.clock.advance(1000);
  equal(changes, 2);
  listener[Symbol.dispose]();
  mesh.link(a!, b!);
  await mesh.converge();
  equal(changes, 2);
});

Deno.test("paths lead to every node that can be reached, at their cost", async () => {
  await using mesh = new SimMesh();
  const [a] = mesh.addAll(3, [[0, 1], [1, 2]]);
  await mesh.converge();
  deepEqual(
    a!.netceptor.paths(),
    new Map([["n1", { via: "n1", cost: 1 }], ["n2", { via: "n1", cost: 2 }]]),
  );
});

Deno.test("offers of a service are known and told, those of others and our own are not", async () => {
  await using mesh = new SimMesh();
  const [a, , c] = mesh.addAll(3, [[0, 1], [1, 2]]);
  await mesh.converge();
  let told = 0;
  const listener = a!.netceptor.onOffer("svc", () => told++);
  using _own = a!.netceptor.openDatagramPort("svc", {}, { advertise: { tags: {} } });
  using _other = c!.netceptor.openDatagramPort("other", {}, { advertise: { tags: {} } });
  await mesh.clock.advance(6000);
  deepEqual(a!.netceptor.offersOf("svc"), []);
  equal(told, 0);
  const port = c!.netceptor.openDatagramPort("svc", {}, { advertise: { tags: { x: "y" } } });
  await mesh.clock.advance(6000);
  const offers = a!.netceptor.offersOf("svc");
  deepEqual(offers.map(({ nodeId, tags }) => [nodeId, [...tags()!]]), [["n2", [["x", "y"]]]]);
  equal(told, 1);
  port[Symbol.dispose]();
  await mesh.clock.advance(1000);
  deepEqual(a!.netceptor.offersOf("svc"), []);
  equal(told, 2);
  listener[Symbol.dispose]();
  using _again = c!.netceptor.openDatagramPort("svc", {}, { advertise: { tags: {} } });
  await mesh.clock.advance(6000);
  equal(told, 2);
});

Deno.test("hasRoute knows this node, its neighbours, and no others", async () => {
  await using mesh = new SimMesh();
  const [a] = mesh.addAll(2, [[0, 1]]);
  await mesh.converge();
  const { netceptor } = a!;
  deepEqual(["n0", "localhost", "n1", "n2"].map((node) => netceptor.hasRoute(node)), [
    true,
    true,
    true,
    false,
  ]);
});

Deno.test("a node named like a member of every object is a node like any other", async () => {
  await using mesh = new SimMesh();
  const a = mesh.add("__proto__");
  const b = mesh.add("constructor");
  mesh.link(a, b);
  await mesh.converge();
  equal(b.netceptor.status().RoutingTable["__proto__" as string], "__proto__");
  equal(JSON.stringify(a.netceptor.status().RoutingTable), '{"constructor":"constructor"}');
});

Deno.test("a node without links sets no timer", async () => {
  await using mesh = new SimMesh();
  const { netceptor } = mesh.add("alone");
  netceptor.advertiseWorkTypes([{ WorkType: "cat", Secure: false }]);
  await using _listener = await netceptor.listen("control", { advertise: { tags: {} } });
  equal(mesh.clock.pending, 0);
});

Deno.test("two ports cannot have the same service; disposing of one frees it", async () => {
  await using netceptor = make({});
  const port = netceptor.openDatagramPort("svc", {});
  throws(() => netceptor.openDatagramPort("svc", {}), /service svc is already listening/);
  throws(() => netceptor.openDatagramPort("unreach", {}), /already listening/);
  throws(() => netceptor.openDatagramPort("much-too-long", {}), /too long/);
  port[Symbol.dispose]();
  netceptor.openDatagramPort("svc", {})[Symbol.dispose]();
  await rejects(netceptor.listen("much-too-long"), RangeError);
});

Deno.test("disposing of a node twice is the same as once", async () => {
  await using mesh = new SimMesh();
  const { netceptor } = mesh.add("node");
  const both = Promise.all([netceptor[Symbol.asyncDispose](), netceptor[Symbol.asyncDispose]()]);
  await settle();
  await both;
});

Deno.test("status computes the requested fields and no others", async () => {
  await using mesh = new SimMesh();
  const { netceptor } = mesh.add("node");
  deepEqual(netceptor.status(["RoutingTable", "NodeID"]), { RoutingTable: {}, NodeID: "node" });
  deepEqual(Object.keys(netceptor.status()), [
    "NodeID",
    "Connections",
    "RoutingTable",
    "Advertisements",
    "KnownConnectionCosts",
  ]);
});
