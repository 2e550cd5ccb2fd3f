/**
 * Random sequences of what clients ask and of what happens to nodes and links, in a ring whose time
 * runs fast: submits with and without a ttl, lists, statuses, results, cancels and releases at `a`;
 * links that are cut at any byte, nodes that stop with or without notice. What the daemon adds,
 * reloads and certificates, and kill -9, is for `pairs_test.ts`.
 *
 * A sequence is replayed from its seed, though not the turns that the machine takes in it:
 * RECEPTOR_TEST_SEED=7 tries that one, RECEPTOR_TEST_SEED=100-199 a hundred others. The error of one
 * that fails tells all that happened.
 */
import assert from "node:assert/strict";
import { EchoJob } from "../support/echo_job.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { FastMesh } from "./fast_mesh.ts";
import { Sequence } from "./sequence.ts";

const SEEDS = 24;
const AT_ONCE = 4;
/** A storm carries far more than this in that time. */
const REST_MS = 20_000;
const REST_BYTES = 1_000_000;
const NODES = ["a", "b", "c", "d"];

async function trySeed(seed: number): Promise<void> {
  await using folder = await TempFolder.create();
  const job = await EchoJob.create(folder);
  await using mesh = await FastMesh.start({ seed, nodes: NODES, types: { echo: job.command } });
  using sequence = new Sequence(mesh, job, seed);
  try {
    await mesh.restore();
    await sequence.run();
    await mesh.restore();
    await sequence.verify();
    await checkQuiet(mesh);
  } catch (error) {
    throw new Error(`seed ${seed}: ${sequence.story()}`, { cause: error });
  }
}

/** At rest, only what keeps the mesh together goes over the links. */
async function checkQuiet(mesh: FastMesh): Promise<void> {
  for (const id of NODES) assert.deepEqual(mesh.unitFolders(id), [], `units left on ${id}`);
  const before = mesh.carried;
  await mesh.pass(REST_MS);
  const carried = mesh.carried - before;
  assert.ok(carried < REST_BYTES, `${carried} bytes in ${REST_MS} ms of rest`);
  const mistake = mesh.log.lines.find((line) =>
    /\b(Type|Range|Reference|Assertion)Error\b/.test(line)
  );
  assert.equal(mistake, undefined);
}

Deno.test("random sequences of requests and disturbances leave every job run once", async (t) => {
  const [first = 1, last = first] = Deno.env.get("RECEPTOR_TEST_SEED")?.split("-").map(Number) ??
    [1, SEEDS];
  const seeds = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const results = new Map<number, unknown>();
  const left = [...seeds];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let seed; (seed = left.shift()) !== undefined;) {
      results.set(seed, await trySeed(seed).catch((error) => error));
    }
  }));
  for (const seed of seeds) {
    await t.step(`seed ${seed}`, () => {
      const error = results.get(seed);
      if (error !== undefined) throw error;
    });
  }
});
