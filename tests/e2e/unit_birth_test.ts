/** Lists of units, at any moment, show none that is half created or half removed. */
import assert from "node:assert/strict";
import { PATIENCE_MS } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import type { TestNode } from "../support/test_node.ts";

const CAT = { "work-command": { worktype: "cat", command: "cat" } };
const CLIENTS = 3;
const ROUNDS = 15;

/** Lists until `done`; resolves to the details of all units that were ever shown as failed. */
async function watchList(node: TestNode, done: AbortSignal): Promise<string[]> {
  await using session = await node.session();
  const failed: string[] = [];
  while (!done.aborted) {
    for (const [id, unit] of Object.entries(await session.json("work list"))) {
      const { StateName, Detail } = unit as { StateName: string; Detail: string };
      if (StateName === "Failed") failed.push(`${id}: ${Detail}`);
    }
  }
  return failed;
}

meshTest(
  "no list beside submits and releases shows a unit that is not whole",
  { kinds: ["ours"] },
  async (mesh) => {
    const node = await mesh.node({ kind: "ours", id: "solo", actions: [CAT], logLevel: "info" });
    const done = new AbortController();
    const watches = [1, 2].map(() => watchList(node, done.signal));
    const useUnits = async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const unit = await node.submit({ node: "solo", worktype: "cat", payload: "x" });
        assert.equal(await node.resultText(unit), "x");
        assert.deepEqual(await node.json(`work release ${unit}`), { released: unit });
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, useUnits));
    done.abort();
    assert.deepEqual((await Promise.all(watches)).flat(), []);
    await node.waitForNoUnits();
  },
);

meshTest(
  "kill -9 in the middle of births and removals leaves no half unit for the next daemon",
  { kinds: ["ours"] },
  async (mesh) => {
    const node = await mesh.node({ kind: "ours", id: "solo", actions: [CAT], logLevel: "info" });
    for (let life = 0; life < 3; life++) {
      let rounds = 0;
      const enough = Promise.withResolvers<void>();
      const useUnits = async () => {
        try {
          while (true) {
            const unit = await node.submit({ node: "solo", worktype: "cat", payload: "x" });
            await node.json(`work force-release ${unit}`);
            if (++rounds === CLIENTS * 5 + life) enough.resolve();
          }
        } catch {
          // The daemon is gone.
        }
      };
      const clients = Array.from({ length: CLIENTS }, useUnits);
      const timeout = setTimeout(() => enough.reject(new Error("too slow")), PATIENCE_MS);
      await enough.promise.finally(() => clearTimeout(timeout));
      await node.kill();
      await Promise.all(clients);
      for (const unit of await node.unitFolders()) {
        const { size } = await Deno.stat(`${node.unitFolder(unit)}/status`);
        assert.ok(size > 0, unit);
      }
      await node.restart();
      for (const [id, unit] of Object.entries(await node.json("work list"))) {
        assert.doesNotMatch((unit as { Detail: string }).Detail, /no status file/);
        await node.json(`work force-release ${id}`);
      }
      assert.deepEqual(await Array.fromAsync(Deno.readDir(`${node.dataFolder}/.solo.staging`)), []);
    }
  },
);
