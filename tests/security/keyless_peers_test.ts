/**
 * Peers that show a good certificate and do not have its key. Over the mesh the proof is checked by
 * the QUIC core, which also refuses such a pair as its own (`tests/quic/tls_test.ts`).
 */
import assert from "node:assert/strict";
import { createSecureContext } from "node:tls";
import { acceptTls, connectTls } from "../../lib/backends/tls.ts";
import { der, derOid, DerReader, Tag } from "../../lib/pki/der.ts";
import { TrustStore } from "../../lib/pki/trust_store.ts";
import { verifyPeer } from "../../lib/pki/verify_peer.ts";
import {
  extension,
  Field,
  type Issued,
  makeCertificate,
  NOW,
  withBody,
  withFields,
} from "../pki/_certificates.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { goTest, type GoX509 } from "./_go_x509.ts";

const MUTANTS = 60;
const PATIENCE_MS = 30_000;

const ca = await makeCertificate({ commonName: "CA", ca: true });
const points = der(Tag.sequence, der(Tag.sequence));
const honest = await makeCertificate({
  commonName: "foo",
  issuer: ca,
  nodeIds: ["foo"],
  dnsNames: ["localhost"],
  extensions: [extension("2.5.29.31", false, points)],
});
const thief = await makeCertificate({ commonName: "thief", nodeIds: ["thief"] });
const THIEF_KEY = keyOf(thief);

/** PKCS #8. */
function keyOf({ keyObject }: Issued): Uint8Array {
  return new Uint8Array(keyObject.export({ format: "der", type: "pkcs8" }));
}

function check(chain: readonly Uint8Array[], peerIs: "server" | "client"): readonly string[] {
  const roots = TrustStore.fromPem(ca.cert, "ca.crt");
  const name = peerIs === "server" ? { host: "localhost" } : "any" as const;
  return verifyPeer(chain, { profile: "", peerIs, roots, pins: [] }, { name, from: "", now: NOW })
    .names.nodeIds;
}

/** What comes of dialling a server that shows `certificate` with another's key. */
async function dial(go: GoX509, certificate: Issued, key: Uint8Array): Promise<string> {
  const { Port, Reason } = await go.ask({ Do: "serve", Chain: [certificate.der], Key: key });
  assert.equal(Reason, "");
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: Port });
  try {
    const secured = await connectTls(conn, {
      secureContext: createSecureContext({}),
      verifyServer: (chain) => check(chain, "server"),
    }, { from: "peer", host: "localhost", signal: AbortSignal.timeout(PATIENCE_MS) });
    secured.conn.close();
    return "accepted";
  } catch (error) {
    return (error as Error).message;
  }
}

/** What comes of a client that shows `certificate` with another's key. */
async function accept(go: GoX509, certificate: Issued, key: Uint8Array): Promise<string> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port: Port } = listener.addr;
  const dialled = go.ask({ Do: "dial", Chain: [certificate.der], Key: key, Port });
  using conn = await listener.accept();
  try {
    const { conn: secured } = await acceptTls(conn, {
      secureContext: createSecureContext({ cert: honest.cert, key: honest.key }),
      wantsClientCertificate: true,
      verifyClient: (chain) => check(chain, "client"),
    }, { from: "peer", signal: AbortSignal.timeout(PATIENCE_MS) });
    await secured.write(new Uint8Array(1));
    assert.equal((await dialled).OK, true);
    secured.close();
    return "accepted";
  } catch (error) {
    return (error as Error).message;
  } finally {
    await dialled.catch(() => {});
  }
}

const ROLES = { "a TLS server": dial, "a TLS client": accept };

const BITS = der(Tag.bitString, new Uint8Array(66));
const INFOS = [
  der(Tag.sequence),
  der(Tag.sequence, der(Tag.sequence, derOid("1.2.840.10045.2.1"))),
  der(Tag.sequence, der(Tag.sequence, derOid("1.2.840.10045.2.1")), BITS),
  der(Tag.sequence, der(Tag.sequence, derOid("1.2.840.10045.2.1")), BITS, der(Tag.null)),
  der(Tag.sequence, der(Tag.sequence, derOid("1.3.101.112")), BITS),
];
const POINTS = [der(Tag.null), new Uint8Array(), new Uint8Array([0x30, 0, 5, 0])];

/** Certificates that the CA signed, in which a verifier could stumble. */
async function oddCertificates(): Promise<Issued[]> {
  const withPoints = await Promise.all(POINTS.map((value) =>
    makeCertificate({
      commonName: "foo",
      issuer: ca,
      nodeIds: ["foo"],
      dnsNames: ["localhost"],
      extensions: [extension("2.5.29.31", false, value)],
    })
  ));
  const withInfos = INFOS.map((info) => withFields(honest, ca, { [Field.publicKeyInfo]: info }));
  return [...withPoints, ...withInfos, ...mutants()];
}

/** Mutants that our own checks let pass, so that the handshake alone is left. */
function mutants(): Issued[] {
  const random = seededRandom(20261121);
  const below = (count: number) =>
    new DataView(random.fill(new Uint8Array(4)).buffer).getUint32(0) % count;
  const body = DerReader.unwrap(honest.der).expect(Tag.sequence).whole;
  const found: Issued[] = [];
  while (found.length < MUTANTS) {
    const mutant = Uint8Array.from(body);
    mutant[below(mutant.length)]! ^= 1 + below(255);
    const certificate = withBody(honest, ca, mutant);
    try {
      check([certificate.der], "server");
      found.push(certificate);
    } catch {
      // Refused before its key matters.
    }
  }
  return found;
}

for (const [role, meet] of Object.entries(ROLES)) {
  goTest(`${role} with the key of its certificate is let in`, async (go) => {
    assert.equal(await meet(go, honest, keyOf(honest)), "accepted");
  });

  goTest(`${role} without the key of its certificate is refused, whatever is in it`, async (go) => {
    assert.match(
      await meet(go, honest, THIEF_KEY),
      /: the peer did not prove that it has the private key of its certificate, which /,
    );
    for (const certificate of await oddCertificates()) {
      const verdict = await meet(go, certificate, THIEF_KEY);
      assert.notEqual(verdict, "accepted", certificate.cert);
    }
  });
}
