/** A node that has just started, in a mesh that goes on: it should not wait for the next floods. */
import { equal, ok } from "node:assert/strict";
import { loadCore } from "../../lib/quic/load_core.ts";
import { RawNeighbour } from "../netceptor/raw_neighbour.ts";
import { fullyConnected, inTime, SimMesh, type SimNode } from "./sim_mesh.ts";

// Virtual time goes on while the core is loaded, which must not count as waiting for a route.
await import("../../lib/quic/endpoint.ts");
await loadCore();

/** Longer than recalculations and floods are put off, and far less than a turn of floods. */
const SOON_MS = 500;

/** A line of nodes that has been up for a while. */
async function settledLine(mesh: SimMesh, ids: readonly string[]): Promise<SimNode[]> {
  const nodes = ids.map((id) => mesh.add(id));
  for (const [index, node] of nodes.slice(1).entries()) mesh.link(nodes[index]!, node);
  await mesh.converge();
  await nodes.at(-1)!.netceptor.listen("control", { advertise: { tags: { here: "yes" } } });
  await mesh.clock.advance(25_000);
  return nodes;
}

/** Ends a node and starts it anew, linked to `neighbour`. */
async function restart(mesh: SimMesh, node: SimNode, neighbour: SimNode): Promise<SimNode> {
  const closing = node.netceptor[Symbol.asyncDispose]();
  await mesh.clock.advance(1_000);
  await closing;
  const again = mesh.add(node.netceptor.nodeId);
  mesh.link(again, neighbour);
  return again;
}

function knows({ netceptor }: SimNode, service: string): boolean {
  return netceptor.status(["Advertisements"]).Advertisements
    .some(({ Service }) => Service === service);
}

Deno.test("a new node learns at once of nodes and services behind its neighbour", async () => {
  await using mesh = new SimMesh();
  const nodes = await settledLine(mesh, ["a", "b", "c", "d"]);
  const newcomer = mesh.add("new");
  mesh.link(newcomer, nodes[0]!);
  await mesh.clock.until(() => fullyConnected([newcomer, ...nodes]), SOON_MS);
  await mesh.clock.until(() => knows(newcomer, "control"), SOON_MS);
});

Deno.test("a restarted node reaches nodes three hops away at once", async () => {
  await using mesh = new SimMesh();
  const [a, b, , d] = await settledLine(mesh, ["a", "b", "c", "d"]);
  const again = await restart(mesh, a!, b!);
  await mesh.clock.until(() => again.netceptor.hasRoute("d"), SOON_MS);
  const reply = await inTime(mesh.clock, again.netceptor.ping("d"));
  equal(reply.from, "d");
  await mesh.clock.until(() => knows(again, "control"), SOON_MS);
  equal(d!.netceptor.dropped["Error translating data to message struct"] ?? 0, 0);
});

Deno.test("a node tells a restarted one of itself, as its neighbour may not", async () => {
  await using mesh = new SimMesh();
  const node = mesh.add("node");
  const neighbour = new RawNeighbour(mesh, node, "neighbour");
  const other = { nodeId: "other", connections: new Map([["neighbour", 1]]) };
  await neighbour.sendRoute({ ...other, epoch: 1n });
  await mesh.clock.advance(15_000);
  const told = () => neighbour.routes.filter(({ nodeId }) => nodeId === "node").length;
  const before = told();
  await neighbour.sendRoute({ ...other, epoch: 2n });
  await mesh.clock.advance(SOON_MS);
  equal(told(), before + 1);
});

Deno.test("a dial right after the start waits for the route that is on its way", async () => {
  await using mesh = new SimMesh();
  const [a, b] = await settledLine(mesh, ["a", "b", "c", "d"]);
  const again = await restart(mesh, a!, b!);
  const start = mesh.clock.now();
  const conn = await inTime(mesh.clock, again.netceptor.dial("d", "control"));
  equal(conn.remoteNode, "d");
  ok(mesh.clock.now() - start < 2_000);
  conn.abort();
});
