/** Mesh streams between us and Go daemons that are secured by named TLS configs. */
import assert from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { meshTest } from "../support/mesh.ts";
import type { TestNode } from "../support/test_node.ts";
import { goPeer, readLine, serveEcho } from "../support/own_node.ts";
import { type Files, goTls, OwnTlsNode, TestPki } from "./_tls_nodes.ts";

const kinds = ["go"] as const;
const NO_FILES = { cert: "", key: "" } as const;

/** A Go node linked to ours, with a secured control service. */
async function goServing(
  mesh: Parameters<Parameters<typeof meshTest>[2]>[0],
  ours: OwnTlsNode,
  files: Files,
  options: Record<string, unknown>,
): Promise<TestNode> {
  const go = await mesh.node({
    kind: "go",
    id: "go",
    control: { tls: "tls" },
    actions: [goTls("tls-server", files, options), goPeer(ours.listen())],
  });
  await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);
  return go;
}

meshTest("we talk to a Go node's secured control service", { kinds }, async (mesh) => {
  const pki = await TestPki.create(mesh);
  await using ours = new OwnTlsNode("ours");
  await goServing(mesh, ours, await pki.files("go"), {
    requireclientcert: true,
    clientcas: pki.ca,
  });
  const client = ours.client({ ...await pki.files("ours"), rootCas: pki.ca });
  const conn = await ours.netceptor.dial("go", "control", { tls: client.mesh });
  assert.equal(await readLine(conn), "Receptor Control, node go\n");
  await writeAll(conn, new TextEncoder().encode("ping ours\n"));
  assert.equal(JSON.parse(await readLine(conn)).From, "ours");
  assert.ok(conn.secure);
  conn.close();
  assert.equal(await conn.closed, undefined);
});

/**
 * What the Go server is, and what we are; what we are told when it refuses us, and what it logs.
 */
const WE_DIAL: {
  name: string;
  server?: (pki: TestPki) => Promise<Files>;
  client: (pki: TestPki) => Promise<Files | typeof NO_FILES>;
  ours: RegExp;
  go?: RegExp;
}[] = [
  {
    name: "a server of another CA",
    server: (pki) => pki.files("go", { issuer: pki.stranger }),
    client: (pki) => pki.files("ours"),
    ours:
      /x509: certificate signed by unknown authority: "CN=go" was issued by "CN=Stranger", .* \(server node go, tls-client client\)/,
  },
  {
    name: "a server that is another node",
    server: (pki) => pki.files("go", { nodeIds: ["other", "third"] }),
    client: (pki) => pki.files("ours"),
    ours:
      /x509: certificate is valid for Receptor node IDs other, third, not go: its subject is "CN=go" \(server node go, tls-client client\)/,
  },
  {
    name: "an expired server",
    server: (pki) => pki.files("go", { from: -2, until: -1 }),
    client: (pki) => pki.files("ours"),
    ours: /x509: certificate has expired or is not yet valid/,
  },
  {
    name: "us as another node",
    client: (pki) => pki.files("ours", { nodeIds: ["other"] }),
    ours: /refused by the peer: .*bad certificate \(alert 42\)/i,
    go: /x509: certificate is valid for Receptor node ID other, not ours/,
  },
  {
    name: "us with a certificate of another CA",
    client: (pki) => pki.files("ours", { issuer: pki.stranger }),
    ours: /refused by the peer: .*unknown certificate authority \(alert 48\)/i,
  },
  {
    name: "us without a certificate",
    client: () => Promise.resolve(NO_FILES),
    ours: /refused by the peer: .*(certificate required|error 116)/i,
  },
];

for (const { name, server, client, ours: expected, go: logged } of WE_DIAL) {
  meshTest(`a secured stream to a Go node is refused: ${name}`, { kinds }, async (mesh) => {
    const pki = await TestPki.create(mesh);
    await using ours = new OwnTlsNode("ours");
    const files = await (server ?? (() => pki.files("go")))(pki);
    const options = { requireclientcert: true, clientcas: pki.ca, skipreceptornamescheck: true };
    const go = await goServing(mesh, ours, files, options);
    const profile = ours.client({
      ...await client(pki),
      rootCas: pki.ca,
      skipReceptorNamesCheck: true,
    });
    // Since TLS 1.3 a client may think that it is connected before it is told that it is not.
    await assert.rejects(async () => {
      const conn = await ours.netceptor.dial("go", "control", { tls: profile.mesh });
      await readLine(conn);
      throw await conn.closed ?? new Error("closed without an error");
    }, expected);
    if (logged !== undefined) await go.waitForLog(logged);
  });
}

/** A Go node linked to ours, which serves an echo, and its connection to that. */
async function goDialling(
  mesh: Parameters<Parameters<typeof meshTest>[2]>[0],
  ours: OwnTlsNode,
  files: Files | typeof NO_FILES,
  options: Record<string, unknown>,
): Promise<TestNode> {
  const go = await mesh.node({
    kind: "go",
    id: "go",
    actions: [goTls("tls-client", files, options), goPeer(ours.listen())],
  });
  await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);
  return go;
}

meshTest("a Go node talks to our secured service", { kinds }, async (mesh) => {
  const pki = await TestPki.create(mesh);
  await using ours = new OwnTlsNode("ours");
  const tls = ours.server({
    ...await pki.files("ours"),
    requireClientCert: true,
    clientCas: pki.ca,
  }).mesh;
  await using listener = await ours.netceptor.listen("echo", { tls });
  void serveEcho(listener);
  const go = await goDialling(mesh, ours, await pki.files("go"), { rootcas: pki.ca });
  await using session = await go.session();
  await session.send("connect ours echo tls");
  assert.equal(await session.readLine(), "Connecting");
  for (const text of ["one", "two"]) {
    await session.send(text);
    assert.equal(await session.readLine(), text);
  }
});

/** What we are, and what the Go client is; what it says when the stream fails, or what we log. */
const GO_DIALS: {
  name: string;
  server?: (pki: TestPki) => Promise<Files>;
  client: (pki: TestPki) => Promise<Files | typeof NO_FILES>;
  go?: RegExp;
  ours?: RegExp;
}[] = [
  {
    name: "us as another node",
    server: (pki) => pki.files("ours", { nodeIds: ["other"] }),
    client: (pki) => pki.files("go"),
    go: /x509: certificate is valid for Receptor node ID other, not ours/,
  },
  {
    name: "us of another CA",
    server: (pki) => pki.files("ours", { issuer: pki.stranger }),
    client: (pki) => pki.files("go"),
    go: /x509: certificate signed by unknown authority/,
  },
  {
    name: "a client that is another node",
    client: (pki) => pki.files("go", { nodeIds: ["other"] }),
    ours:
      /x509: certificate is valid for Receptor node ID other, not go: its subject is "CN=go" \(client node go, tls-server server\)/,
  },
  {
    name: "a client of another CA",
    client: (pki) => pki.files("go", { issuer: pki.stranger }),
    ours: /x509: certificate signed by unknown authority: .*\(client node go, tls-server server\)/,
  },
  {
    name: "an expired client",
    client: (pki) => pki.files("go", { from: -2, until: -1 }),
    ours: /x509: certificate has expired .*\(client node go, tls-server server\)/,
  },
  {
    name: "a client without a certificate",
    client: () => Promise.resolve(NO_FILES),
  },
];

for (const { name, server, client, go: goLogs, ours: weLog } of GO_DIALS) {
  meshTest(`a Go node's secured stream to us is refused: ${name}`, { kinds }, async (mesh) => {
    const pki = await TestPki.create(mesh);
    await using ours = new OwnTlsNode("ours");
    const tls = ours.server({
      ...await (server ?? (() => pki.files("ours")))(pki),
      requireClientCert: true,
      clientCas: pki.ca,
      skipReceptorNamesCheck: true,
    }).mesh;
    await using listener = await ours.netceptor.listen("echo", { tls });
    void serveEcho(listener);
    const options = { rootcas: pki.ca, skipreceptornamescheck: true };
    const go = await goDialling(mesh, ours, await client(pki), options);
    await using session = await go.session();
    await session.send("connect ours echo tls");
    // With TLS 1.3 a client is done before the server has checked it: it says that it is
    // connecting.
    const first = await session.readLine();
    if (first === "Connecting") assert.equal(await session.readLine(), null);
    else assert.match(first ?? "", /^ERROR: /);
    if (goLogs !== undefined) await go.waitForLog(goLogs);
    if (weLog !== undefined) await ours.waitForLog(weLog);
  });
}
