import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { Endpoint } from "../../lib/quic/endpoint.ts";
import { insecureClientTls, insecureServerTls } from "../../lib/quic/insecure_tls.ts";
import { QuicError } from "../../lib/quic/quic_error.ts";
import { CertificateRefused, type ClientTls } from "../../lib/quic/tls.ts";
import { barIdentity, fooIdentity } from "./_identities.ts";
import { Pair } from "./_pair.ts";

const acceptAll = () => {};

function refusal(error: unknown): QuicError {
  assert.ok(error instanceof QuicError, String(error));
  return error;
}

async function failure(promise: Promise<unknown>): Promise<QuicError> {
  return refusal(await promise.then(() => undefined, (error) => error));
}

Deno.test("a service without a TLS config presents the well-known name", async () => {
  using pair = await Pair.create();
  const connection = await pair.dial();
  assert.equal(connection.peerChain.length, 1);
  const certificate = new X509Certificate(connection.peerChain[0]!);
  assert.equal(certificate.subject, "CN=netceptor-insecure-common-name");
  assert.ok(certificate.verify(certificate.publicKey), "signed by its own key");
  assert.equal(certificate.publicKey.asymmetricKeyType, "ec");
});

Deno.test("a dialler without a TLS config refuses a properly secured service", async () => {
  using pair = await Pair.create({ server: { server: { identity: barIdentity } } });
  const error = await failure(pair.dial());
  assert.equal(error.message, "insecure connection to secure service");
  assert.equal(error.ending, "refused");
  assert.equal(error.alert, 42);
  assert.ok(error.cause instanceof CertificateRefused);
});

Deno.test("the server's chain and the node dialled are put to the client's check", async () => {
  const seen: { chain: readonly Uint8Array[]; node: string }[] = [];
  using pair = await Pair.create({
    server: {
      server: { identity: { ...barIdentity, chain: [...barIdentity.chain, ...fooIdentity.chain] } },
    },
  });
  await pair.dial({ verifyServer: (chain, node) => void seen.push({ chain, node }) });
  assert.deepEqual(seen, [{
    chain: [barIdentity.chain[0], fooIdentity.chain[0]],
    node: "bar",
  }]);
});

Deno.test("a refused server is told the alert and the reason", async () => {
  using pair = await Pair.create({ server: { server: { identity: barIdentity } } });
  const { client, clock } = pair;
  const dialling = failure(client.connect("bar:control", {
    verifyServer() {
      throw new CertificateRefused("bar is not in our good books", 48);
    },
  }, "bar"));
  const ours = await pair.run(dialling);
  assert.equal(ours.message, "bar is not in our good books");
  assert.equal(ours.alert, 48);
  await clock.advance(5_000);
  assert.equal(pair.accepted.length, 0);
  assert.equal(pair.server.connectionCount, 0);
});

Deno.test("a refused client is told the alert and the reason", async () => {
  const seen: string[] = [];
  using pair = await Pair.create({
    server: {
      server: {
        identity: barIdentity,
        verifyClient(_chain, node) {
          seen.push(node);
          throw new CertificateRefused("expired long ago", 45);
        },
      },
    },
  });
  const tls: ClientTls = { identity: fooIdentity, verifyServer: acceptAll };
  // TLS 1.3: the client is done before the server has seen its certificate.
  const connection = await pair.dial(tls);
  const error = refusal(await pair.run(connection.closed));
  assert.equal(error.ending, "refused-by-peer");
  assert.equal(error.alert, 45);
  assert.match(error.message, /expired long ago/);
  assert.deepEqual(seen, ["foo"]);
  assert.equal(pair.accepted.length, 0);
});

Deno.test("both sides' certificates are checked when the server wants that", async () => {
  using pair = await Pair.create({
    server: { server: { identity: barIdentity, verifyClient: acceptAll } },
  });
  const { accepted, dialled } = await pair.open({
    identity: fooIdentity,
    verifyServer: acceptAll,
  });
  assert.deepEqual(accepted.peerChain, fooIdentity.chain);
  assert.deepEqual(dialled.peerChain, barIdentity.chain);
});

Deno.test("a client without the certificate that the server wants is refused", async () => {
  using pair = await Pair.create({
    server: { server: { identity: barIdentity, verifyClient: acceptAll } },
  });
  const connection = await pair.dial({ verifyServer: acceptAll });
  const error = refusal(await pair.run(connection.closed));
  assert.equal(error.ending, "refused-by-peer");
  assert.equal(error.alert, 116, "certificate_required");
});

Deno.test("a check that itself fails refuses with an internal error", async () => {
  using pair = await Pair.create();
  const error = await failure(pair.dial({
    verifyServer() {
      throw new RangeError("out of luck");
    },
  }));
  assert.equal(error.alert, 80);
  assert.equal(error.message, "out of luck");
  assert.ok(error.cause instanceof RangeError);
});

Deno.test("an identity that is not usable is an error that says so", async () => {
  const mixed = { chain: barIdentity.chain, privateKey: fooIdentity.privateKey };
  await assert.rejects(Pair.create({ server: { server: { identity: mixed } } }), {
    name: "TypeError",
    message: /certificate and key are not usable/,
  });
  const broken = { chain: barIdentity.chain, privateKey: new Uint8Array(10) };
  await assert.rejects(Pair.create({ server: { server: { identity: broken } } }), {
    message: /private key is not usable/,
  });
  using pair = await Pair.create();
  await assert.rejects(pair.dial({ identity: mixed, verifyServer: acceptAll }), TypeError);
  assert.equal(pair.client.connectionCount, 0);
});

Deno.test("a renewed identity serves new handshakes, and connections go on", async () => {
  const server = { identity: barIdentity };
  using pair = await Pair.create({ server: { server } });
  const tls: ClientTls = { verifyServer: acceptAll };
  const { near, far } = await pair.open(tls);
  server.identity = fooIdentity;
  const renewed = await pair.dial(tls);
  assert.deepEqual(renewed.peerChain, fooIdentity.chain);
  await near.write(Uint8Array.of(7));
  assert.equal(await pair.run(far.read(new Uint8Array(1))), 1);
});

Deno.test("an unusable renewed identity is reported, and the earlier one stays in use", async () => {
  const server = { identity: barIdentity };
  const refused: string[] = [];
  using pair = await Pair.create({
    server: { server, onIdentityRefused: ({ message }) => refused.push(message) },
  });
  server.identity = { chain: barIdentity.chain, privateKey: fooIdentity.privateKey };
  const connection = await pair.dial({ verifyServer: acceptAll });
  assert.deepEqual(connection.peerChain, barIdentity.chain);
  assert.equal(refused.length, 1);
  assert.match(refused[0]!, /certificate and key are not usable/);
});

Deno.test("the insecure check refuses what does not parse and an empty chain", () => {
  const { verifyServer } = insecureClientTls();
  assert.throws(() => verifyServer([], "bar"), /insecure connection to secure service/);
  assert.throws(() => verifyServer([new Uint8Array(5)], "bar"), /does not parse/);
});

Deno.test("two servers have different certificates", async () => {
  using one = await Pair.create({ seed: 1, server: { server: insecureServerTls() } });
  using other = await Pair.create({ seed: 2 });
  const [first, second] = [await one.dial(), await other.dial()];
  assert.notDeepEqual(first.peerChain, second.peerChain);
  assert.ok(one.server instanceof Endpoint);
});
