/**
 * A control service behind TLS, and who does not get in over the mesh: `connect … tlsclient` and
 * `work submit --tls-client` between a Go daemon and ours, with what the user is told, and no job
 * on the other side.
 */
import assert from "node:assert/strict";
import { type Certificates, makeCertificates, signCertificate } from "../support/certificates.ts";
import { meshTest } from "../support/mesh.ts";
import { folderOf } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { TempFolder } from "../support/temp_folder.ts";
import type { TestNode } from "../support/test_node.ts";

type Parameters = Record<string, unknown>;

interface Authorities {
  ours: Certificates;
  foreign: Certificates;
}

interface LockCase {
  name: string;
  /** Changes to a valid `tls-server`; `null` for none. */
  server?: ((authorities: Authorities) => Parameters) | null;
  /** Changes to a valid `tls-client`. */
  client?: (authorities: Authorities) => Parameters;
  /** The client is named in commands. */
  named?: false;
  /** What the user is told, by whose client asks: the text after the original's own beginning. */
  says: Record<"ours" | "go", string>;
  /** It is the listener that refuses, after the dialler believed that it was connected. */
  refusedLate?: true;
}

const LONG_AGO = ["notbefore=2020-01-01T00:00:00Z", "notafter=2021-01-01T00:00:00Z"];
const OTHER_PIN = "00".repeat(32);
const CAT = { "work-command": { worktype: "cat", command: "cat" } };

const CASES: readonly LockCase[] = [
  {
    name: "no TLS against TLS",
    named: false,
    says: {
      ours: "insecure connection to secure service",
      go: "insecure connection to secure service",
    },
  },
  {
    name: "TLS against none",
    server: null,
    says: {
      ours: 'x509: certificate signed by unknown authority: "CN=netceptor-insecure-common-name" ' +
        'was issued by "CN=netceptor-insecure-common-name", FOLDER/ca.crt has ' +
        '"CN=Receptor mesh CA" (server node far, tls-client client)',
      go: "x509: certificate signed by unknown authority",
    },
  },
  {
    name: "a server of another authority",
    server: ({ foreign }) => files(foreign, "far"),
    says: {
      ours: 'x509: certificate signed by unknown authority (possibly because of "x509: the ' +
        "signature is not by the issuer's key\" while trying to verify candidate authority " +
        'certificate "CN=Receptor mesh CA"): "CN=far" was issued by "CN=Receptor mesh CA", ' +
        'FOLDER/ca.crt has "CN=Receptor mesh CA" (server node far, tls-client client)',
      go: "x509: certificate signed by unknown authority",
    },
  },
  {
    name: "a client of another authority",
    client: ({ foreign }) => files(foreign, "near"),
    refusedLate: true,
    says: {
      ours: "refused by the peer: ",
      go: 'was issued by "CN=Receptor mesh CA", FOLDER/ca.crt has "CN=Receptor mesh CA" ' +
        "(client node near, tls-server server)",
    },
  },
  {
    name: "a server whose certificate expired",
    server: ({ ours }) => files(ours, "old-far"),
    says: {
      ours: "x509: certificate has expired or is not yet valid: current time TIME is after " +
        "2021-01-01T00:00:00Z (server node far, tls-client client)",
      go: "x509: certificate has expired or is not yet valid",
    },
  },
  {
    name: "a client whose certificate expired",
    client: ({ ours }) => files(ours, "old-near"),
    refusedLate: true,
    says: {
      ours: "refused by the peer: ",
      go: "is after 2021-01-01T00:00:00Z (client node near, tls-server server)",
    },
  },
  {
    name: "a server that is another node",
    server: ({ ours }) => ({ ...files(ours, "other"), skipreceptornamescheck: true }),
    says: {
      ours: "x509: certificate is valid for Receptor node ID other, not far: its subject is " +
        '"CN=other" (server node far, tls-client client)',
      go: "x509: certificate is valid for Receptor node ID other, not far",
    },
  },
  {
    name: "a client that is another node",
    client: ({ ours }) => ({ ...files(ours, "other"), skipreceptornamescheck: true }),
    refusedLate: true,
    says: {
      ours: "refused by the peer: ",
      go: "x509: certificate is valid for Receptor node ID other, not near: its subject is " +
        '"CN=other" (client node near, tls-server server)',
    },
  },
  {
    name: "a client without a certificate",
    client: () => ({ cert: "", key: "" }),
    refusedLate: true,
    says: { ours: "refused by the peer: ", go: "peer sent no certificates" },
  },
  {
    name: "a server with another certificate than the pinned one",
    client: () => ({ pinnedservercert: [OTHER_PIN] }),
    says: {
      ours: "presented certificate does not match any pinned fingerprint: " +
        '"CN=far" has sha256 FINGERPRINT (server node far, tls-client client)',
      go: "presented certificate does not match any pinned fingerprint",
    },
  },
  {
    // The Go daemon does not check this pin for streams over the mesh.
    name: "a client with another certificate than the pinned one",
    server: () => ({ pinnedclientcert: [OTHER_PIN] }),
    refusedLate: true,
    says: {
      ours: "",
      go: "presented certificate does not match any pinned fingerprint: " +
        '"CN=near" has sha256 FINGERPRINT (client node near, tls-server server)',
    },
  },
];

for (const lock of CASES) {
  for (const [asker, name] of [["go", "Go asks ours"], ["ours", "ours asks Go"]] as const) {
    const expected = lock.says[asker];
    if (expected === "") continue;
    meshTest(`a stream is refused: ${lock.name}, ${name}`, { kinds: ["go"] }, async (mesh) => {
      const port = freePort();
      const server = lock.server === null ? undefined : serverOf(lock);
      const far = await mesh.node({
        kind: asker === "go" ? "ours" : "go",
        id: "far",
        control: server ? { tls: "server" } : {},
        actions: [
          ...(server ? [{ "tls-server": server }] : []),
          { "tcp-listener": { bindaddr: "127.0.0.1", port } },
          CAT,
        ],
      });
      const near = await mesh.node({
        kind: asker,
        id: "near",
        actions: [
          { "tls-client": clientOf(lock) },
          { "tcp-peer": { address: `127.0.0.1:${port}` } },
        ],
      });
      await near.waitForRoute("far");
      const tlsClient = lock.named === false ? "" : "client";
      const { source } = patternOf(expected);
      await isRefusedConnection(near, tlsClient, lock.refusedLate ? undefined : source);
      await isRefusedWork(near, tlsClient, source);
      assert.deepEqual(await far.unitFolders(), []);
      assert.deepEqual(await far.json("work list"), {});
    });
  }
}

/** A dialler that is refused late sees nothing but the end. */
async function isRefusedConnection(
  near: TestNode,
  tlsClient: string,
  pattern: string | undefined,
): Promise<void> {
  await using session = await near.session();
  await session.send(`connect far control ${tlsClient}`.trim());
  const reply = await session.readLine();
  if (pattern !== undefined) {
    const prefix = near.kind === "go" ? "CRYPTO_ERROR 0x12a \\(local\\): .*" : "";
    assert.match(String(reply), new RegExp(`^ERROR: ${prefix}${pattern}`));
    return;
  }
  assert.equal(reply, "Connecting");
  assert.equal(await session.readLine(), null);
}

async function isRefusedWork(near: TestNode, tlsClient: string, pattern: string): Promise<void> {
  const params: Record<string, string> = tlsClient === "" ? {} : { tlsclient: tlsClient };
  const unit = await near.submit({ node: "far", worktype: "cat", payload: "hi", params });
  const { StateName, Detail, ExtraData } = await near.waitForUnit(unit);
  assert.equal(StateName, "Failed");
  assert.match(Detail, new RegExp(`^TLS error connecting to remote service: .*${pattern}`));
  assert.equal((ExtraData as { RemoteStarted: boolean }).RemoteStarted, false);
  assert.deepEqual(await near.json(`work release ${unit}`), { released: unit });
}

function serverOf({ server }: LockCase): Parameters {
  const { ours } = authorities;
  return {
    name: "server",
    ...files(ours, "far"),
    requireclientcert: true,
    clientcas: ours.ca,
    ...server?.(authorities),
  };
}

function clientOf({ client }: LockCase): Parameters {
  const { ours } = authorities;
  return { name: "client", ...files(ours, "near"), rootcas: ours.ca, ...client?.(authorities) };
}

function files(certificates: Certificates, name: string): { cert: string; key: string } {
  return { cert: certificates.cert(name), key: certificates.key(name) };
}

function patternOf(text: string): RegExp {
  return new RegExp(
    RegExp.escape(text)
      .replaceAll("FOLDER", RegExp.escape(authoritiesFolder.join("ours")))
      .replaceAll("TIME", "[0-9-]+T[0-9:]+Z")
      .replaceAll("FINGERPRINT", "(?:[0-9A-F]{2}:){31}[0-9A-F]{2}"),
  );
}

/** For all tests of this file: nobody changes them. */
let authorities: Authorities;
let authoritiesFolder: TempFolder;

Deno.test.beforeAll(async () => {
  if (folderOf("RECEPTOR_PEERS") === undefined) return;
  authoritiesFolder = await TempFolder.create();
  const names = ["near", "far"];
  const ours = await makeCertificates(authoritiesFolder.join("ours"), [...names, "other"]);
  const foreign = await makeCertificates(authoritiesFolder.join("foreign"), names);
  authorities = { ours, foreign };
  for (const nodeId of names) {
    await signCertificate("ours", ours, { name: `old-${nodeId}`, nodeId, extra: LONG_AGO });
  }
});

Deno.test.afterAll(async () => {
  await authoritiesFolder?.[Symbol.asyncDispose]();
});
