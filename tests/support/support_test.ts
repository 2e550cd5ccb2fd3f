/** The test harness itself, with the reference peers. */
import assert from "node:assert/strict";
import { meshTest } from "./mesh.ts";
import { randomBytes, sha256 } from "./payload.ts";
import { markedProcesses } from "./processes.ts";
import { receptorctl } from "./receptorctl.ts";
import { LinkProxy } from "./link_proxy.ts";

const CAT = { "work-command": { worktype: "cat", command: "cat" } };

meshTest("a line of Go nodes carries work to its far end", { kinds: ["go"] }, async (mesh) => {
  const { nodes: [near, , far] } = await mesh.line(["go", "go", "go"], () => ({ actions: [CAT] }));
  const payload = randomBytes(300_000);
  const unit = await near!.submit({ node: far!.id, worktype: "cat", payload });
  assert.deepEqual(await near!.resultDigest(unit), {
    size: payload.length,
    sha256: sha256(payload),
  });
  assert.equal((await near!.waitForUnit(unit)).StateName, "Succeeded");
});

meshTest("the Python client answers on a Go node", { kinds: ["go"] }, async (mesh) => {
  const node = await mesh.node({ kind: "go", id: "solo" });
  const ping = await receptorctl(["ping", "solo", "--count", "1"], {
    client: "python",
    socket: node.socket,
  });
  assert.match(ping.stdout, /^Reply from solo in /);
  assert.equal(ping.code, 0, ping.stderr);
});

meshTest(
  "a killed node resumes its work after a restart",
  { kinds: ["go"] },
  async (mesh) => {
    const node = await mesh.node({
      kind: "go",
      id: "solo",
      actions: [{ "work-command": { worktype: "sleep", command: "sleep", params: "1000" } }],
    });
    const unit = await node.submit({ node: "solo", worktype: "sleep" });
    await node.waitForUnit(unit, ["Running"]);
    await node.kill();
    assert.equal(markedProcesses(node.folder).length > 0, true, "the job outlives its daemon");
    await node.restart();
    assert.equal((await node.unitStatus(unit)).StateName, "Running");
  },
);

meshTest("the end of a test ends its jobs", { kinds: ["go"] }, async (mesh) => {
  const node = await mesh.node({
    kind: "go",
    id: "solo",
    actions: [{ "work-command": { worktype: "sleep", command: "sleep", params: "1000" } }],
  });
  const unit = await node.submit({ node: "solo", worktype: "sleep" });
  await node.waitForUnit(unit, ["Running"]);
  await mesh[Symbol.asyncDispose]();
  assert.deepEqual(markedProcesses(node.folder), []);
});

meshTest("a cut link loses the route and heals", { kinds: ["go"] }, async (mesh) => {
  const { nodes: [near, far], links: [link] } = await mesh.line(["go", "go"]);
  link!.cut();
  await near!.waitForNoRoute(far!.id);
  link!.heal();
  await near!.waitForRoute(far!.id);
});

Deno.test("a link proxy cuts after the given number of bytes, and a stalled one holds them back", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using link = LinkProxy.start(server.addr.port);
  using near = await Deno.connect({ hostname: "127.0.0.1", port: link.port });
  using far = await server.accept();
  link.stall();
  await near.write(new Uint8Array(1000));
  assert.equal(link.forwardedBytes, 0);
  link.heal();
  assert.equal(await far.read(new Uint8Array(2000)), 1000);
  const cut = link.cutAfter(100_000);
  const writing = (async () => {
    while (true) await near.write(new Uint8Array(10_000));
  })().catch(() => {});
  let received = 0;
  const buffer = new Uint8Array(65_536);
  for (let count; (count = await far.read(buffer).catch(() => null)) !== null;) received += count;
  await cut;
  await writing;
  assert.ok(received >= 80_000 && received <= 120_000, `received ${received}`);
});
