/** A restarted node reaches nodes three hops away at once, and its first job goes there. */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import type { NodeKind } from "../support/peers.ts";

/** Routes are flooded every 10 s; this is too short to be waiting for one of those. */
const SOON_MS = 5_000;
/** On a busy machine everything takes longer: as many times as long as a start of the daemon. */
const STARTS = 5;

const LINES: readonly (readonly NodeKind[])[] = [
  ["ours", "ours", "ours", "ours"],
  ["ours", "ours", "go", "ours"],
  ["ours", "go", "ours", "ours"],
  ["ours", "ours", "ours", "go"],
];

for (const kinds of LINES) {
  meshTest(
    `the last node of ${kinds.join("–")} is restarted and reaches the first one at once`,
    { kinds },
    async (mesh) => {
      const cat = { "work-command": { worktype: "cat", command: "cat" } };
      const { nodes } = await mesh.line(kinds, () => ({ actions: [cat] }));
      const [first, last] = [nodes[0]!, nodes.at(-1)!];
      await last.kill();
      await last.restart();
      const start = performance.now();
      const unit = await last.submit({ node: first.id, worktype: "cat", payload: "first job" });
      await eventually(async () => (await last.json(`ping ${first.id}`)).Success === true);
      const pingMs = performance.now() - start;
      assert.equal(await last.resultText(unit), "first job");
      // A ping of the original is one packet. If the other end does not know the way back yet, it is
      // lost, and the next one is sent 10 s later.
      if (last.kind !== "ours") return;
      const limitMs = SOON_MS + STARTS * last.readyMs;
      assert.ok(pingMs < limitMs, `the first ping took ${pingMs} ms, of ${limitMs}`);
    },
  );
}
