/** The longest node ids run and keep jobs, though file names are limited as well. */
import assert from "node:assert/strict";
import { meshTest } from "../support/mesh.ts";

const CAT = { "work-command": { worktype: "cat", command: "cat" } };

for (const id of ["n".repeat(255), "." + "n".repeat(254)]) {
  meshTest(
    `a node whose id is ${id.slice(0, 2)}… of 255 bytes runs a job, and shows it after a restart`,
    { kinds: ["ours"] },
    async (mesh) => {
      const node = await mesh.node({ kind: "ours", id, actions: [CAT], logLevel: "info" });
      const unit = await node.submit({ node: id, worktype: "cat", payload: "x" });
      assert.equal(await node.resultText(unit), "x");
      await node.restart();
      assert.deepEqual(Object.keys(await node.json("work list")), [unit]);
      assert.equal(await node.resultText(unit), "x");
      assert.deepEqual(await node.json(`work release ${unit}`), { released: unit });
    },
  );
}
