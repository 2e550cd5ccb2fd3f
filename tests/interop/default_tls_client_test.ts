/** `default`, the `tls-client` that exists without being configured: it trusts what the system does. */
import assert from "node:assert/strict";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import type { Action, TestNode } from "../support/test_node.ts";
import { TestPki } from "./_tls_nodes.ts";

const CAT: Action = { "work-command": { worktype: "cat", command: "cat" } };

/** A node without any TLS configuration, which has a route to `far` that offers TLS. */
async function nodeBeside(
  mesh: Mesh,
  kind: "ours" | "go",
  trusted: boolean,
): Promise<TestNode> {
  const pki = await TestPki.create(mesh);
  const port = freePort();
  await mesh.node({
    kind: "ours",
    id: "far",
    control: { tls: "server" },
    actions: [
      CAT,
      { "tls-server": { name: "server", ...await pki.files("far") } },
      { "tcp-listener": { bindaddr: "127.0.0.1", port } },
    ],
  });
  const near = await mesh.node({
    kind,
    id: "near",
    actions: [{ "tcp-peer": { address: `127.0.0.1:${port}` } }],
    env: trusted ? { SSL_CERT_FILE: pki.ca } : {},
  });
  await near.waitForRoute("far");
  return near;
}

const SUBMISSION = {
  node: "far",
  worktype: "cat",
  payload: "hello",
  params: { tlsclient: "default" },
};

meshTest("the default TLS client reaches whom the system trusts", {
  kinds: ["ours"],
}, async (mesh) => {
  const near = await nodeBeside(mesh, "ours", true);
  await using session = await near.session();
  await session.send("connect far control default");
  assert.equal(await session.readLine(), "Connecting");
  assert.match(String(await session.readLine()), /^Receptor Control, node far$/);

  const unit = await near.submit(SUBMISSION);
  assert.equal((await near.waitForUnit(unit)).StateName, "Succeeded");
  assert.equal(await near.resultText(unit), "hello");
});

meshTest("the default TLS client refuses whom the system does not trust", {
  kinds: ["ours"],
}, async (mesh) => {
  const near = await nodeBeside(mesh, "ours", false);
  await using session = await near.session();
  await session.send("connect far control default");
  assert.match(String(await session.readLine()), /^ERROR: .*signed by unknown authority/);

  const unit = await near.submit(SUBMISSION);
  const { StateName, Detail } = await near.waitForUnit(unit);
  assert.equal(StateName, "Failed");
  assert.match(Detail, /^TLS error connecting to remote service: .*signed by unknown authority/);
});

meshTest(
  "the original has a default TLS client that it cannot use",
  { kinds: ["go"] },
  async (mesh) => {
    const near = await nodeBeside(mesh, "go", true);
    await using session = await near.session();
    await session.send("connect far control default");
    assert.equal(await session.readLine(), "ERROR: pinned fingerprints missing for default");
  },
);

meshTest("a peer may name the default TLS client", { kinds: ["ours"] }, async (mesh) => {
  const pki = await TestPki.create(mesh);
  const port = freePort();
  await mesh.node({
    kind: "ours",
    id: "far",
    actions: [
      { "tls-server": { name: "server", ...await pki.files("far") } },
      { "tcp-listener": { bindaddr: "127.0.0.1", port, tls: "server" } },
    ],
  });
  const near = await mesh.node({
    kind: "ours",
    id: "near",
    actions: [{ "tcp-peer": { address: `127.0.0.1:${port}`, tls: "default" } }],
    env: { SSL_CERT_FILE: pki.ca },
  });
  await near.waitForRoute("far");
});
