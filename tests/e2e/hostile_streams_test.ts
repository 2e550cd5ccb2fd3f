/** A node of the mesh that holds many streams, and fills them with what nobody reads. */
import assert from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import type { MeshConn } from "../../lib/netceptor/mesh.ts";
import { Budget } from "../support/budget.ts";
import { meshTest } from "../support/mesh.ts";
import { OwnNode, readLine } from "../support/own_node.ts";
import { freePort } from "../support/ports.ts";

const VICTIM = "victim";
const STREAMS = 100;
/** More than a stream's window, in each of them. */
const BLOCK = new Uint8Array(64 * 1024);
const BLOCKS = 128;
/** How long to go on filling while there is still some room. */
const FILLING_MS = 20_000;
const LOOK_EVERY_MS = 1_000;
const MEBIBYTES = 600;
const encoder = new TextEncoder();

meshTest(
  "streams that are full of what nobody reads cost bounded memory, and another node gets in",
  { kinds: ["ours"] },
  async (mesh) => {
    const port = freePort();
    const budget = await Budget.start(mesh, {
      id: VICTIM,
      actions: [{ "tcp-listener": { bindaddr: "127.0.0.1", port } }],
    });
    await using hostile = new OwnNode("hostile");
    await using honest = new OwnNode("honest");
    for (const node of [hostile, honest]) {
      node.dial(port);
      await node.waitForRoute(VICTIM);
    }
    await budget.node.waitForRoute("hostile");
    await using sink = await hostile.netceptor.listen("sink");
    const held: MeshConn[] = [];
    const sinking = (async () => {
      for await (const conn of sink) held.push(conn);
    })();
    budget.begin();
    // Each leads back to a stream of the same node, so both directions of the victim fill up.
    const streams: MeshConn[] = [];
    while (streams.length < STREAMS) {
      const stream = await hostile.netceptor.dial(VICTIM, "control");
      streams.push(stream);
      await readLine(stream);
      await writeAll(stream, encoder.encode("connect hostile sink\n"));
      assert.equal(await readLine(stream), "Connecting\n");
    }
    let written = 0;
    const filling = streams.map(async (stream) => {
      for (let block = 0; block < BLOCKS; block++, written++) await writeAll(stream, BLOCK);
    });
    const filled = Promise.allSettled(filling);
    const end = performance.now() + FILLING_MS;
    for (let before = -1; before !== written && performance.now() < end;) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    const stream = await honest.netceptor.dial(VICTIM, "control");
    assert.equal(await readLine(stream), "Receptor Control, node victim\n");
    stream.close();
    budget.assertKept(MEBIBYTES);
    for (const conn of [...held, ...streams]) conn.abort();
    await filled;
    await sink[Symbol.asyncDispose]();
    await sinking;
  },
);
