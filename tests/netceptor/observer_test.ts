import { deepEqual, equal, ok } from "node:assert/strict";
import { MemoryBackend, memorySessionPair } from "../../lib/backends/memory.ts";
import type { NetceptorObserver } from "../../lib/netceptor/observer.ts";
import { MessageType } from "../../lib/wire/message_type.ts";
import { DEFAULT_POLICY, SimMesh } from "../sim/sim_mesh.ts";
import { RawNeighbour } from "./raw_neighbour.ts";

/** Records which methods were called with what. */
function recorder() {
  const events: [method: string, event: Record<string, unknown>][] = [];
  const record = (method: string) => (event: object) => void events.push([method, { ...event }]);
  const observer: NetceptorObserver = {
    linkUp: record("linkUp"),
    linkDown: record("linkDown"),
    peerRefused: record("peerRefused"),
    routesChanged: record("routesChanged"),
    dropped: record("dropped"),
    limitHit: record("limitHit"),
  };
  const named = (name: string) =>
    events.filter(([method]) => method === name).map(([, event]) => event);
  return { observer, events, named };
}

Deno.test("an observer sees a link and its routes come and go", async () => {
  await using mesh = new SimMesh();
  const { observer, events, named } = recorder();
  const node = mesh.add("node", {}, { observer });
  const other = mesh.add("other");
  const link = mesh.link(node, other, [{ cost: 2 }, { cost: 2 }]);
  await mesh.converge();
  await mesh.clock.advance(5000);
  link.cut();
  await mesh.clock.advance(1000);
  deepEqual(events.map(([method]) => method), [
    "linkUp",
    "routesChanged",
    "linkDown",
    "routesChanged",
  ]);
  const [up] = named("linkUp");
  deepEqual([up!.neighbour, up!.cost], ["other", 2]);
  const [down] = named("linkDown");
  equal(down!.reason, "the neighbour closed the connection");
  ok((down!.upMs as number) >= 5000);
  deepEqual(down!.dropped, { data: 0, control: 0 });
  const [gained, lost] = named("routesChanged");
  deepEqual([gained!.before, gained!.routes], [new Map(), new Map([["other", "other"]])]);
  deepEqual([lost!.before, lost!.routes], [new Map([["other", "other"]]), new Map()]);
});

Deno.test("an observer sees who refuses whom", async () => {
  await using mesh = new SimMesh();
  const { observer, named } = recorder();
  const node = mesh.add("node", {}, { observer });
  mesh.link(node, mesh.add("stranger"), [{ allowedPeers: ["friend"] }, {}]);
  const rude = new RawNeighbour(mesh, node, "rude", { silent: true });
  await rude.send(Uint8Array.of(MessageType.Reject));
  await mesh.clock.advance(1000);
  deepEqual(
    named("peerRefused").map(({ neighbour, refusedBy, reason }) => [neighbour, refusedBy, reason])
      .sort(),
    [
      ["", "neighbour", "the neighbour sent a reject message"],
      ["stranger", "us", "it is not in the allowed peers list"],
    ],
  );
});

Deno.test("an observer is told of drops and limits, each time with their number", async () => {
  await using mesh = new SimMesh();
  const { observer, named } = recorder();
  const node = mesh.add("node", {}, { observer });
  const evil = new RawNeighbour(mesh, node, "evil");
  await mesh.clock.until(() => node.netceptor.hasRoute("evil"), 1000);
  for (let i = 0; i < 5; i++) await evil.send(Uint8Array.of(255));
  await mesh.clock.advance(10_000);
  await evil.send(Uint8Array.of(254));
  const told = { reason: "Unknown message type", neighbour: "evil" };
  deepEqual(named("dropped"), [
    { ...told, detail: "255", count: 1, total: 1 },
    { ...told, detail: "254", count: 5, total: 6 },
  ]);
  const backend = new MemoryBackend();
  node.netceptor.addBackend(backend, DEFAULT_POLICY);
  for (let i = 0; i < 300; i++) {
    const [, stranger] = memorySessionPair();
    backend.offer(Object.assign(stranger, { acceptedFrom: "192.0.2.1" }));
  }
  await mesh.clock.advance(10);
  deepEqual(named("limitHit").map(({ reason, count }) => [reason, count]), [
    ["connection closed before its set-up: there were too many", 1],
  ]);
});

Deno.test("an observer that throws does no harm", async () => {
  await using mesh = new SimMesh();
  const broken = () => {
    throw new Error("broken observer");
  };
  const node = mesh.add("node", {}, {
    observer: { linkUp: broken, routesChanged: broken, dropped: broken },
  });
  const other = mesh.add("other");
  mesh.link(node, other);
  await mesh.converge();
  equal(node.log.lines.filter((line) => line.includes("broken observer")).length, 2);
});
