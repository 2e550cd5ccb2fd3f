/** Cancel, release and time limits while the other node is away, and jobs that die unseen. */
import assert from "node:assert/strict";
import { ControlRefusal } from "../support/control_session.ts";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { MEBIBYTE, PacedJob } from "../support/paced_job.ts";
import type { NodeKind } from "../support/peers.ts";
import { isRunning } from "../support/processes.ts";
import type { TestNode } from "../support/test_node.ts";

const NAMES: Record<NodeKind, string> = { ours: "ours", go: "Go", go155: "Go 1.5.5" };
const OURS: readonly [NodeKind, NodeKind] = ["ours", "ours"];

/** A running job on the far node of a pair; the near node has the first mebibyte of its output. */
async function runningPair(mesh: Mesh, job: PacedJob, kinds = OURS) {
  const { nodes, links } = await mesh.line(kinds, () => ({ actions: [job.workType()] }));
  const [near, far] = [nodes[0]!, nodes[1]!];
  const unit = await near.submit({ node: far.id, worktype: "paced", payload: "payload\n" });
  await job.write(1);
  await eventually(async () => {
    return (await Deno.stat(`${near.unitFolder(unit)}/stdout`)).size === MEBIBYTE;
  }, { what: "the first output" });
  return { near, far, link: links[0]!, unit, job };
}

/** No unit is left on any of the nodes. */
async function assertReleased(...nodes: TestNode[]): Promise<void> {
  for (const node of nodes) await node.waitForNoUnits();
}

for (const kinds of [OURS, ["ours", "go"]] as const) {
  const executor = NAMES[kinds[1]];
  meshTest(
    `a cancel while the executing node (${executor}) is away is passed on when it is back`,
    { kinds },
    async (mesh) => {
      using job = await PacedJob.create(await mesh.folder(), 20);
      const { near, far, link, unit } = await runningPair(mesh, job, kinds);
      link.cut();
      await near.waitForNoRoute(far.id);
      assert.deepEqual(await near.json(`work cancel ${unit}`), { "cancel pending": unit });
      const [pid] = await job.runs();
      assert.ok(isRunning(pid!), "the job knows nothing of it yet");
      // The wish is on disk.
      await near.kill();
      await near.restart();
      link.heal();
      await job.gone();
      assert.equal((await near.waitForUnit(unit)).StateName, "Canceled");
      assert.equal((await near.resultDigest(unit)).size, MEBIBYTE);
      await near.json(`work release ${unit}`);
      await assertReleased(near, far);
    },
  );

  meshTest(
    `a release while the executing node (${executor}) is away converges when it is back`,
    { kinds },
    async (mesh) => {
      using job = await PacedJob.create(await mesh.folder(), 20);
      const { near, far, link, unit } = await runningPair(mesh, job, kinds);
      link.cut();
      await near.waitForNoRoute(far.id);
      assert.deepEqual(await near.json(`work release ${unit}`), { "release pending": unit });
      await near.kill();
      await near.restart();
      link.heal();
      await job.gone();
      await assertReleased(near, far);
    },
  );
}

meshTest(
  "a forced release while the executing node is away forgets the unit here",
  { kinds: OURS },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 20);
    const { near, far, link, unit } = await runningPair(mesh, job);
    link.cut();
    await near.waitForNoRoute(far.id);
    assert.deepEqual(await near.json(`work force-release ${unit}`), { released: unit });
    await assertReleased(near);
    await assert.rejects(
      near.json(`work status ${unit}`),
      new ControlRefusal(`unknown work unit ${unit}`),
    );
    assert.deepEqual(await far.unitFolders(), [unit]);
  },
);

meshTest(
  "a unit that is gone on the executing node fails with that cause, and releases",
  { kinds: OURS },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 20);
    const { near, far, link, unit } = await runningPair(mesh, job);
    link.cut();
    await near.waitForNoRoute(far.id);
    await far.json(`work force-release ${unit}`);
    link.heal();
    const { StateName, Detail } = await near.waitForUnit(unit);
    assert.deepEqual([StateName, Detail], ["Failed", "Remote work unit is gone"]);
    await near.json(`work release ${unit}`);
    await assertReleased(near, far);
  },
);

meshTest(
  "a unit that cannot start within its ttl fails with the date, over a restart too",
  { kinds: ["ours"] },
  async (mesh) => {
    const node = await mesh.node({ kind: "ours", id: "solo" });
    const submit = (ttl: string) =>
      node.submit({ node: "nowhere", worktype: "any", payload: "x", params: { ttl } });
    const short = await submit("300ms");
    const { StateName, Detail } = await node.waitForUnit(short);
    assert.equal(StateName, "Failed");
    assert.match(Detail, /^Work unit expired on [A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [0-9:]+/);
    const long = await submit("3s");
    assert.equal((await node.unitStatus(long)).StateName, "Pending");
    await node.kill();
    await node.restart();
    assert.match((await node.waitForUnit(long)).Detail, /^Work unit expired on /);
    for (const unit of [short, long]) await node.json(`work release ${unit}`);
    await assertReleased(node);
    await assert.rejects(submit("soon"), ControlRefusal);
    await assert.rejects(
      node.submit({ node: "solo", worktype: "any", params: { ttl: "1s" } }),
      new ControlRefusal("ttl option is intended for remote work only"),
    );
  },
);

meshTest("a job that started in time outlives its ttl", { kinds: OURS }, async (mesh) => {
  using job = await PacedJob.create(await mesh.folder(), 1);
  const { nodes } = await mesh.line(OURS, () => ({ actions: [job.workType()] }));
  const [near, far] = [nodes[0]!, nodes[1]!];
  const ttlMs = 2_000;
  const started = performance.now();
  const unit = await near.submit({
    node: far.id,
    worktype: "paced",
    params: { ttl: `${ttlMs}ms` },
  });
  await job.started();
  await eventually(() => performance.now() - started > 1.2 * ttlMs, { what: "the ttl's end" });
  await job.write(1);
  await job.exit();
  assert.equal((await near.waitForUnit(unit)).StateName, "Succeeded");
  assert.equal((await near.resultDigest(unit)).sha256, job.sha256);
});

meshTest(
  "a job that died with its machine is failed with the cause, on both sides",
  { kinds: OURS },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 20);
    const { near, far, unit } = await runningPair(mesh, job);
    await far.killWithJobs();
    await job.gone();
    await far.restart();
    const there = await far.waitForUnit(unit);
    const here = await near.waitForUnit(unit);
    for (const { StateName, Detail, StdoutSize } of [there, here]) {
      assert.deepEqual([StateName, StdoutSize], ["Failed", MEBIBYTE]);
      assert.match(Detail, /^Job lost: /);
    }
    assert.equal(here.Detail, there.Detail);
    assert.equal((await near.resultDigest(unit)).size, MEBIBYTE);
    assert.equal((await job.runs()).length, 1, "it is not run again");
    await near.json(`work release ${unit}`);
    await assertReleased(near, far);
  },
);

meshTest(
  "a job that is killed is failed with the signal, on both sides; so is its supervisor's loss",
  { kinds: OURS },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 20);
    const { near, far, unit } = await runningPair(mesh, job);
    const [pid] = await job.runs();
    Deno.kill(pid!, "SIGKILL");
    const here = await near.waitForUnit(unit);
    assert.deepEqual([here.StateName, here.Detail], ["Failed", "signal: killed"]);
    assert.equal((await far.unitStatus(unit)).Detail, "signal: killed");
    await near.json(`work release ${unit}`);

    const second = await near.submit({ node: far.id, worktype: "paced" });
    await eventually(async () => (await job.runs()).length === 2);
    // Before that its pid is 0, which would stand for our own process group.
    const { ExtraData } = await far.waitForUnit(second, ["Running"]);
    const { Pid: supervisor } = ExtraData as { Pid: number };
    Deno.kill(supervisor, "SIGKILL");
    const lost = await near.waitForUnit(second);
    assert.equal(lost.StateName, "Failed");
    assert.match(lost.Detail, /^Job lost: its supervisor \(PID \d+\) ended/);
    // A job that nobody looks after any more must not go on unseen.
    await job.gone();
    await near.json(`work release ${second}`);
    await assertReleased(near, far);
  },
);

meshTest(
  "units that are copied into the data folder by hand are found, the original's as well",
  { kinds: ["ours", "go"] },
  async (mesh) => {
    const cat = { "work-command": { worktype: "cat", command: "cat" } };
    const go = await mesh.node({ kind: "go", id: "other", actions: [cat] });
    const node = await mesh.node({ kind: "ours", id: "solo", actions: [cat] });
    const made = await node.submit({ node: "solo", worktype: "cat", payload: "ours" });
    const goMade = await go.submit({ node: "other", worktype: "cat", payload: "the original's" });
    await node.waitForUnit(made);
    await go.waitForUnit(goMade);
    const copy = async (from: string, to: string) => {
      const { success } = await new Deno.Command("cp", { args: ["-a", from, to] }).output();
      assert.ok(success);
    };
    await copy(node.unitFolder(made), node.unitFolder("byhand1"));
    await copy(go.unitFolder(goMade), node.unitFolder(goMade));
    assert.equal(await node.resultText("byhand1"), "ours");
    assert.equal(await node.resultText(goMade), "the original's");
    assert.deepEqual(
      Object.keys(await node.json("work list")).sort(),
      ["byhand1", made, goMade].sort(),
    );
    await node.kill();
    await copy(node.unitFolder(made), node.unitFolder("byhand2"));
    await node.restart();
    assert.equal(await node.resultText("byhand2"), "ours");
    assert.equal((await node.unitStatus("byhand2")).StateName, "Succeeded");
    for (const unit of ["byhand1", "byhand2", made, goMade]) {
      assert.deepEqual(await node.json(`work release ${unit}`), { released: unit });
    }
    await assertReleased(node);
  },
);
