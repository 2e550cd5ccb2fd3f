/** What must hold for a mesh at rest: every node answers, nothing is left over, none is busy. */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { markedProcesses, openDescriptors, usedTicks } from "../support/processes.ts";
import type { TestNode } from "../support/test_node.ts";
import type { StrainedMesh } from "./strained_mesh.ts";

/** Only a storm keeps a daemon busier than this for long. */
const QUIET_WINDOW_MS = 250;
const QUIET_TICKS = 5;
const QUIET_LIMIT_MS = 60_000;

/** Streams that linger for a moment, files being looked at, and what the first job opens for good. */
const SPARE_DESCRIPTORS = 10;

/** How a bug in our code shows in a daemon's log. */
const MISTAKE =
  /^ +at .+:\d+:\d+\)?$|Unexpected error|Uncaught|\b(Type|Range|Reference|Assertion)Error\b|did not stop in time/m;

/** Where the log of each node ends, to be told later what came after. */
export function logEnds(mesh: StrainedMesh): Map<TestNode, number> {
  return new Map(mesh.nodes.map((node) => [node, node.log.length]));
}

/** Throws when the mesh is not at rest and clean; `before` is where the logs are looked at from. */
export async function checkWhole(
  mesh: StrainedMesh,
  before: ReadonlyMap<TestNode, number>,
): Promise<void> {
  await mesh.waitForRoutes();
  await Promise.all(mesh.nodes.map(async (node) => {
    for (const other of mesh.nodes) {
      const { Success, Error: problem } = await node.json(`ping ${other.id}`);
      assert.equal(Success, true, `ping from ${node.id} to ${other.id}: ${problem}`);
    }
    await waitForNoRest(node);
    await waitForQuiet(mesh, node);
    const said = node.log.slice(before.get(node)).match(MISTAKE);
    assert.equal(said?.[0], undefined, `log of ${node.id}`);
  }));
}

async function waitForNoRest(node: TestNode): Promise<void> {
  let rest: unknown;
  await eventually(async () => {
    const folders = await node.unitFolders();
    const listed = Object.keys(await node.json("work list"));
    const processes = markedProcesses(node.folder).filter((pid) => pid !== node.pid);
    rest = { folders, listed, processes };
    return folders.length + listed.length + processes.length === 0;
  }, { what: () => `the end of all that is left on ${node.id}: ${JSON.stringify(rest)}` });
}

async function waitForQuiet(mesh: StrainedMesh, node: TestNode): Promise<void> {
  let found: unknown;
  await eventually(async () => {
    const start = usedTicks(node.pid);
    await new Promise((resolve) => setTimeout(resolve, QUIET_WINDOW_MS));
    const ticks = usedTicks(node.pid) - start;
    const descriptors = openDescriptors(node.pid);
    found = { ticks, descriptors };
    return ticks <= QUIET_TICKS && descriptors <= mesh.firstDescriptors(node) + SPARE_DESCRIPTORS;
  }, {
    what: () =>
      `${node.id} to be quiet: it used ${JSON.stringify(found)} in ${QUIET_WINDOW_MS} ms, ` +
      `after ${mesh.firstDescriptors(node)} descriptors`,
    timeoutMs: QUIET_LIMIT_MS,
  });
}
