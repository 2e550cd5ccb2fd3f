import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { Session } from "../../lib/backends/backend.ts";
import { memorySessionPair } from "../../lib/backends/memory.ts";
import { fullyConnected, inTime, SimMesh, via } from "./sim_mesh.ts";

function lineEdges(count: number): [number, number][] {
  return Array.from({ length: count - 1 }, (_, i) => [i, i + 1]);
}

/** Ids of the nodes that a traceroute passes. */
async function trace(mesh: SimMesh, from: { netceptor: SimNodeMesh }, to: string) {
  const hops = await inTime(mesh.clock, Array.fromAsync(from.netceptor.traceroute(to)));
  return hops.map(({ from, error }) => error === "" ? from : `${from}: ${error}`);
}
type SimNodeMesh = ReturnType<SimMesh["add"]>["netceptor"];

Deno.test("two nodes are linked without any virtual time passing", async () => {
  await using mesh = new SimMesh();
  const nodes = mesh.addAll(2, [[0, 1]]);
  await mesh.converge(nodes, 100);
  deepEqual(nodes[0]!.netceptor.status(), {
    NodeID: "n0",
    Connections: [{ NodeID: "n1", Cost: 1 }],
    RoutingTable: { n1: "n1" },
    Advertisements: [],
    KnownConnectionCosts: { n0: { n1: 1 }, n1: { n0: 1 } },
  });
  ok(nodes[0]!.log.has("INFO Connection established with n1"));
  ok(nodes[0]!.log.has("INFO Known Connections:"));
  ok(nodes[0]!.log.has("INFO    n1 via n1"));
});

Deno.test("a line of nodes converges, and each can ping the far end", async () => {
  await using mesh = new SimMesh();
  const nodes = mesh.addAll(6, lineEdges(6));
  await mesh.converge(nodes, 1000);
  equal(via(nodes[0]!, "n5"), "n1");
  const reply = await inTime(mesh.clock, nodes[0]!.netceptor.ping("n5"));
  deepEqual([reply.from, reply.error], ["n5", ""]);
  deepEqual(await trace(mesh, nodes[0]!, "n3"), ["n0", "n1", "n2", "n3"]);
});

Deno.test("a ring goes the shorter way round, and the other way after a cut", async () => {
  await using mesh = new SimMesh();
  const nodes = mesh.addAll(6, lineEdges(6));
  const closing = mesh.link(nodes[0]!, nodes[5]!);
  await mesh.converge(nodes);
  await mesh.clock.until(() => via(nodes[0]!, "n4") === "n5", 2000);
  closing.cut();
  await mesh.clock.until(() => via(nodes[0]!, "n4") === "n1", 2000);
  await mesh.clock.until(() => via(nodes[5]!, "n0") === "n4", 2000);
  deepEqual(await trace(mesh, nodes[0]!, "n5"), ["n0", "n1", "n2", "n3", "n4", "n5"]);
});

Deno.test("routes go by cost, not by number of hops", async () => {
  await using mesh = new SimMesh();
  const nodes = mesh.addAll(3, [[0, 1], [1, 2]]);
  mesh.link(nodes[0]!, nodes[2]!, [{ cost: 2.5 }, { cost: 2.5 }]);
  await mesh.converge(nodes);
  await mesh.clock.until(() => via(nodes[0]!, "n2") === "n1", 2000);
});

Deno.test("nodeCost takes precedence over cost, and both ends have to agree", async () => {
  await using mesh = new SimMesh();
  const a = mesh.add("a");
  const b = mesh.add("b");
  const c = mesh.add("c");
  mesh.link(a, b, [{ cost: 1, nodeCost: { b: 3 } }, { cost: 3 }]);
  mesh.link(a, c, [{ cost: 1 }, { cost: 2 }]);
  await mesh.converge([a, b]);
  await mesh.clock.advance(1000);
  deepEqual(a.netceptor.status().Connections, [{ NodeID: "b", Cost: 3 }]);
  const refusal = "rejected connection with node";
  const reason = "because we disagree about the connection cost";
  ok(
    a.log.has(`ERROR Backend error: a: ${refusal} c ${reason}`) ||
      c.log.has(`ERROR Backend error: c: ${refusal} a ${reason}`),
  );
});

Deno.test("a peer that is not allowed is rejected", async () => {
  await using mesh = new SimMesh();
  const a = mesh.add("a");
  const b = mesh.add("b");
  mesh.link(a, b, [{ allowedPeers: ["c"] }, {}]);
  await mesh.clock.advance(1000);
  deepEqual(a.netceptor.status().Connections, []);
  deepEqual(b.netceptor.status().Connections, []);
  ok(
    a.log.has(
      "ERROR Backend error: a: rejected connection with node b because it is not in the allowed " +
        "peers list",
    ),
  );
  ok(b.log.has("WARNING Received a rejection message from peer."));
});

Deno.test("a second link to the same node is rejected, and the first one stays", async () => {
  await using mesh = new SimMesh();
  const [a, b] = mesh.addAll(2, [[0, 1]]);
  await mesh.converge();
  mesh.link(a!, b!);
  await mesh.clock.advance(1000);
  ok(fullyConnected([a!, b!]));
  equal(a!.netceptor.status().Connections.length, 1);
  ok(
    a!.log.has(
      "rejected connection with node n1 because it connected using a node ID we are already " +
        "connected to",
    ),
  );
});

Deno.test("a node that dials itself is rejected", async () => {
  await using mesh = new SimMesh();
  const a = mesh.add("a");
  mesh.link(a, a);
  await mesh.clock.advance(1000);
  deepEqual(a.netceptor.status().Connections, []);
  ok(a.log.has("because it tried to connect using our own node ID"));
});

Deno.test("fifty nodes converge, find ways round cuts, and heal after a partition", async () => {
  await using mesh = new SimMesh();
  // Two rings of 25, joined at two places.
  const ring = (from: number): [number, number][] =>
    Array.from({ length: 25 }, (_, i) => [from + i, from + (i + 1) % 25]);
  const nodes = mesh.addAll(50, [...ring(0), ...ring(25)]);
  const joints = [mesh.link(nodes[0]!, nodes[25]!), mesh.link(nodes[12]!, nodes[37]!)];
  await mesh.converge(nodes, 10_000);
  const [left, right] = [nodes.slice(0, 25), nodes.slice(25)];

  joints[0]!.cut();
  await mesh.clock.until(() => via(nodes[0]!, "n25") !== "n25" && fullyConnected(nodes), 10_000);
  const reply = await inTime(mesh.clock, nodes[0]!.netceptor.ping("n25"));
  equal(reply.from, "n25");

  joints[1]!.cut();
  await mesh.clock.until(
    () => left.every(({ netceptor }) => !netceptor.hasRoute("n30")),
    10_000,
  );
  ok(fullyConnected(left));
  ok(fullyConnected(right));
  await rejects(
    inTime(mesh.clock, nodes[3]!.netceptor.ping("n30")),
    { message: "no route to node" },
  );

  mesh.link(nodes[7]!, nodes[44]!);
  await mesh.converge(nodes, 10_000);
});

Deno.test("of two nodes with one id, the one that started later shuts itself down", async () => {
  await using mesh = new SimMesh();
  const [older, middle] = mesh.addAll(2, [[0, 1]]);
  await mesh.converge();
  await mesh.clock.advance(5000);
  const far = mesh.add("far");
  const younger = mesh.add("n0");
  mesh.link(middle!, far);
  mesh.link(far, younger);
  let failure: Error | undefined;
  void younger.netceptor.failed.then((error) => failure = error);
  await mesh.clock.until(() => failure !== undefined, 60_000);
  equal(failure!.message, "another node has our node ID n0");
  ok(younger.log.lines.some((line) => /^ERROR We are a duplicate node with ID n0/.test(line)));
  ok(older!.log.has("ERROR Duplicate node ID n0 detected via n1"));
  await mesh.clock.advance(11_000);
  ok(fullyConnected([older!, middle!, far]));
  equal(via(far, "n0"), "n1");
});

Deno.test("a link with nothing received for 21 s is dropped", async () => {
  await using mesh = new SimMesh();
  const [a, b] = mesh.addAll(2, []);
  // A carrier that falls silent at some moment but stays open, like a dead path.
  const silent = silenceablePair();
  mesh.attach(a!, silent.sessions[0]);
  mesh.attach(b!, silent.sessions[1]);
  await mesh.converge();
  await mesh.clock.advance(60_000);
  ok(fullyConnected([a!, b!]), "route floods keep the link alive");
  silent.silence();
  await mesh.clock.advance(10_000);
  ok(a!.netceptor.hasRoute("n1"));
  await mesh.clock.advance(20_000);
  ok(!a!.netceptor.hasRoute("n1"));
  ok(a!.log.has("WARNING Timing out connection n1, idle for the past 21s"));
});

Deno.test("a connection whose neighbour never says who it is is given up after 10 s", async () => {
  await using mesh = new SimMesh();
  const a = mesh.add("a");
  const { sessions, silence } = silenceablePair();
  silence();
  mesh.attach(a, sessions[0]);
  await mesh.clock.advance(9900);
  ok(!a.log.has("Giving up"));
  await mesh.clock.advance(1200);
  ok(a.log.has("WARNING Giving up on connection initialization"));
  const introductions = a.log.lines.filter((line) => line.includes("Sending initial connection"));
  equal(introductions.length, 11);
});

Deno.test("nodes that end leave no timer behind", async () => {
  const mesh = new SimMesh();
  mesh.addAll(5, lineEdges(5));
  await mesh.converge();
  await mesh[Symbol.asyncDispose]();
  equal(mesh.clock.pending, 0);
});
/** Two joined sessions over which, once silenced, nothing arrives any more. */
function silenceablePair(): { sessions: [Session, Session]; silence: () => void } {
  const pair = memorySessionPair();
  let silent = false;
  const wrap = (session: Session): Session => ({
    description: session.description,
    receive: () => session.receive(),
    send: (frames) => silent ? Promise.resolve() : session.send(frames),
    close: () => session.close(),
  });
  return { sessions: [wrap(pair[0]), wrap(pair[1])], silence: () => silent = true };
}
