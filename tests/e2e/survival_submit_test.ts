/**
 * Whatever breaks while a payload is on its way: the job gets all of it and runs once, or it is
 * clear that it never ran.
 */
import assert from "node:assert/strict";
import type { ControlSession } from "../support/control_session.ts";
import { eventually } from "../support/eventually.ts";
import { type Line, type Mesh, meshTest } from "../support/mesh.ts";
import { PacedJob } from "../support/paced_job.ts";
import { randomBytes, sha256, sha256OfFile } from "../support/payload.ts";
import type { NodeKind } from "../support/peers.ts";
import type { TestNode } from "../support/test_node.ts";

const PAYLOAD_BYTES = 20_000_000;
const NAMES: Record<NodeKind, string> = { ours: "ours", go: "Go", go155: "Go 1.5.5" };

/** Half of the payload, without its end. */
async function beginSubmit(node: TestNode, target: string): Promise<ControlSession> {
  const session = await node.session();
  await session.command(`work submit ${target} paced`);
  await session.write(randomBytes(PAYLOAD_BYTES / 2));
  return session;
}

/** The only unit that `node` has. */
async function onlyUnit(node: TestNode): Promise<string> {
  const [unit, ...others] = await node.unitFolders();
  assert.deepEqual([typeof unit, others], ["string", []]);
  return unit!;
}

async function pair(
  mesh: Mesh,
  job: PacedJob,
  kinds: readonly [NodeKind, NodeKind] = ["ours", "ours"],
): Promise<{ near: TestNode; far: TestNode; line: Line }> {
  const line = await mesh.line(kinds, () => ({ actions: [job.workType()] }));
  return { near: line.nodes[0]!, far: line.nodes[1]!, line };
}

meshTest(
  "kill -9 while the client sends its payload: the unit fails with the cause and never runs",
  { kinds: ["ours"] },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 1);
    const { near, far } = await pair(mesh, job);
    for (const target of ["localhost", far.id]) {
      await using _session = await beginSubmit(near, target);
      const unit = await onlyUnit(near);
      await eventually(async () => {
        return (await Deno.stat(`${near.unitFolder(unit)}/stdin`)).size > PAYLOAD_BYTES / 4;
      }, { what: "payload on disk" });
      await near.kill();
      await near.restart();
      const { StateName, Detail } = await near.unitStatus(unit);
      assert.equal(StateName, "Failed");
      assert.match(Detail, /^Error reading input data: the node restarted before /);
      assert.equal(await near.resultText(unit), "");
      assert.deepEqual(await near.json(`work release ${unit}`), { released: unit });
    }
    assert.deepEqual(await job.runs(), []);
  },
);

meshTest(
  "a client that breaks off its payload leaves a failed unit that never runs",
  { kinds: ["ours"] },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 1);
    const node = await mesh.node({ kind: "ours", id: "solo", actions: [job.workType()] });
    const session = await beginSubmit(node, "solo");
    const unit = await onlyUnit(node);
    assert.equal((await node.unitStatus(unit)).Detail, "Waiting for Input Data");
    // A unit that is cancelled before it could start does not start.
    assert.deepEqual(await node.json(`work cancel ${unit}`), { cancelled: unit });
    await session.closeWrite();
    assert.match((await session.readLine())!, /^ERROR: .*cancelled before it could start/);
    session.close();
    assert.equal((await node.unitStatus(unit)).StateName, "Canceled");
    assert.deepEqual(await job.runs(), []);
  },
);

interface Break {
  what: string;
  kinds: readonly [NodeKind, NodeKind];
  /** After the link was cut in the middle of the payload. */
  also(nodes: { near: TestNode; far: TestNode }): Promise<void>;
}

const BREAKS: readonly Break[] = [
  {
    what: "kill -9 of the submitting daemon",
    kinds: ["ours", "ours"],
    also: ({ near }) => near.kill(),
  },
  {
    what: "kill -9 of the executing daemon",
    kinds: ["ours", "ours"],
    also: ({ far }) => far.kill(),
  },
  {
    what: "kill -9 of both daemons",
    kinds: ["ours", "ours"],
    async also({ near, far }) {
      await Promise.all([near.kill(), far.kill()]);
    },
  },
  { what: "a cut link", kinds: ["ours", "ours"], also: () => Promise.resolve() },
  {
    what: "kill -9 of the submitting daemon",
    kinds: ["ours", "go"],
    also: ({ near }) => near.kill(),
  },
  {
    what: "kill -9 of the executing daemon",
    kinds: ["ours", "go"],
    also: ({ far }) => far.kill(),
  },
];

for (const { what, kinds, also } of BREAKS) {
  const pairName = kinds.map((kind) => NAMES[kind]).join(" to ");
  meshTest(
    `${what} in the middle of a 20 MB payload: it arrives whole and runs once (${pairName})`,
    { kinds },
    async (mesh) => {
      using job = await PacedJob.create(await mesh.folder(), 1);
      const { near, far, line } = await pair(mesh, job, kinds);
      const payload = randomBytes(PAYLOAD_BYTES);
      const cut = line.links[0]!.cutAfter(PAYLOAD_BYTES / 2);
      // The client may be told, or lose its daemon: all it knows is the unit's id.
      const submitting = near.submit({ node: far.id, worktype: "paced", payload }).catch(() => {});
      await cut;
      await also({ near, far });
      line.links[0]!.heal();
      for (const node of [near, far]) if (!node.program.running) await node.restart();
      await submitting;

      const unit = await onlyUnit(near);
      await job.started();
      assert.equal(await sha256OfFile(job.payloadPath), sha256(payload));
      await job.write(1);
      await job.exit();
      assert.deepEqual(await near.resultDigest(unit), { size: job.size, sha256: job.sha256 });
      assert.equal((await near.waitForUnit(unit)).StateName, "Succeeded");
      assert.equal((await job.runs()).length, 1);
      assert.deepEqual(await near.json(`work release ${unit}`), { released: unit });
      assert.equal((await near.unitFolders()).length, 0);
    },
  );
}

meshTest(
  "a payload that a Go submitter loses on the way leaves a failed unit that never ran",
  { kinds: ["go", "ours"] },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 1);
    const { near, far, line: { links: [link] } } = await pair(mesh, job, ["go", "ours"]);
    const cut = link!.cutAfter(PAYLOAD_BYTES / 2);
    const payload = randomBytes(PAYLOAD_BYTES);
    const submitting = near.submit({ node: far.id, worktype: "paced", payload }).catch(() => {});
    await cut;
    link!.heal();
    await submitting;
    // The original does not try again; only its log says so.
    const { StateName, Detail } = await far.waitForUnit(await onlyUnit(far));
    assert.equal(StateName, "Failed");
    assert.match(Detail, /^Error reading input data: /);
    assert.deepEqual(await job.runs(), []);
  },
);

meshTest(
  "a link that is cut anywhere in a submit leaves one run of the job",
  { kinds: ["ours"] },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 1);
    const { near, far, line: { links: [link] } } = await pair(mesh, job);
    const payload = randomBytes(200_000);
    const submission = { node: far.id, worktype: "paced", payload };
    let runs = 0;
    const finish = async (unit: string) => {
      await job.exit();
      assert.equal((await near.waitForUnit(unit)).StateName, "Succeeded");
      assert.equal(await sha256OfFile(job.payloadPath), sha256(payload));
      assert.equal((await job.runs()).length, ++runs);
      await near.json(`work release ${unit}`);
    };
    const before = link!.forwardedBytes;
    const unit = await near.submit(submission);
    const whole = link!.forwardedBytes - before;
    await finish(unit);

    for (const fraction of [0.01, 0.03, 0.3, 0.8, 0.95, 0.99]) {
      const cut = link!.cutAfter(Math.round(fraction * whole));
      const submitting = near.submit(submission);
      // Not every submission takes that many bytes: a cut that comes too late does not happen.
      await Promise.race([cut, submitting]);
      link!.heal();
      await finish(await submitting);
    }
  },
);
