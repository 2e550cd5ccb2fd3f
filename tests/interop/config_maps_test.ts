/** Configurations in the form of a map, given to our daemon and to the Go daemon alike. */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import type { NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import type { Action, TestNode } from "../support/test_node.ts";
import { TestPki } from "./_tls_nodes.ts";

const CAT: Action = { "work-command": { worktype: "cat", command: "cat" } };
const BIND = { bindaddr: "127.0.0.1" };
const KINDS: readonly NodeKind[] = ["ours", "go"];

for (const kind of KINDS) {
  const other = kind === "ours" ? "go" : "ours";

  meshTest(`maps give links and work types (${kind} among ${other})`, {
    kinds: ["go"],
  }, async (mesh) => {
    const [tcp, udp, ws] = [freePort(), freePort(), freePort()];
    const hub = await mesh.node({
      kind,
      form: "map",
      id: "hub",
      actions: [
        CAT,
        { "tcp-listener": { ...BIND, port: tcp, cost: 2.5 } },
        { "udp-listener": { ...BIND, port: udp, nodecost: { u: 3 } } },
        { "ws-listener": { ...BIND, port: ws, path: "/x", allowedpeers: ["w"] } },
      ],
    });
    const spokes: Record<string, Action> = {
      t: { "tcp-peer": { address: `127.0.0.1:${tcp}`, cost: 2.5 } },
      u: { "udp-peer": { address: `127.0.0.1:${udp}`, cost: 3 } },
      w: { "ws-peer": { address: `ws://127.0.0.1:${ws}/x` } },
    };
    const nodes: TestNode[] = [];
    for (const [id, peer] of Object.entries(spokes)) {
      nodes.push(await mesh.node({ kind: other, form: "map", id, actions: [peer] }));
    }
    await hub.waitForRoute("t", "u", "w");
    const { KnownConnectionCosts } = await hub.status();
    assert.deepEqual(KnownConnectionCosts.hub, { t: 2.5, u: 3, w: 1 });
    const [near] = nodes;
    await near!.waitForRoute("hub");
    const unit = await near!.submit({ node: "hub", worktype: "cat", payload: "hello" });
    assert.equal((await near!.waitForUnit(unit)).StateName, "Succeeded");
  });

  meshTest(`maps give links over TLS (${kind} with ${other})`, { kinds: ["go"] }, async (mesh) => {
    const pki = await TestPki.create(mesh);
    const port = freePort();
    const [far, near] = [await pki.files("far"), await pki.files("near")];
    await mesh.node({
      kind,
      form: "map",
      id: "far",
      actions: [
        {
          "tls-server": { name: "server", ...far, clientcas: pki.ca, requireclientcert: true },
        },
        { "tcp-listener": { ...BIND, port, tls: "server" } },
      ],
    });
    const client = await mesh.node({
      kind: other,
      form: "map",
      id: "near",
      actions: [
        { "tls-client": { name: "client", ...near, rootcas: pki.ca } },
        { "tcp-peer": { address: `127.0.0.1:${port}`, tls: "client" } },
      ],
    });
    await client.waitForRoute("far");
  });

  meshTest(`a peer that is added to a map appears (${kind})`, { kinds: [kind] }, async (mesh) => {
    const port = freePort();
    const hub = await mesh.node({
      kind: "ours",
      id: "hub",
      actions: [{ "tcp-listener": { ...BIND, port } }],
    });
    const waiting: Action = { "tcp-listener": { ...BIND, port: freePort() } };
    const spoke = await mesh.node({ kind, form: "map", id: "spoke", actions: [waiting] });
    await spoke.configure([waiting, { "tcp-peer": { address: `127.0.0.1:${port}` } }]);
    await hub.waitForRoute("spoke");
    await spoke.waitForRoute("hub");
  });
}

meshTest("a map that cannot be applied leaves all as it is, with one line in the log", {
  kinds: ["ours"],
}, async (mesh) => {
  const port = freePort();
  const hub = await mesh.node({
    kind: "ours",
    id: "hub",
    actions: [{ "tcp-listener": { ...BIND, port } }],
  });
  const peer: Action = { "tcp-peer": { address: `127.0.0.1:${port}` } };
  const spoke = await mesh.node({ kind: "ours", form: "map", id: "spoke", actions: [peer] });
  await hub.waitForRoute("spoke");

  const whole = await Deno.readTextFile(spoke.configPath);
  await replace(spoke, whole.replace("tcp-peers", "tcp-peer"));
  await spoke.waitForLog(/WARNING .* Reload not successful: .*node\.yml:\d+: .*"tcp-peers"/);
  await replace(spoke, whole + 'work-commands: [{"worktype":"x","command":"x"}]\n');
  await spoke.waitForLog(
    /WARNING .* Reload not successful: .*'work-command' was modified or added/,
  );
  await replace(spoke, whole);
  await spoke.waitForLog(/INFO .* Configuration reloaded: .* started 0, stopped 0, unchanged 1/);
  assert.equal(spoke.log.match(/Reload not successful/g)?.length, 2);
  assert.equal(spoke.log.match(/Connection established/g)?.length, 1);

  const added = freePort();
  await replace(spoke, `${whole}tcp-listeners: {bindaddr: 127.0.0.1, port: ${added}}\n`);
  await eventually(async () => {
    (await Deno.connect({ hostname: "127.0.0.1", port: added })).close();
    return true;
  });
  assert.equal((await hub.json("ping spoke")).Success, true);
  await spoke.stop();
  assert.equal((await spoke.program.exited).code, 0);
});

/** In one step, so that no reader sees half of it. */
async function replace(node: TestNode, text: string): Promise<void> {
  await Deno.writeTextFile(`${node.configPath}.new`, text);
  await Deno.rename(`${node.configPath}.new`, node.configPath);
}
