/**
 * Go daemons and ours in a line: from each end, everything that the other end can be asked and
 * told, and a job with a large payload and as much output.
 */
import assert from "node:assert/strict";
import { meshTest } from "../support/mesh.ts";
import { MEBIBYTE, PacedJob } from "../support/paced_job.ts";
import { randomBytes, sha256 } from "../support/payload.ts";
import type { NodeKind } from "../support/peers.ts";
import type { TestNode } from "../support/test_node.ts";

const MEGABYTE = 1_000_000;

interface LineCase {
  kinds: readonly NodeKind[];
  /** Which end submits. */
  from: "first" | "last";
  payloadBytes: number;
}

const CASES: readonly LineCase[] = [
  { kinds: ["ours", "ours"], from: "first", payloadBytes: 50 * MEGABYTE },
  { kinds: ["go", "ours"], from: "first", payloadBytes: 50 * MEGABYTE },
  { kinds: ["go", "ours"], from: "last", payloadBytes: 50 * MEGABYTE },
  { kinds: ["ours", "go", "ours"], from: "first", payloadBytes: 50 * MEGABYTE },
  { kinds: ["ours", "go", "ours"], from: "last", payloadBytes: 50 * MEGABYTE },
  { kinds: ["go", "ours", "go"], from: "first", payloadBytes: 50 * MEGABYTE },
  { kinds: ["go", "ours", "go"], from: "last", payloadBytes: 50 * MEGABYTE },
  { kinds: ["go155", "ours"], from: "first", payloadBytes: 5 * MEGABYTE },
  { kinds: ["go155", "ours"], from: "last", payloadBytes: 5 * MEGABYTE },
  { kinds: ["ours", "go155", "ours"], from: "first", payloadBytes: 5 * MEGABYTE },
];

const NAMES: Record<NodeKind, string> = { ours: "ours", go: "Go", go155: "Go 1.5.5" };

for (const { kinds, from, payloadBytes } of CASES) {
  const line = kinds.map((kind) => NAMES[kind]).join("–");
  const size = `${payloadBytes / MEGABYTE} MB`;
  meshTest(
    `${line}, from the ${from}: ping, trace, connect, ${size} there and back, cancel, release`,
    { kinds },
    async (mesh) => {
      using job = await PacedJob.create(await mesh.folder(), 1);
      const cat = { "work-command": { worktype: "cat", command: "cat" } };
      const { nodes } = await mesh.line(kinds, () => ({ actions: [cat, job.workType()] }));
      const path = from === "first" ? nodes : nodes.toReversed();
      const [near, far] = [path[0]!, path.at(-1)!];

      await pingsAll(near, path);
      await traces(near, path);
      await connects(near, far);
      await carriesPayload(near, far, payloadBytes);
      await cancels(near, far, job);
    },
  );
}

async function pingsAll(near: TestNode, path: readonly TestNode[]): Promise<void> {
  for (const { id } of path) {
    const { Success, From, Time, TimeStr } = await near.json(`ping ${id}`);
    assert.deepEqual([Success, From], [true, id]);
    assert.equal(typeof Time, "number");
    assert.match(String(TimeStr), /^[0-9.]+(ns|µs|ms|s)$/);
  }
  const nobody = await near.json("ping nobody");
  assert.equal(nobody.Success, false);
}

async function traces(near: TestNode, path: readonly TestNode[]): Promise<void> {
  const hops = await near.json(`traceroute ${path.at(-1)!.id}`) as Record<string, { From: string }>;
  const passed = Object.keys(hops).sort().map((hop) => hops[hop]!.From);
  assert.deepEqual(passed, path.map(({ id }) => id));
}

async function connects(near: TestNode, far: TestNode): Promise<void> {
  await using session = await near.session();
  assert.equal(await session.command(`connect ${far.id} control`), "Connecting");
  assert.equal(await session.readLine(), `Receptor Control, node ${far.id}`);
  const status = await session.json("status") as { NodeID: string; RoutingTable: object };
  assert.equal(status.NodeID, far.id);
  assert.ok(near.id in status.RoutingTable);
  assert.equal(await session.command(`ping ${near.id}`).then((reply) => reply[0]), "{");
}

async function carriesPayload(near: TestNode, far: TestNode, bytes: number): Promise<void> {
  const payload = randomBytes(bytes);
  const unit = await near.submit({ node: far.id, worktype: "cat", payload });
  const expected = { size: bytes, sha256: sha256(payload) };
  assert.deepEqual(await near.resultDigest(unit), expected);
  const { StdoutSize, StateName } = await near.waitForUnit(unit);
  assert.deepEqual([StateName, StdoutSize], ["Succeeded", bytes]);
  // Again, now that it is complete, and from the middle.
  const middle = Math.floor(bytes / 2);
  assert.deepEqual(await near.resultDigest(unit, middle), {
    size: bytes - middle,
    sha256: sha256(payload.subarray(middle)),
  });
  await releases(near, far, unit);
}

async function cancels(near: TestNode, far: TestNode, job: PacedJob): Promise<void> {
  const unit = await near.submit({ node: far.id, worktype: "paced", payload: "payload\n" });
  await job.started();
  // Output comes while the job runs, and ends with it.
  await using results = await near.results(unit);
  await job.write(1);
  let size = 0;
  while (size < MEBIBYTE) size += (await results.readSome())!.length;
  assert.deepEqual(await near.json(`work cancel ${unit}`), { cancelled: unit });
  await job.gone();
  // The original never ends the results of a cancelled unit.
  if (near.kind === "ours") assert.equal(await results.countAll(), 0);
  assert.equal((await near.waitForUnit(unit)).StateName, "Canceled");
  await releases(near, far, unit);
}

/** The unit and its folder are gone on both sides. */
async function releases(near: TestNode, far: TestNode, unit: string): Promise<void> {
  assert.deepEqual(await near.json(`work release ${unit}`), { released: unit });
  for (const node of [near, far]) await node.waitForNoUnits();
}
