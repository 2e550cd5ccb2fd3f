/** Certificates made by us and by the original: each serves, signs and reads the other's. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock as clock } from "../../lib/base/clock.ts";
import { systemRandom as random } from "../../lib/base/random.ts";
import { certInit } from "../../lib/pki/cert_init.ts";
import { certMakeRequest } from "../../lib/pki/cert_make_request.ts";
import { certMesh } from "../../lib/pki/cert_mesh.ts";
import { certSignRequest } from "../../lib/pki/cert_sign_request.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { daemonCommand } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { goPeer, readLine } from "../support/own_node.ts";
import { goTls, OwnTlsNode } from "./_tls_nodes.ts";

const kinds = ["go"] as const;

/** Who runs the three commands. */
interface Maker {
  init(folder: string): Promise<void>;
  request(folder: string, node: string): Promise<void>;
  sign(folder: string, node: string): Promise<void>;
}

async function runGo(...args: string[]): Promise<void> {
  await using program = Program.start([...daemonCommand("go"), ...args]);
  const { code } = await program.exited;
  assert.equal(code, 0, program.output);
}

const go: Maker = {
  init: (folder) =>
    runGo(
      "--cert-init",
      "commonname=Go CA",
      "bits=2048",
      `outcert=${folder}/ca.crt`,
      `outkey=${folder}/ca.key`,
    ),
  request: (folder, node) =>
    runGo(
      "--cert-makereq",
      `commonname=${node}`,
      "bits=2048",
      `nodeid=${node}`,
      "dnsname=localhost",
      "ipaddress=127.0.0.1",
      `outreq=${folder}/${node}.csr`,
      `outkey=${folder}/${node}.key`,
    ),
  sign: (folder, node) =>
    runGo(
      "--cert-signreq",
      `req=${folder}/${node}.csr`,
      `cacert=${folder}/ca.crt`,
      `cakey=${folder}/ca.key`,
      `outcert=${folder}/${node}.crt`,
      "verify=true",
    ),
};

const io = { write() {}, readLine: () => Promise.resolve(null) };

const ours: Maker = {
  init: (folder) =>
    certInit({ clock, random }, {
      commonName: "Our CA",
      bits: 2048,
      outCert: join(folder, "ca.crt"),
      outKey: join(folder, "ca.key"),
    }),
  request: (folder, node) =>
    certMakeRequest({
      commonName: node,
      bits: 2048,
      nodeIds: [node],
      dnsNames: ["localhost"],
      ipAddresses: ["127.0.0.1"],
      outReq: join(folder, `${node}.csr`),
      outKey: join(folder, `${node}.key`),
    }),
  sign: (folder, node) =>
    certSignRequest({ clock, random, io }, {
      req: join(folder, `${node}.csr`),
      caCert: join(folder, "ca.crt"),
      caKey: join(folder, "ca.key"),
      outCert: join(folder, `${node}.crt`),
      verify: true,
    }),
};

/** Links our node and Go's with mutual TLS, and talks to Go's control service over a TLS stream. */
async function tryOut(mesh: Mesh, folder: string): Promise<void> {
  const files = (node: string) => ({
    cert: join(folder, `${node}.crt`),
    key: join(folder, `${node}.key`),
  });
  const ca = join(folder, "ca.crt");
  await using our = new OwnTlsNode("our");
  const server = our.server({ ...files("our"), requireClientCert: true, clientCas: ca });
  const client = our.client({ ...files("our"), rootCas: ca });
  const { "tcp-peer": peer } = goPeer(our.listen(server));
  const secured = {
    ...goTls("tls-server", files("go"), { requireclientcert: true, clientcas: ca }),
  };
  const node = await mesh.node({
    kind: "go",
    id: "go",
    control: { tls: "tls" },
    actions: [
      secured,
      { "tls-client": { name: "out", ...files("go"), rootcas: ca } },
      { "tcp-peer": { ...peer, tls: "out" } },
    ],
  });
  await Promise.all([our.waitForRoute("go"), node.waitForRoute("our")]);
  const conn = await our.netceptor.dial("go", "control", { tls: client.mesh });
  assert.equal(await readLine(conn), "Receptor Control, node go\n");
  conn.close();
}

const MAKERS = { "the original": go, us: ours };

for (const [caBy, ca] of Object.entries(MAKERS)) {
  for (const [requestBy, requester] of Object.entries(MAKERS)) {
    meshTest(
      `certificates serve both daemons: authority by ${caBy}, requests by ${requestBy}`,
      { kinds },
      async (mesh) => {
        const { path: folder } = await mesh.folder();
        await ca.init(folder);
        for (const node of ["our", "go"]) {
          await requester.request(folder, node);
          await ca.sign(folder, node);
        }
        await tryOut(mesh, folder);
      },
    );
  }
}

for (const [caBy, signer] of [["the original", go], ["us", ours]] as const) {
  const other = signer === go ? ours : go;
  meshTest(
    `an authority made elsewhere signs: by ${caBy}, with the other's files`,
    { kinds },
    async (mesh) => {
      const { path: folder } = await mesh.folder();
      await other.init(folder);
      for (const node of ["our", "go"]) {
        await other.request(folder, node);
        await signer.sign(folder, node);
      }
      await tryOut(mesh, folder);
    },
  );
}

for (const bits of [256, 384]) {
  meshTest(`cert-mesh serves both daemons, on curve P-${bits}`, { kinds }, async (mesh) => {
    const { path: folder } = await mesh.folder();
    const nodes = ["our=127.0.0.1", "go=127.0.0.1"];
    await certMesh({ clock, random, io }, { nodes, outDir: folder, keyType: "ec", bits });
    await tryOut(mesh, folder);
  });
}

meshTest("both refuse to start with another node's certificate, in the same words", {
  kinds,
}, async (mesh) => {
  const { path: folder } = await mesh.folder();
  await certMesh({ clock, random, io }, { nodes: ["bar"], outDir: folder, keyType: "ec" });
  const files = { cert: join(folder, "bar.crt"), key: join(folder, "bar.key") };
  const port = freePort();
  const expected = "error preparing tls server config: nodeID=foo not found in certificate " +
    `name(s); names found=[bar]; cfg section=tls; server cert=${files.cert}`;
  await assert.rejects(
    mesh.node({
      kind: "go",
      id: "foo",
      actions: [
        goTls("tls-server", files),
        { "tcp-listener": { bindaddr: "127.0.0.1", port, tls: "tls" } },
      ],
    }),
    (error) => error instanceof Error && error.message.includes(`Error: ${expected}`),
  );
  await using our = new OwnTlsNode("foo");
  assert.throws(() => our.profiles.addServer({ name: "tls", ...files }), { message: expected });
});
