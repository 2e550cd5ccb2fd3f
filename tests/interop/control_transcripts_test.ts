/** The recorded transcripts are still what the original says. */
import assert from "node:assert/strict";
import { transcripts } from "../control/transcripts.ts";
import { readText } from "../control/memory_conn.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";

async function exchange(path: string, sent: string): Promise<string> {
  using conn = await Deno.connect({ transport: "unix", path });
  const bytes = new TextEncoder().encode(sent);
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
  await conn.closeWrite();
  const reply = await readText(conn);
  return reply.slice(reply.indexOf("\n") + 1);
}

meshTest("the original answers as the transcripts say", { kinds: ["go"] }, async (mesh) => {
  const port = freePort();
  const foo = await mesh.node({
    kind: "go",
    id: "foo",
    actions: [
      { "tcp-listener": { bindaddr: "127.0.0.1", port } },
      { "work-command": { worktype: "cat", command: "cat", allowruntimeparams: true } },
    ],
  });
  await mesh.node({
    kind: "go",
    id: "bar",
    actions: [{ "tcp-peer": { address: `127.0.0.1:${port}` } }],
  });
  await foo.waitForRoute("bar");
  for (const [sent, reply] of transcripts) {
    assert.equal(await exchange(foo.socket, sent), reply, JSON.stringify(sent));
  }
});
