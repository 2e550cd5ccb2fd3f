/** Certificates that are replaced while the node runs, and those that are about to expire. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { type Certificates, makeCertificates, signCertificate } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { receptorctl } from "../support/receptorctl.ts";
import type { TestNode } from "../support/test_node.ts";

const day = 24 * 60 * 60 * 1000;

/** The fingerprint of the certificate that a TLS port shows. */
function shownAt(port: number, { ca, cert, key }: Certificates): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({
    host: "127.0.0.1",
    port,
    ca: Deno.readTextFileSync(ca),
    cert: Deno.readTextFileSync(cert("near")),
    key: Deno.readTextFileSync(key("near")),
  }, () => {
    resolve(socket.getPeerCertificate().fingerprint256);
    socket.end();
  });
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("closed")));
  return promise;
}

function fingerprintOf(file: string): string {
  return new X509Certificate(Deno.readTextFileSync(file)).fingerprint256;
}

/** Replaces the files of a certificate and its key, as tools that renew them do. */
async function replace(certificates: Certificates, name: string, by: string): Promise<void> {
  await Deno.rename(certificates.key(by), certificates.key(name));
  await Deno.rename(certificates.cert(by), certificates.cert(name));
}

async function connects(from: TestNode, tlsClient: string): Promise<boolean> {
  await using session = await from.session();
  await session.send(`connect far control ${tlsClient}`);
  return await session.readLine() === "Connecting" &&
    await session.readLine() === "Receptor Control, node far";
}

meshTest(
  "certificates that are replaced are shown from the next handshake on, and no link breaks",
  { kinds: ["ours"] },
  async (mesh) => {
    const tls = await makeCertificates((await mesh.folder()).path, ["near", "far"]);
    await signCertificate("ours", tls, { name: "new", nodeId: "far" });
    const before = fingerprintOf(tls.cert("far"));
    const after = fingerprintOf(tls.cert("new"));
    const [linkPort, controlPort] = [freePort(), freePort()];
    const far = await mesh.node({
      kind: "ours",
      id: "far",
      control: { tls: "server", tcplisten: `127.0.0.1:${controlPort}`, tcptls: "server" },
      actions: [
        {
          "tls-server": {
            name: "server",
            cert: tls.cert("far"),
            key: tls.key("far"),
            requireclientcert: true,
            clientcas: tls.ca,
          },
        },
        { "tcp-listener": { bindaddr: "127.0.0.1", port: linkPort, tls: "server" } },
        { "work-command": { worktype: "cat", command: "cat" } },
      ],
    });
    const client = { cert: tls.cert("near"), key: tls.key("near"), rootcas: tls.ca };
    const near = await mesh.node({
      kind: "ours",
      id: "near",
      actions: [
        { "tls-client": { name: "any", ...client } },
        { "tls-client": { name: "old", ...client, pinnedservercert: [before] } },
        { "tls-client": { name: "new", ...client, pinnedservercert: [after] } },
        { "tcp-peer": { address: `127.0.0.1:${linkPort}`, tls: "any" } },
      ],
    });
    await near.waitForRoute("far");
    assert.deepEqual([await shownAt(linkPort, tls), await shownAt(controlPort, tls)], [
      before,
      before,
    ]);
    assert.deepEqual([await connects(near, "old"), await connects(near, "new")], [true, false]);
    // An open stream stays open.
    await using open = await near.session();
    assert.equal(await open.command("connect far control any"), "Connecting");
    assert.equal(await open.readLine(), "Receptor Control, node far");

    await replace(tls, "far", "new");
    await eventually(async () => await shownAt(linkPort, tls) === after);
    assert.equal(await shownAt(controlPort, tls), after);
    assert.deepEqual([await connects(near, "new"), await connects(near, "old")], [true, false]);
    await far.waitForLog(/^INFO \S+ \S+ tls-server server: files changed and were read again$/m);

    assert.match(await open.command("status"), /"NodeID":"far"/);
    assert.equal(near.log.match(/Connection established/g)?.length, 1);

    // An unusable one is reported, and the last good one stays.
    await Deno.writeTextFile(tls.cert("far"), "no certificate");
    await eventually(async () => {
      assert.equal(await shownAt(linkPort, tls), after);
      return /WARNING .*tls-server server: files changed, but the old ones stay in use: /
        .test(far.log);
    });
    assert.equal(await connects(near, "new"), true);
  },
);

meshTest(
  "a certificate close to expiry causes a warning and is shown by status",
  { kinds: ["ours"] },
  async (mesh) => {
    const tls = await makeCertificates((await mesh.folder()).path, ["solo"]);
    const end = new Date(Date.now() + 10.5 * day).toISOString().replace(/\.\d+Z$/, "Z");
    const extra = [`notafter=${end}`];
    await signCertificate("ours", tls, { name: "brief", nodeId: "solo", extra });
    const node = await mesh.node({
      kind: "ours",
      id: "solo",
      actions: [
        { "tls-server": { name: "good", cert: tls.cert("solo"), key: tls.key("solo") } },
        { "tls-server": { name: "brief", cert: tls.cert("brief"), key: tls.key("brief") } },
      ],
    });
    const file = tls.cert("brief");
    const warning = `certificate "CN=brief" in ${file} expires in 10 days, on ${end}`;
    assert.equal(node.log.split("\n").filter((line) => line.endsWith(warning)).length, 1);
    assert.doesNotMatch(node.log, /CN=solo/);
    assert.deepEqual(await certificatesOf(node), [{
      Kind: "tls-server",
      Name: "brief",
      Cert: file,
      Subject: "CN=brief",
      NodeIDs: ["solo"],
      NotAfter: end,
    }]);
    await showsInStatus(node, `${end} ${file} (tls-server brief)`);

    // With a good one, nothing more is said.
    await signCertificate("ours", tls, { name: "long", nodeId: "solo" });
    await replace(tls, "brief", "long");
    await eventually(async () => (await certificatesOf(node)).length === 0);
  },
);

/** Only shown if asked by name: the original's clients do not know this field. */
async function certificatesOf(node: TestNode): Promise<unknown[]> {
  const { Certificates } = await node.json({
    command: "status",
    requested_fields: ["Certificates"],
  }) as { Certificates: unknown[] };
  return Certificates;
}

async function showsInStatus(node: TestNode, line: string): Promise<void> {
  const { code, stdout } = await receptorctl(["status"], { client: "ours", socket: node.socket });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^Node ID: solo$/m);
  assert.match(stdout, /^solo +control +Stream /m);
  assert.ok(stdout.includes(`\nCertificates close to expiry\n${line}\n`), stdout);
}
