/** Links, routes, ping and traceroute with Go daemons. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { goListener, goPeer, OwnNode } from "../support/own_node.ts";

const kinds = ["go"] as const;

async function hopsOf(node: OwnNode, target: string): Promise<string[]> {
  const hops = await Array.fromAsync(node.netceptor.traceroute(target));
  return hops.map(({ from, error }) => error === "" ? from : `${from}: ${error}`);
}

meshTest("a Go node dials us: both ends ping, trace and list the link", { kinds }, async (mesh) => {
  await using ours = new OwnNode("ours");
  const go = await mesh.node({ kind: "go", id: "go", actions: [goPeer(ours.listen())] });
  await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);

  equal((await ours.netceptor.ping("go")).from, "go");
  deepEqual(await hopsOf(ours, "go"), ["ours", "go"]);
  const pong = await go.json("ping ours");
  deepEqual([pong.Success, pong.From], [true, "ours"]);
  const trace = await go.json("traceroute ours");
  deepEqual(
    Object.values(trace).map((hop) => (hop as { From: string }).From),
    ["go", "ours"],
  );
  const status = await go.status();
  deepEqual(status.Connections, [{ NodeID: "ours", Cost: 1 }]);
  deepEqual(status.KnownConnectionCosts, { ours: { go: 1 }, go: { ours: 1 } });
  deepEqual(ours.netceptor.status().KnownConnectionCosts, { ours: { go: 1 }, go: { ours: 1 } });
});

meshTest("we dial a Go node, which names us in its log", { kinds }, async (mesh) => {
  await using ours = new OwnNode("ours");
  const port = freePort();
  const go = await mesh.node({ kind: "go", id: "go", actions: [goListener(port)] });
  ours.dial(port);
  await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);
  await go.waitForLog(/Connection established with ours/);
  equal((await ours.netceptor.ping("go")).from, "go");
});

meshTest("ping and traceroute go through a Go node in the middle", { kinds }, async (mesh) => {
  await using left = new OwnNode("left");
  await using right = new OwnNode("right");
  const port = freePort();
  await mesh.node({ kind: "go", id: "middle", actions: [goListener(port)] });
  left.dial(port);
  right.dial(port);
  await Promise.all([left.waitForRoute("right"), right.waitForRoute("left")]);
  equal((await left.netceptor.ping("right")).from, "right");
  equal((await right.netceptor.ping("left")).from, "left");
  deepEqual(await hopsOf(left, "right"), ["left", "middle", "right"]);
});

meshTest("Go nodes ping and trace through us in the middle", { kinds }, async (mesh) => {
  await using middle = new OwnNode("middle");
  const port = middle.listen();
  const left = await mesh.node({ kind: "go", id: "left", actions: [goPeer(port)] });
  const right = await mesh.node({ kind: "go", id: "right", actions: [goPeer(port)] });
  await Promise.all([left.waitForRoute("right"), right.waitForRoute("left")]);
  const pong = await left.json("ping right");
  deepEqual([pong.Success, pong.From], [true, "right"]);
  const trace = await left.json("traceroute right");
  deepEqual(
    Object.values(trace).map((hop) => (hop as { From: string }).From),
    ["left", "middle", "right"],
  );
});

meshTest("a cut link is noticed on both sides and comes back", { kinds }, async (mesh) => {
  await using ours = new OwnNode("ours");
  const link = mesh.link(ours.listen());
  const go = await mesh.node({ kind: "go", id: "go", actions: [goPeer(link.port)] });
  await ours.waitForRoute("go");
  link.cut();
  await Promise.all([ours.waitForNoRoute("go"), go.waitForNoRoute("ours")]);
  link.heal();
  await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);
  equal((await ours.netceptor.ping("go")).from, "go");
});

meshTest("we redial a Go node whose link was cut", { kinds }, async (mesh) => {
  await using ours = new OwnNode("ours");
  const port = freePort();
  const go = await mesh.node({ kind: "go", id: "go", actions: [goListener(port)] });
  const link = mesh.link(port);
  ours.dial(link.port);
  await ours.waitForRoute("go");
  link.cut();
  await ours.waitForNoRoute("go");
  ok(ours.log.has("WARNING Backend connection exited (will retry)"));
  link.heal();
  await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);
});

meshTest("a Go node and we know each other's adverts", { kinds }, async (mesh) => {
  await using ours = new OwnNode("ours");
  const port = ours.listen();
  ours.netceptor.advertiseWorkTypes([{ WorkType: "cat", Secure: false }]);
  const listener = await ours.netceptor.listen("control", {
    advertise: { tags: { type: "Control Service" } },
  });
  const go = await mesh.node({
    kind: "go",
    id: "go",
    actions: [goPeer(port), { "work-command": { worktype: "echo", command: "echo" } }],
  });
  const fromGo = await eventually(() =>
    ours.netceptor.status().Advertisements.find(({ NodeID }) => NodeID === "go")
  );
  deepEqual([fromGo.Service, fromGo.ConnType, fromGo.Tags, fromGo.WorkCommands], [
    "control",
    1,
    { type: "Control Service" },
    [{ WorkType: "echo", Secure: false }],
  ]);
  const ourAdvert = async () =>
    (await go.status()).Advertisements?.find(({ NodeID }) => NodeID === "ours");
  const { Service, ConnType, Tags, WorkCommands } = await eventually(ourAdvert);
  deepEqual([Service, ConnType, Tags, WorkCommands], [
    "control",
    1,
    { type: "Control Service" },
    [{ WorkType: "cat", Secure: false }],
  ]);
  await listener[Symbol.asyncDispose]();
  await eventually(async () => await ourAdvert() === undefined);
});

meshTest("our node shuts down when a Go node had its id first", { kinds }, async (mesh) => {
  const port = freePort();
  const middle = await mesh.node({ kind: "go", id: "middle", actions: [goListener(port)] });
  const first = await mesh.node({ kind: "go", id: "twin", actions: [goPeer(port)] });
  await middle.waitForRoute("twin");
  await using between = new OwnNode("between");
  between.dial(port);
  await between.waitForRoute("twin");
  await using second = new OwnNode("twin", 10_000);
  second.dial(between.listen());
  match((await second.netceptor.failed).message, /another node has our node ID twin/);
  ok(first.program.running);
});

meshTest("a Go node shuts down when we had its id first", { kinds }, async (mesh) => {
  await using ours = new OwnNode("twin", -10_000);
  const port = freePort();
  await mesh.node({ kind: "go", id: "middle", actions: [goListener(port)] });
  ours.dial(port);
  await ours.waitForRoute("middle");
  const between = new OwnNode("between");
  await using _between = between;
  between.dial(port);
  await between.waitForRoute("twin");
  const second = await mesh.node({
    kind: "go",
    id: "twin",
    actions: [goPeer(between.listen())],
  });
  await second.waitForLog(/We are a duplicate node with ID twin/);
  ok(ours.log.lines.some((line) => line.startsWith("ERROR Duplicate node ID twin detected via ")));
});
