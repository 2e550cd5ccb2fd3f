/** What becomes of data packets, seen from a neighbour. */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import type { MeshStatus } from "../../lib/netceptor/mesh.ts";
import {
  DESTINATION_SERVICE_AT,
  packetHops,
  packetPayload,
  packetService,
} from "../../lib/wire/data_packet.ts";
import {
  decodeUnreachable,
  encodeUnreachable,
  type Unreachable,
} from "../../lib/wire/unreachable.ts";
import { inTime, SimMesh } from "../sim/sim_mesh.ts";
import { packet, RawNeighbour } from "./raw_neighbour.ts";

/** `left` and `right`, played by the test, on both sides of a real `middle`. */
async function bothSides(mesh: SimMesh, options: Parameters<SimMesh["add"]>[1] = {}) {
  const middle = mesh.add("middle", options);
  const left = new RawNeighbour(mesh, middle, "left");
  const right = new RawNeighbour(mesh, middle, "right");
  await mesh.clock.until(
    () => middle.netceptor.hasRoute("left") && middle.netceptor.hasRoute("right"),
    1000,
  );
  return { middle, left, right };
}

function unreachablesIn(neighbour: RawNeighbour): Unreachable[] {
  return neighbour.packets
    .filter((bytes) => packetService(bytes, DESTINATION_SERVICE_AT) === "unreach")
    .map((bytes) => decodeUnreachable(packetPayload(bytes)));
}

Deno.test("a packet for another node is passed on unchanged, with one hop less", async () => {
  await using mesh = new SimMesh();
  const { left, right } = await bothSides(mesh);
  const payload = crypto.getRandomValues(new Uint8Array(5000));
  const sent = packet(["left", "from"], ["right", "to"], { hops: 5, payload });
  await left.send(sent);
  equal(right.packets.length, 1);
  const expected = sent.slice();
  expected[1] = 4;
  deepEqual(right.packets[0], expected);
});

Deno.test("packets stay in order, many in one batch", async () => {
  await using mesh = new SimMesh();
  const { left, right } = await bothSides(mesh);
  const sent = Array.from(
    { length: 200 },
    (_, i) => packet(["left", "a"], ["right", "b"], { payload: Uint8Array.of(i) }),
  );
  await left.send(...sent);
  deepEqual(right.packets.map((bytes) => packetPayload(bytes)[0]), [...sent.keys()]);
});

Deno.test("a packet without hops left is reported to its sender, not forwarded", async () => {
  await using mesh = new SimMesh();
  const { left, right } = await bothSides(mesh);
  await left.send(packet(["left", "from"], ["right", "to"], { hops: 0 }));
  equal(right.packets.length, 0);
  deepEqual(unreachablesIn(left), [{
    fromNode: "left",
    toNode: "right",
    fromService: "from",
    toService: "to",
    problem: "message expired",
  }]);
});

Deno.test("a packet without hops left is still delivered at its destination", async () => {
  await using mesh = new SimMesh();
  const { left } = await bothSides(mesh);
  await left.send(packet(["left", "from"], ["middle", "ping"], { hops: 0 }));
  deepEqual(left.packets.map((bytes) => packetService(bytes, DESTINATION_SERVICE_AT)), ["from"]);
});

Deno.test("a service that nobody listens on is reported to the sender", async () => {
  await using mesh = new SimMesh();
  const { left } = await bothSides(mesh);
  await left.send(packet(["left", "from"], ["middle", "nosuch"]));
  deepEqual(unreachablesIn(left).map(({ problem }) => problem), ["service unknown"]);
});

Deno.test("unreachable messages and pongs are never answered", async () => {
  await using mesh = new SimMesh();
  const { left } = await bothSides(mesh);
  for (const service of ["unreach", "ping"]) {
    await left.send(
      packet(["left", service], ["middle", "nosuch"]),
      packet(["left", service], ["right", "any"], { hops: 0 }),
      packet(["left", service], ["middle", "ping"]),
    );
  }
  equal(left.packets.length, 0);
});

Deno.test("no more than a thousand unreachable messages are sent per second", async () => {
  await using mesh = new SimMesh();
  const { left, middle } = await bothSides(mesh);
  const strays = Array.from({ length: 3000 }, () => packet(["left", "a"], ["middle", "nosuch"]));
  await left.send(...strays);
  equal(unreachablesIn(left).length, 1000);
  ok(middle.netceptor.dropped["unreachable message not sent because there were too many"]! > 0);
});

Deno.test("packets from and for unknown nodes are dropped and counted", async () => {
  await using mesh = new SimMesh();
  const { left, right, middle } = await bothSides(mesh);
  await left.send(
    packet(["left", "a"], ["nowhere", "b"]),
    packet(["nobody", "a"], ["middle", "ping"]),
    packet(["left", "a"], ["middle", "ping"]).subarray(0, 35),
    Uint8Array.of(0),
  );
  equal(left.packets.length + right.packets.length, 0);
  equal(middle.netceptor.dropped["Error translating data to message struct"], 4);
});

Deno.test("an unreachable message reaches the service that it is about", async () => {
  await using mesh = new SimMesh();
  const { left, middle } = await bothSides(mesh);
  const notices: string[] = [];
  using _one = middle.netceptor.openDatagramPort("one", {
    unreachable: ({ problem, toNode }, reporter) =>
      void notices.push(`${reporter}: ${problem} at ${toNode}`),
  });
  const about = (fromNode: string, fromService: string) =>
    packet(["left", "unreach"], ["middle", "unreach"], {
      payload: encodeUnreachable({
        fromNode,
        fromService,
        toNode: "right",
        toService: "x",
        problem: "service unknown",
      }),
    });
  await left.send(about("middle", "one"), about("middle", "two"), about("left", "one"));
  deepEqual(notices, ["left: service unknown at right"]);
  ok(middle.log.has(
    "WARNING Received unreachable message from left (service unreach) to middle " +
      "(service unreach): ttl 30, data service unknown",
  ));
});

Deno.test("datagram ports carry payloads between nodes", async () => {
  await using mesh = new SimMesh();
  const [a, b] = mesh.addAll(2, [[0, 1]]);
  await mesh.converge();
  const got: unknown[] = [];
  using _receiver = b!.netceptor.openDatagramPort("in", {
    datagram: ({ fromNode, fromService, payload }) =>
      void got.push([fromNode, fromService, [...payload]]),
  });
  using sender = a!.netceptor.openDatagramPort("out", {});
  sender.send("n1", "in", Uint8Array.of(1, 2, 3));
  await mesh.clock.advance(0);
  deepEqual(got, [["n0", "out", [1, 2, 3]]]);
});

Deno.test("a datagram port advertises its service until it closes", async () => {
  await using mesh = new SimMesh();
  const [a, b] = mesh.addAll(2, [[0, 1]]);
  await mesh.converge();
  const port = b!.netceptor.openDatagramPort("in", {}, { advertise: { tags: { type: "test" } } });
  await mesh.clock.until(() => a!.netceptor.status().Advertisements.length > 0, 10_000);
  const [{ NodeID, Service, ConnType, Tags }] = a!.netceptor.status().Advertisements as [
    MeshStatus["Advertisements"][number],
  ];
  deepEqual([NodeID, Service, ConnType, Tags], ["n1", "in", 0, { type: "test" }]);
  port[Symbol.dispose]();
  await mesh.clock.until(() => a!.netceptor.status().Advertisements.length === 0, 10_000);
});

Deno.test("a datagram port refuses what is longer than any message", async () => {
  await using mesh = new SimMesh();
  const [a, b] = mesh.addAll(2, [[0, 1]]);
  await mesh.converge();
  let got = 0;
  using _receiver = b!.netceptor.openDatagramPort("in", {
    datagram: ({ payload }) => void (got = payload.length),
  });
  using sender = a!.netceptor.openDatagramPort("", {});
  sender.send("n1", "in", new Uint8Array(65_499));
  await mesh.clock.advance(0);
  equal(got, 65_499);
  throws(() => sender.send("n1", "in", new Uint8Array(65_500)), /65500 bytes: at most 65499 fit/);
});

Deno.test("a firewall may drop silently and reject with a notice, forwarded packets too", async () => {
  await using mesh = new SimMesh();
  const { left, right } = await bothSides(mesh, {
    firewallRules: [
      { action: "drop", toservice: "quiet" },
      { action: "reject", fromnode: "left", tonode: "right", toservice: "loud" },
    ],
  });
  await left.send(
    packet(["left", "a"], ["right", "quiet"]),
    packet(["left", "a"], ["right", "loud"]),
    packet(["left", "a"], ["right", "open"]),
  );
  deepEqual(right.packets.map((bytes) => packetService(bytes, DESTINATION_SERVICE_AT)), ["open"]);
  deepEqual(unreachablesIn(left).map(({ problem }) => problem), ["blocked by firewall"]);
});

Deno.test("a firewall applies to the node's own packets", async () => {
  await using mesh = new SimMesh();
  const { middle, left } = await bothSides(mesh, {
    firewallRules: [{ action: "reject", fromnode: "middle", tonode: "left" }],
  });
  const problem = await inTime(
    mesh.clock,
    middle.netceptor.ping("left").then(() => "", (error: Error) => error.message),
  );
  equal(problem, "blocked by firewall");
  equal(left.packets.length, 0);
});

Deno.test("a trace has a line for each packet that comes, goes or passes", async () => {
  await using mesh = new SimMesh();
  const lines: string[] = [];
  const { middle, left, right } = await bothSides(mesh, { trace: (line) => lines.push(line) });
  await left.send(packet(["left", "a"], ["right", "b"], { payload: new Uint8Array(7) }));
  equal(packetHops(right.packets[0]!), 29);
  using port = middle.netceptor.openDatagramPort("mine", {});
  port.send("right", "b", new Uint8Array(3));
  deepEqual(lines, [
    "--- Received data length 7 from left:a to right:b via left",
    "    Forwarding data length 7 to right via right",
    "--- Sending data length 3 from middle:mine to right:b",
    "    Forwarding data length 3 to right via right",
  ]);
});
