import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { inTime, SimMesh } from "../sim/sim_mesh.ts";
import { settle } from "../sim/virtual_clock.ts";
import { RawNeighbour } from "./raw_neighbour.ts";

Deno.test("ping answers with the node and the time that it took", async () => {
  await using mesh = new SimMesh();
  const [a] = mesh.addAll(2, [[0, 1]]);
  await mesh.converge();
  const reply = await inTime(mesh.clock, a!.netceptor.ping("n1"));
  deepEqual([reply.from, reply.error], ["n1", ""]);
  ok(Number.isInteger(reply.timeNs));
});

Deno.test("a node pings itself, by id or as localhost", async () => {
  await using mesh = new SimMesh();
  const { netceptor } = mesh.add("me");
  equal((await inTime(mesh.clock, netceptor.ping("me"))).from, "me");
  equal((await inTime(mesh.clock, netceptor.ping("localhost"))).from, "me");
});

Deno.test("ping of a node without a route fails at once", async () => {
  await using mesh = new SimMesh();
  const { netceptor } = mesh.add("me");
  await rejects(netceptor.ping("nowhere"), { message: "no route to node" });
});

Deno.test("ping of a node that does not answer tries again and ends after 10 s", async () => {
  await using mesh = new SimMesh();
  const node = mesh.add("me");
  const mute = new RawNeighbour(mesh, node, "mute");
  await mesh.clock.until(() => node.netceptor.hasRoute("mute"), 1000);
  const start = mesh.clock.now();
  await rejects(inTime(mesh.clock, node.netceptor.ping("mute")), { message: "timeout" });
  equal(mesh.clock.now() - start, 10_000);
  ok(mute.packets.length > 10);
});

Deno.test("ping ends with the reason of its signal", async () => {
  await using mesh = new SimMesh();
  const node = mesh.add("me");
  new RawNeighbour(mesh, node, "mute");
  await mesh.clock.until(() => node.netceptor.hasRoute("mute"), 1000);
  const abort = new AbortController();
  const pinging = node.netceptor.ping("mute", { signal: abort.signal });
  const reason = new Error("enough");
  abort.abort(reason);
  await rejects(pinging, reason);
  await rejects(node.netceptor.ping("mute", { signal: abort.signal }), reason);
});

Deno.test("ping ends when the node shuts down", async () => {
  await using mesh = new SimMesh();
  const node = mesh.add("me");
  new RawNeighbour(mesh, node, "mute");
  await mesh.clock.until(() => node.netceptor.hasRoute("mute"), 1000);
  const ended = rejects(node.netceptor.ping("mute"), { message: "netceptor shutdown" });
  const closing = node.netceptor[Symbol.asyncDispose]();
  await settle();
  await mesh.clock.advance(1000);
  await Promise.all([ended, closing]);
});

Deno.test("ping that may not go far enough says where it expired", async () => {
  await using mesh = new SimMesh();
  const [a] = mesh.addAll(3, [[0, 1], [1, 2]]);
  await mesh.converge();
  await rejects(
    inTime(mesh.clock, a!.netceptor.ping("n2", { hops: 1 })),
    { message: "message expired" },
  );
  equal((await inTime(mesh.clock, a!.netceptor.ping("n2", { hops: 2 }))).from, "n2");
});

Deno.test("traceroute names each node on the way, this one first", async () => {
  await using mesh = new SimMesh();
  const [a] = mesh.addAll(3, [[0, 1], [1, 2]]);
  await mesh.converge();
  const trace = async (target: string) => {
    const hops = await inTime(mesh.clock, Array.fromAsync(a!.netceptor.traceroute(target)));
    return hops.map(({ from, error }) => [from, error]);
  };
  deepEqual(await trace("n2"), [["n0", ""], ["n1", ""], ["n2", ""]]);
  deepEqual(await trace("n0"), [["n0", ""]]);
  deepEqual(await trace("localhost"), [["n0", ""]]);
  deepEqual(await trace("nowhere"), [["n0", ""], ["n0", "no route to node"]]);
});
