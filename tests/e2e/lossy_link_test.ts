/** Work over a UDP link that loses, repeats and reorders what it carries. */
import assert from "node:assert/strict";
import { LossyLink } from "../support/lossy_link.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { randomBytes, sha256 } from "../support/payload.ts";
import type { NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";

const PAYLOAD_BYTES = 20_000_000;
const SEED = 20_261_121;
const FAULTS = { lost: 0.05, repeated: 0.02, late: 0.05 };

async function carriesJob(mesh: Mesh, dialler: NodeKind, listener: NodeKind): Promise<void> {
  const port = freePort();
  await using link = await LossyLink.start({ target: port, seed: SEED, ...FAULTS });
  const far = await mesh.node({
    kind: listener,
    id: "far",
    logLevel: "info",
    actions: [
      { "udp-listener": { bindaddr: "127.0.0.1", port } },
      { "work-command": { worktype: "cat", command: "cat" } },
    ],
  });
  const near = await mesh.node({
    kind: dialler,
    id: "near",
    logLevel: "info",
    actions: [{ "udp-peer": { address: `127.0.0.1:${link.port}` } }],
  });
  await Promise.all([near.waitForRoute("far"), far.waitForRoute("near")]);
  const payload = randomBytes(PAYLOAD_BYTES);
  const unit = await near.submit({ node: "far", worktype: "cat", payload });
  assert.deepEqual(await near.resultDigest(unit), {
    size: PAYLOAD_BYTES,
    sha256: sha256(payload),
  });
  assert.equal((await near.waitForUnit(unit)).StateName, "Succeeded");
  assert.deepEqual(await near.json(`work release ${unit}`), { released: unit });
  // The link was as bad as intended, and the same one throughout.
  const { carried, lost, repeated, late } = link.counts;
  for (const count of [lost, repeated, late]) assert.ok(count > 0.01 * carried, `${count}`);
  assert.equal(near.log.match(/Connection established/g)?.length, 1);
}

meshTest(
  "a UDP link with 5 % loss, reordering and repetition carries a 20 MB job",
  { kinds: ["ours"] },
  (mesh) => carriesJob(mesh, "ours", "ours"),
);

meshTest(
  "a UDP link with 5 % loss, reordering and repetition to a Go daemon carries a 20 MB job",
  { kinds: ["ours", "go"] },
  (mesh) => carriesJob(mesh, "ours", "go"),
);
