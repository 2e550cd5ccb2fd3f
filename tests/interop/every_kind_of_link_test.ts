/**
 * Every kind of link, dialled from either side, between a Go daemon and ours: generated from one
 * table. Over each, both sides ping and have 5 MB carried there and back by a job of the other.
 */
import assert from "node:assert/strict";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { meshTest } from "../support/mesh.ts";
import { randomBytes, sha256 } from "../support/payload.ts";
import type { NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import type { Action, TestNode } from "../support/test_node.ts";

const PAYLOAD_BYTES = 5_000_000;

type Security = "plain" | "TLS" | "mTLS";

interface LinkCase {
  name: string;
  carrier: "tcp" | "udp" | "ws";
  security: Security;
  /** Whose commands make the certificates. */
  maker?: NodeKind;
}

const LINKS: readonly LinkCase[] = [
  { name: "TCP", carrier: "tcp", security: "plain" },
  { name: "TCP+TLS", carrier: "tcp", security: "TLS" },
  { name: "TCP+mTLS", carrier: "tcp", security: "mTLS" },
  { name: "TCP+mTLS with Go's certificates", carrier: "tcp", security: "mTLS", maker: "go" },
  { name: "UDP", carrier: "udp", security: "plain" },
  { name: "WS", carrier: "ws", security: "plain" },
  { name: "WSS", carrier: "ws", security: "TLS" },
  { name: "WSS+mTLS", carrier: "ws", security: "mTLS" },
  { name: "WSS+mTLS with Go's certificates", carrier: "ws", security: "mTLS", maker: "go" },
];

const DIALLERS: readonly { dialler: NodeKind; listener: NodeKind; name: string }[] = [
  { dialler: "go", listener: "ours", name: "Go dials ours" },
  { dialler: "ours", listener: "go", name: "ours dials Go" },
];

const CAT = { "work-command": { worktype: "cat", command: "cat" } };

for (const { name, carrier, security, maker } of LINKS) {
  for (const { dialler, listener, name: direction } of DIALLERS) {
    meshTest(`${name}, ${direction}: ping and 5 MB each way`, { kinds: ["go"] }, async (mesh) => {
      const port = freePort();
      const tls = security === "plain"
        ? undefined
        : await makeCertificates((await mesh.folder()).path, ["near", "far"], maker);
      const far = await mesh.node({
        kind: listener,
        id: "far",
        actions: [CAT, ...listens(carrier, port, security, tls)],
      });
      const near = await mesh.node({
        kind: dialler,
        id: "near",
        actions: [CAT, ...dials(carrier, port, security, tls)],
      });
      await Promise.all([near.waitForRoute("far"), far.waitForRoute("near")]);
      await Promise.all([carries(near, far), carries(far, near)]);
      for (const [node, peer] of [[near, far], [far, near]] as const) {
        assert.deepEqual((await node.status()).Connections, [{ NodeID: peer.id, Cost: 1 }]);
      }
    });
  }
}

function listens(
  carrier: LinkCase["carrier"],
  port: number,
  security: Security,
  tls: Certificates | undefined,
): Action[] {
  const listener = { bindaddr: "127.0.0.1", port };
  if (tls === undefined) return [{ [`${carrier}-listener`]: listener }];
  const asksForCertificate = { requireclientcert: true, clientcas: tls.ca };
  return [
    {
      "tls-server": {
        name: "server",
        cert: tls.cert("far"),
        key: tls.key("far"),
        ...(security === "mTLS" ? asksForCertificate : {}),
      },
    },
    { [`${carrier}-listener`]: { ...listener, tls: "server" } },
  ];
}

function dials(
  carrier: LinkCase["carrier"],
  port: number,
  security: Security,
  tls: Certificates | undefined,
): Action[] {
  const scheme = tls === undefined ? "ws" : "wss";
  const address = carrier === "ws" ? `${scheme}://127.0.0.1:${port}/` : `127.0.0.1:${port}`;
  if (tls === undefined) return [{ [`${carrier}-peer`]: { address } }];
  const shown = security === "mTLS"
    ? { cert: tls.cert("near"), key: tls.key("near") }
    : { cert: "", key: "" };
  return [
    { "tls-client": { name: "client", rootcas: tls.ca, ...shown } },
    { [`${carrier}-peer`]: { address, tls: "client" } },
  ];
}

async function carries(from: TestNode, to: TestNode): Promise<void> {
  const { Success, From } = await from.json(`ping ${to.id}`);
  assert.deepEqual([Success, From], [true, to.id]);
  const payload = randomBytes(PAYLOAD_BYTES);
  const unit = await from.submit({ node: to.id, worktype: "cat", payload });
  assert.deepEqual(await from.resultDigest(unit), {
    size: PAYLOAD_BYTES,
    sha256: sha256(payload),
  });
  assert.equal((await from.waitForUnit(unit)).StateName, "Succeeded");
  assert.deepEqual(await from.json(`work release ${unit}`), { released: unit });
}
