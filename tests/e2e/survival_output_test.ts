/**
 * Whatever breaks in the middle of a job with 20 MB of output: afterwards the output is complete,
 * byte for byte, and the job has run once.
 */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { followResults } from "../support/follow_results.ts";
import { type Line, meshTest } from "../support/mesh.ts";
import { MEBIBYTE, PacedJob } from "../support/paced_job.ts";
import type { NodeKind } from "../support/peers.ts";

const NAMES: Record<NodeKind, string> = { ours: "ours", go: "Go", go155: "Go 1.5.5" };

const STALL_MS = 2_000;

/** What breaks, and how it comes back. */
interface Break {
  what: string;
  break(line: Line): Promise<void> | void;
  mend(line: Line): Promise<void> | void;
}

const BREAKS = {
  submitter: {
    what: "kill -9 of the submitting daemon",
    break: ({ nodes }) => nodes[0]!.kill(),
    mend: ({ nodes }) => nodes[0]!.restart(),
  },
  executor: {
    what: "kill -9 of the executing daemon",
    break: ({ nodes }) => nodes.at(-1)!.kill(),
    mend: ({ nodes }) => nodes.at(-1)!.restart(),
  },
  relay: {
    what: "kill -9 of the node in between",
    async break({ nodes }) {
      await nodes[1]!.kill();
      await nodes[0]!.waitForNoRoute(nodes.at(-1)!.id);
    },
    mend: ({ nodes }) => nodes[1]!.restart(),
  },
  both: {
    what: "kill -9 of both daemons",
    async break({ nodes }) {
      await Promise.all(nodes.map((node) => node.kill()));
    },
    async mend({ nodes }) {
      await Promise.all(nodes.map((node) => node.restart()));
    },
  },
  cut: {
    what: "a cut link",
    async break({ nodes, links }) {
      links[0]!.cut();
      await nodes[0]!.waitForNoRoute(nodes[1]!.id);
    },
    mend: ({ links }) => links[0]!.heal(),
  },
  stall: {
    what: "a link that stalls and goes on",
    async break({ links }) {
      links[0]!.stall();
      // Long enough for what is on its way to count as lost.
      await new Promise((resolve) => setTimeout(resolve, STALL_MS));
    },
    mend: ({ links }) => links[0]!.heal(),
  },
} satisfies Record<string, Break>;

const CASES: [kinds: readonly NodeKind[], broken: Break][] = [
  [["ours", "ours"], BREAKS.submitter],
  [["ours", "ours"], BREAKS.executor],
  [["ours", "ours"], BREAKS.both],
  [["ours", "ours"], BREAKS.cut],
  [["ours", "ours"], BREAKS.stall],
  [["ours", "ours", "ours"], BREAKS.relay],
  [["ours", "go", "ours"], BREAKS.relay],
  [["ours", "go"], BREAKS.submitter],
  [["ours", "go"], BREAKS.executor],
  [["ours", "go"], BREAKS.cut],
  [["go", "ours"], BREAKS.submitter],
  [["go", "ours"], BREAKS.executor],
  [["go", "ours"], BREAKS.cut],
];

for (const [kinds, { what, break: breakIt, mend }] of CASES) {
  meshTest(
    `20 MB of output survive ${what} (${kinds.map((kind) => NAMES[kind]).join("–")})`,
    { kinds },
    async (mesh) => {
      using job = await PacedJob.create(await mesh.folder(), 20);
      const line = await mesh.line(kinds, () => ({ actions: [job.workType()] }));
      const [near, far] = [line.nodes[0]!, line.nodes.at(-1)!];
      const unit = await near.submit({ node: far.id, worktype: "paced", payload: "payload\n" });
      const followed = followResults(near, unit);
      await job.write(10);
      await eventually(() => followed.size >= 5 * MEBIBYTE, { what: "half of the output" });

      await breakIt(line);
      await job.write(5);
      await mend(line);
      await job.write(5);
      await job.exit();

      const expected = { size: job.size, sha256: job.sha256 };
      assert.deepEqual(await followed.done, expected);
      const { StateName, StdoutSize } = await near.waitForUnit(unit);
      assert.deepEqual([StateName, StdoutSize], ["Succeeded", job.size]);
      assert.deepEqual(await near.resultDigest(unit), expected);
      assert.equal((await job.runs()).length, 1);
      assert.deepEqual(await near.json(`work release ${unit}`), { released: unit });
      for (const node of line.nodes) {
        await eventually(async () => (await node.unitFolders()).length === 0, {
          what: `the end of all units on ${node.id}`,
        });
      }
    },
  );
}

meshTest(
  "a client follows a local job over a restart of the daemon, and over its kill -9",
  { kinds: ["ours"] },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 20);
    const node = await mesh.node({ kind: "ours", id: "solo", actions: [job.workType()] });
    const unit = await node.submit({ node: "solo", worktype: "paced" });
    const followed = followResults(node, unit);
    await job.write(4);
    await eventually(() => followed.size >= 2 * MEBIBYTE);
    await node.restart();
    await job.write(6);
    await eventually(() => followed.size >= 8 * MEBIBYTE);
    assert.equal((await node.unitStatus(unit)).StateName, "Running");
    await node.kill();
    await job.write(10);
    await job.exit(3);
    await job.gone();
    await node.restart();
    assert.deepEqual(await followed.done, { size: job.size, sha256: job.sha256 });
    const { StateName, Detail } = await node.waitForUnit(unit);
    assert.deepEqual([StateName, Detail], ["Failed", "exit status 3"]);
    assert.ok(followed.connections >= 3);
    assert.equal((await job.runs()).length, 1);
  },
);
