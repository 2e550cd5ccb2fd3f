/** `reload`: changes are applied, and everything else goes on as if nothing had happened. */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { MEBIBYTE, PacedJob } from "../support/paced_job.ts";
import type { ClientKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { RawLink } from "../support/raw_link.ts";
import { receptorctl } from "../support/receptorctl.ts";
import type { Action, TestNode } from "../support/test_node.ts";

const CAT: Action = { "work-command": { worktype: "cat", command: "cat" } };

function listener(port: number, more: Record<string, unknown> = {}): Action {
  return { "tcp-listener": { bindaddr: "127.0.0.1", port, ...more } };
}

function peer(port: number): Action {
  return { "tcp-peer": { address: `127.0.0.1:${port}` } };
}

function established(node: TestNode): number {
  return node.log.match(/Connection established/g)?.length ?? 0;
}

async function reload(node: TestNode): Promise<Record<string, unknown>> {
  return await node.json("reload");
}

meshTest(
  "a reload leaves unchanged links, jobs and result streams alone",
  { kinds: ["ours"] },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 3);
    const [kept, changed, added] = [freePort(), freePort(), freePort()];
    const hub = await mesh.node({
      kind: "ours",
      id: "hub",
      actions: [CAT, listener(kept), listener(changed)],
    });
    const worker = await mesh.node({
      kind: "ours",
      id: "worker",
      actions: [job.workType(), peer(kept)],
    });
    const other = await mesh.node({ kind: "ours", id: "other", actions: [peer(changed)] });
    const late = await mesh.node({ kind: "ours", id: "late", actions: [peer(added)] });
    await hub.waitForRoute("worker", "other");
    const unit = await hub.submit({ node: "worker", worktype: "paced", payload: "go" });
    await job.started();
    await using results = await hub.results(unit);
    let received = 0;
    const receiveUntil = async (mebibytes: number) => {
      while (received < mebibytes * MEBIBYTE) received += (await results.readSome())!.length;
    };
    await job.write(1);
    await receiveUntil(1);

    // One backend is added, and another changes its cost.
    await hub.configure([CAT, listener(kept), listener(changed, { cost: 1.5 }), listener(added)]);
    // The neighbour's cost must agree again.
    await other.configure([{ "tcp-peer": { address: `127.0.0.1:${changed}`, cost: 1.5 } }]);
    assert.deepEqual(await reload(hub), { Success: true });
    assert.deepEqual(await reload(other), { Success: true });
    await hub.waitForRoute("other", "late");
    await job.write(1);
    await receiveUntil(2);
    const costs = (await hub.status()).KnownConnectionCosts.hub;
    assert.deepEqual(costs, { worker: 1, other: 1.5, late: 1 });

    // One is removed.
    await hub.configure([CAT, listener(kept), listener(added)]);
    assert.deepEqual(await reload(hub), { Success: true });
    await hub.waitForNoRoute("other");
    await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: changed }));

    await job.write(1);
    await job.exit();
    received += await results.countAll();
    assert.equal(received, job.size);
    assert.equal((await hub.waitForUnit(unit)).StateName, "Succeeded");
    assert.deepEqual([established(worker), established(late)], [1, 1]);
    assert.equal((await job.runs()).length, 1);
  },
);

/** The same configuration as `PLAIN`, as other programs might write it. */
function rewritten(hub: TestNode, port: number): string {
  return `---
- tcp-listener:
    "port": '${port}'
    bindaddr: "127.0.0.1"
- work-command: {command: 'cat', worktype: 'cat'}
- control-service:
    filename: '${hub.socket}'
    service: "control"
- log-level:
    level: 'debug'
- node:
    datadir: "${hub.dataFolder}"
    id: "hub"
`;
}

meshTest(
  "a configuration that is written another way is no change",
  { kinds: ["ours"] },
  async (mesh) => {
    const { hub, spoke, port } = await hubAndSpoke(mesh);
    await Deno.writeTextFile(hub.configPath, rewritten(hub, port));
    assert.deepEqual(await reload(hub), { Success: true });
    assert.deepEqual(await spoke.json("ping hub").then(({ Success }) => Success), true);
    assert.equal(established(spoke), 1);
  },
);

for (const client of ["ours", "python"] as const) {
  const kinds = client === "python" ? ["ours", "go"] as const : ["ours"] as const;
  meshTest(
    `a reload that cannot be is refused with its exit code (client: ${client})`,
    { kinds },
    async (mesh) => {
      const { hub, spoke, port } = await hubAndSpoke(mesh);
      const before = await Deno.readTextFile(hub.configPath);
      const broken = `${before}- tcp-peer: {adress: 'x:1'}\n`;
      const line = broken.trimEnd().split("\n").length;

      await Deno.writeTextFile(hub.configPath, broken);
      await exits(hub, client, 4, `${hub.configPath}:${line}: tcp-peer: `);
      await Deno.writeTextFile(hub.configPath, "- [\n");
      await exits(hub, client, 4, hub.configPath);
      await Deno.remove(hub.configPath);
      await exits(hub, client, 4, hub.configPath);

      await hub.configure([CAT, listener(port), {
        "work-command": { worktype: "w", command: "w" },
      }]);
      await exits(
        hub,
        client,
        3,
        "a non-reloadable config action 'work-command' was modified or added. Must restart " +
          "receptor for these changes to take effect",
      );
      await hub.configure([listener(port)]);
      await exits(hub, client, 3, "a non-reloadable config action 'work-command' was removed");

      // Everything as before, and ready for a change that is possible.
      assert.equal(await spoke.json("ping hub").then(({ Success }) => Success), true);
      assert.equal(established(spoke), 1);
      await Deno.writeTextFile(hub.configPath, before);
      await exits(hub, client, 0, "");
    },
  );
}

async function exits(
  node: TestNode,
  client: ClientKind,
  expected: number,
  said: string,
): Promise<void> {
  const { code, stdout, stderr } = await receptorctl(["reload"], { client, socket: node.socket });
  assert.equal(code, expected, stdout + stderr);
  assert.ok((stdout + stderr).includes(said), `${said} is not in ${stdout}${stderr}`);
}

meshTest("a port that is taken refuses the whole reload", { kinds: ["ours"] }, async (mesh) => {
  const { hub, spoke, port } = await hubAndSpoke(mesh);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const free = freePort();
  const wanted = [
    CAT,
    listener(port, { cost: 1.5 }),
    listener(taken.addr.port),
    listener(free),
  ];
  await hub.configure(wanted);
  const { Success, Error: message } = await reload(hub);
  assert.equal(Success, false);
  assert.match(
    String(message),
    new RegExp(
      `^${RegExp.escape(hub.configPath)}:\\d+: tcp-listener: cannot listen on TCP ` +
        `127\\.0\\.0\\.1:${taken.addr.port}: .*(in use|taken).* ERRORCODE 4$`,
      "i",
    ),
  );
  // None of it was applied, and no link was touched.
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: free }));
  assert.deepEqual((await hub.status()).KnownConnectionCosts.hub, { spoke: 1 });
  assert.equal(established(spoke), 1);
  // Once the port is free, the same file works.
  taken.close();
  await spoke.configure([{ "tcp-peer": { address: `127.0.0.1:${port}`, cost: 1.5 } }]);
  await eventually(async () => (await reload(hub)).Success === true);
  (await Deno.connect({ hostname: "127.0.0.1", port: taken.addr.port })).close();
  (await Deno.connect({ hostname: "127.0.0.1", port: free })).close();
  assert.deepEqual(await reload(spoke), { Success: true });
  // A route may still be that of the link before.
  await eventually(async () => (await hub.status()).KnownConnectionCosts.hub?.spoke === 1.5);
});

/** Mistakes in a changed peer that only a closer look than the parser's reveals. */
const BAD_PEERS: Record<string, Record<string, unknown>> = {
  "an unknown TLS configuration": { tls: "typo" },
  "a cost that cannot be": { cost: -1 },
  "an address without a port": { address: "127.0.0.1" },
};

for (const [mistake, values] of Object.entries(BAD_PEERS)) {
  meshTest(
    `a changed peer with ${mistake} is refused, and its link stays`,
    { kinds: ["ours"] },
    async (mesh) => {
      const { hub, spoke, port } = await hubAndSpoke(mesh);
      await spoke.configure([{ "tcp-peer": { address: `127.0.0.1:${port}`, ...values } }]);
      const { Success, Error: message } = await reload(spoke);
      assert.equal(Success, false);
      assert.match(String(message), /:\d+: tcp-peer: .* ERRORCODE 4$/);
      assert.equal((await spoke.json("ping hub")).Success, true);
      assert.equal((await hub.json("ping spoke")).Success, true);
      assert.equal(established(spoke), 1);
    },
  );
}

meshTest(
  "a peer without redial that has ended is not dialled by a reload that leaves it alone",
  { kinds: ["ours"] },
  async (mesh) => {
    const [port, late] = [freePort(), freePort()];
    const hub = await mesh.node({ kind: "ours", id: "hub", actions: [listener(port)] });
    const once: Action = { "tcp-peer": { address: `127.0.0.1:${port}`, redial: false } };
    const spoke = await mesh.node({ kind: "ours", id: "spoke", actions: [once] });
    await hub.waitForRoute("spoke");
    await hub.stop();
    await spoke.waitForLog(/ERROR .* Backend connection (exited|failed)/);
    await hub.restart();
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await spoke.configure([once, listener(late)]);
    assert.deepEqual(await reload(spoke), { Success: true });
    await spoke.configure([once, listener(taken.addr.port)]);
    assert.equal((await reload(spoke)).Success, false);
    assert.equal(established(spoke), 1);
    assert.deepEqual((await hub.status()).Connections ?? [], []);
  },
);

meshTest("a link that is being set up outlives a reload", { kinds: ["ours"] }, async (mesh) => {
  const port = freePort();
  const hub = await mesh.node({ kind: "ours", id: "hub", actions: [listener(port)] });
  using link = await RawLink.connect(port, "late", "hub");
  await hub.configure([listener(port), listener(freePort())]);
  assert.deepEqual(await reload(hub), { Success: true });
  await link.introduce();
  assert.ok(await link.answers());
});

meshTest("SIGHUP is a reload, and whatever comes of it the node goes on", {
  kinds: ["ours"],
}, async (mesh) => {
  const { hub, spoke, port } = await hubAndSpoke(mesh);
  const added = freePort();
  await hub.configure([CAT, listener(port), listener(added)]);
  hub.program.signal("SIGHUP");
  await hub.waitForLog(/INFO .* Configuration reloaded: .* started 1, stopped 0, unchanged 1/);
  (await Deno.connect({ hostname: "127.0.0.1", port: added })).close();

  await hub.configure([listener(port)]);
  hub.program.signal("SIGHUP");
  await hub.waitForLog(/WARNING .* Reload not successful: .*'work-command' was removed/);
  assert.equal((await spoke.json("ping hub")).Success, true);
  assert.equal(established(spoke), 1);
});

async function hubAndSpoke(mesh: Mesh) {
  const port = freePort();
  const hub = await mesh.node({ kind: "ours", id: "hub", actions: [CAT, listener(port)] });
  const spoke = await mesh.node({ kind: "ours", id: "spoke", actions: [peer(port)] });
  await hub.waitForRoute("spoke");
  return { hub, spoke, port };
}
