/** Streams between our mesh node and Go daemons. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { goListener, goPeer, OwnNode, readLine, serveEcho } from "../support/own_node.ts";

const kinds = ["go"] as const;
const encoder = new TextEncoder();

meshTest("we dial a Go node's control service and talk to it", { kinds }, async (mesh) => {
  await using ours = new OwnNode("ours");
  const go = await mesh.node({ kind: "go", id: "go", actions: [goPeer(ours.listen())] });
  await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);
  const conn = await ours.netceptor.dial("go", "control");
  equal(await readLine(conn), "Receptor Control, node go\n");
  await writeAll(conn, encoder.encode("ping ours\n"));
  equal(JSON.parse(await readLine(conn)).From, "ours");
  conn.close();
  equal(await conn.closed, undefined);
});

meshTest(
  "a Go node connects to our service, over a Go node in between",
  { kinds },
  async (mesh) => {
    await using ours = new OwnNode("ours");
    await using listener = await ours.netceptor.listen("echo");
    void serveEcho(listener);
    const port = freePort();
    await mesh.node({ kind: "go", id: "middle", actions: [goListener(port)] });
    const far = await mesh.node({ kind: "go", id: "far", actions: [goPeer(port)] });
    ours.dial(port);
    await Promise.all([ours.waitForRoute("far"), far.waitForRoute("ours")]);
    await using session = await far.session();
    await session.send("connect ours echo");
    equal(await session.readLine(), "Connecting");
    for (const text of ["one", "two", "three"]) {
      await session.send(text);
      equal(await session.readLine(), text);
    }
  },
);

meshTest("Go nodes stream to each other through us, byte for byte", { kinds }, async (mesh) => {
  await using middle = new OwnNode("middle");
  const port = middle.listen();
  const left = await mesh.node({ kind: "go", id: "left", actions: [goPeer(port)] });
  const right = await mesh.node({
    kind: "go",
    id: "right",
    actions: [goPeer(port), { "work-command": { worktype: "cat", command: "cat" } }],
  });
  await Promise.all([left.waitForRoute("right"), right.waitForRoute("left")]);
  const payload = crypto.getRandomValues(new Uint8Array(50_000));
  const unit = await left.submit({ node: "right", worktype: "cat", payload });
  await left.waitForUnit(unit, ["Succeeded"]);
  await using results = await left.results(unit);
  deepEqual(Buffer.from(await results.readAll()), Buffer.from(payload));
});

meshTest("a service that a Go node does not have is reported at once", { kinds }, async (mesh) => {
  await using ours = new OwnNode("ours");
  const go = await mesh.node({ kind: "go", id: "go", actions: [goPeer(ours.listen())] });
  await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);
  await rejects(ours.netceptor.dial("go", "nosuch"), { message: "service unknown" });
  await rejects(go.json("connect ours nosuch"));
  await go.waitForLog(/remote service nosuch to node ours is unreachable/);
});
