/** A neighbour that begins handshakes and completes none cannot keep others' streams out. */
import assert from "node:assert/strict";
import { Budget } from "../support/budget.ts";
import { within } from "../support/eventually.ts";
import { halfInitial } from "../support/half_initials.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { recordInitials } from "../support/quic_initials.ts";
import { RawLink } from "../support/raw_link.ts";

/** More at a time than a node accepts from strangers, again and again. */
const BURST = 100;
const BURST_EVERY_MS = 250;
/** A dial gives up after 15 s; the rest is for a busy machine. */
const OPEN_WITHIN_MS = 12_000;
const STREAMS = 5;
const MEBIBYTES = 250;

/** Enough of them that one comes again only long after it was given up. */
const DIFFERENT = 4_000;

/** First packets of handshakes that nobody continues. */
const FIRST_PACKETS: Record<string, () => Uint8Array[] | Promise<Uint8Array[]>> = {
  "whole ClientHellos": () => recordInitials(DIFFERENT),
  "half ClientHellos": () => Array.from({ length: DIFFERENT }, halfInitial),
};

for (const [what, make] of Object.entries(FIRST_PACKETS)) {
  meshTest(
    `400 ${what} a second that nobody goes on with keep neither Go's streams out nor ours`,
    { kinds: ["ours", "go"] },
    async (mesh) => await flood(mesh, await make()),
  );
}

async function flood(mesh: Mesh, initials: readonly Uint8Array[]): Promise<void> {
  const port = freePort();
  const budget = await Budget.start(mesh, {
    id: "victim",
    actions: [{ "tcp-listener": { bindaddr: "127.0.0.1", port } }],
  });
  const victim = budget.node;
  const peer = { "tcp-peer": { address: `127.0.0.1:${port}` } };
  const honest = await Promise.all([
    mesh.node({ kind: "go", id: "go", actions: [peer] }),
    mesh.node({ kind: "ours", id: "ours", actions: [peer] }),
  ]);
  await Promise.all(honest.map((node) => node.waitForRoute("victim")));

  budget.begin();
  using evil = await RawLink.up(port, "evil", "victim");
  const bursts: Promise<void>[] = [];
  let sent = 0;
  const sendBurst = () => {
    const burst = Array.from({ length: BURST }, () => {
      const initial = initials[sent++ % initials.length]!;
      return evil.packet("control", initial, `s${sent % 100_000}`);
    });
    bursts.push(evil.send(...burst));
  };
  for (let i = 0; i < 10; i++) sendBurst();
  await Promise.all(bursts);
  assert.ok(await evil.answers(), "the victim has dealt with the first thousand");
  const flooding = setInterval(sendBurst, BURST_EVERY_MS);
  try {
    for (const node of honest) {
      for (let i = 0; i < STREAMS; i++) {
        await using session = await node.session();
        await session.send("connect victim control");
        assert.equal(await session.readLine(), "Connecting");
        const greeting = await within(
          OPEN_WITHIN_MS,
          `stream ${i + 1} from ${node.id}`,
          session.readLine(),
        );
        assert.equal(greeting, "Receptor Control, node victim");
      }
    }
  } finally {
    clearInterval(flooding);
    await Promise.all(bursts);
  }
  assert.ok(evil.alive && victim.program.running);
  budget.assertKept(MEBIBYTES, "the flood");
}
