/** Profiles at work on real connections: kinds of keys, and renewal under live connections. */
import assert from "node:assert/strict";
import { acceptTls, connectTls } from "../../lib/backends/tls.ts";
import { type ByteConn, writeAll } from "../../lib/base/byte_conn.ts";
import { TlsProfiles } from "../../lib/pki/tls_profiles.ts";
import type { TlsClientProfile } from "../../lib/pki/tls_client_profile.ts";
import type { TlsServerProfile } from "../../lib/pki/tls_server_profile.ts";
import { type Issued, type KeyKind, makeCertificate } from "./_certificates.ts";
import { CertificateFolder } from "./_files.ts";

const ca = await makeCertificate({ commonName: "CA", ca: true });

function issue(commonName: string, kind: KeyKind = "p256"): Promise<Issued> {
  const ipAddresses = ["127.0.0.1"];
  return makeCertificate({ commonName, issuer: ca, kind, nodeIds: [commonName], ipAddresses });
}

/** A secured connection: both ends. */
async function connectPair(
  listener: Deno.TcpListener,
  server: TlsServerProfile,
  client: TlsClientProfile,
): Promise<[ByteConn, ByteConn]> {
  const accepted = listener.accept()
    .then((conn) => acceptTls(conn, server, { from: "client" }));
  const dialled = Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port })
    .then((conn) => connectTls(conn, client, { host: "127.0.0.1", from: "server" }));
  const [far, near] = await Promise.all([accepted, dialled]);
  return [far.conn, near.conn];
}

async function say(from: ByteConn, to: ByteConn, text: string): Promise<void> {
  await writeAll(from, new TextEncoder().encode(text));
  const into = new Uint8Array(100);
  const count = await to.read(into);
  assert.equal(new TextDecoder().decode(into.subarray(0, count ?? 0)), text);
}

for (const kind of ["rsa", "p256", "p384", "p521", "ed25519"] as const) {
  Deno.test(`both sides may have a key of kind ${kind}`, async () => {
    await using folder = await CertificateFolder.create();
    const { clock, log } = folder;
    const clientCas = await folder.write("ca.crt", ca.cert);
    const [foo, bar] = [await issue("foo", kind), await issue("bar", kind)];
    const server = new TlsProfiles({ clock, log, nodeId: "foo" })
      .addServer({ name: "s", ...await folder.writePair("foo", foo), clientCas });
    const client = new TlsProfiles({ clock, log, nodeId: "bar" })
      .addClient({ name: "c", ...await folder.writePair("bar", bar), rootCas: clientCas });
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const [near, far] = await connectPair(listener, server, client);
    await say(near, far, "hello");
    await say(far, near, "hello yourself");
    near.close();
    far.close();
  });
}

Deno.test("renewal applies to new connections and leaves existing ones alone", async () => {
  await using folder = await CertificateFolder.create();
  const { clock, log } = folder;
  const rootCas = await folder.write("ca.crt", ca.cert);
  const server = new TlsProfiles({ clock, log, nodeId: "foo" })
    .addServer({ name: "s", ...await folder.writePair("foo", await issue("foo")) });
  const client = new TlsProfiles({ clock, log, nodeId: "bar" }).addClient({ name: "c", rootCas });
  /** Common names of the servers that were seen. */
  const seen: Uint8Array[] = [];
  const watched = {
    get secureContext() {
      return client.secureContext;
    },
    verifyServer(chain: readonly Uint8Array[], host: string, from: string) {
      seen.push(chain[0]!);
      client.verifyServer(chain, host, from);
    },
  };
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connect = () => connectPair(listener, server, watched as TlsClientProfile);

  const [oldNear, oldFar] = await connect();
  const renewed = await issue("foo");
  await folder.writePair("foo", renewed);
  await clock.advance(1000);
  const [newNear, newFar] = await connect();
  assert.notDeepEqual(seen[0], renewed.der);
  assert.deepEqual(seen[1], renewed.der);
  await say(oldNear, oldFar, "still here");
  await say(oldFar, oldNear, "me too");
  await say(newNear, newFar, "new here");
  for (const conn of [oldNear, oldFar, newNear, newFar]) conn.close();
});
