/** What becomes of a node's services when it stops or withdraws them, in a ring with Go daemons. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { encodeAdvertisement } from "../../lib/wire/advertisement.ts";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { RawLink } from "../support/raw_link.ts";
import type { TestNode } from "../support/test_node.ts";
import { goListener, goPeer, OwnNode } from "../support/own_node.ts";

const kinds = ["go"] as const;

function advertisement(time: string, cancel: boolean): Uint8Array {
  return encodeAdvertisement({
    nodeId: "guest",
    service: "svc",
    time,
    connectionType: 1,
    tags: null,
    workCommands: null,
    cancel,
  });
}

/** Two Go nodes and `ours`, each linked to the other two. */
async function ring(mesh: Mesh, ours: OwnNode): Promise<{ go: TestNode[]; goPort: number }> {
  const [port, goPort] = [ours.listen(), freePort()];
  const first = await mesh.node({
    kind: "go",
    id: "g1",
    actions: [goPeer(port), goListener(goPort)],
  });
  const second = await mesh.node({ kind: "go", id: "g2", actions: [goPeer(port), goPeer(goPort)] });
  await Promise.all([
    ours.waitForRoute("g1", "g2"),
    first.waitForRoute("g2"),
    second.waitForRoute("g1"),
  ]);
  return { go: [first, second], goPort };
}

async function services(node: TestNode, of: string): Promise<number> {
  const { Advertisements } = await node.status();
  return Advertisements?.filter(({ NodeID }) => NodeID === of).length ?? 0;
}

meshTest("a withdrawal comes to rest in a ring of Go nodes and ours", { kinds }, async (mesh) => {
  await using ours = new OwnNode("ours");
  const { go, goPort } = await ring(mesh, ours);
  using guest = await RawLink.up(goPort, "guest", "g1");
  await guest.send(advertisement("2026-11-21T00:00:00Z", false));
  await eventually(async () => await services(go[1]!, "guest") === 1, { what: "the service" });

  await guest.send(advertisement("2026-11-21T00:00:01Z", true));
  for (const node of go) {
    await eventually(async () => await services(node, "guest") === 0, { what: "the withdrawal" });
  }
  const heard = () =>
    ours.log.lines.filter((line) => line.endsWith("service advertisement from guest")).length;
  await eventually(() => heard() >= 2, { what: "the withdrawal at our node" });
  // Each ping comes after whatever went round before it.
  for (let i = 0; i < 20; i++) equal((await ours.netceptor.ping("g2")).from, "g2");
  ok(heard() <= 8, `${heard()} messages about two events`);
});

meshTest("a daemon that stops leaves its services on record", {
  kinds: ["go", "ours"],
}, async (mesh) => {
  const port = freePort();
  const go = await mesh.node({ kind: "go", id: "go", actions: [goListener(port)] });
  const ours = await mesh.node({ kind: "ours", id: "ours", actions: [goPeer(port)] });
  await eventually(async () => await services(go, "ours") === 1, { what: "our services" });
  await ours.stop();
  await go.waitForNoRoute("ours");
  deepEqual(await services(go, "ours"), 1);
});
