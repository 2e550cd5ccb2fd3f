import assert from "node:assert/strict";
import { constants, verify, X509Certificate } from "node:crypto";
import { HostKeys } from "../../lib/quic/host_keys.ts";
import { barIdentity, rsaIdentity } from "./_identities.ts";
import { Pair } from "./_pair.ts";

const message = new TextEncoder().encode("the transcript of a handshake");
const { publicKey } = new X509Certificate(rsaIdentity.chain[0]!);

for (
  const [scheme, hash, saltLength] of [
    [0x0804, "sha256", 32],
    [0x0805, "sha384", 48],
    [0x0806, "sha512", 64],
  ] as const
) {
  Deno.test(`an RSA key signs as TLS wants it with ${hash}`, () => {
    const keys = new HostKeys();
    for (let i = 0; i < 2; i++) {
      const signature = keys.sign(scheme, rsaIdentity.privateKey, message);
      const key = { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
      assert.ok(verify(hash, message, key, signature!));
    }
  });
}

Deno.test("anything but an RSA key and a known scheme is left to the core", () => {
  const keys = new HostKeys();
  assert.equal(keys.sign(0x0401, rsaIdentity.privateKey, message), undefined);
  assert.equal(keys.sign(0x0804, new Uint8Array(10), message), undefined);
});

Deno.test("both sides present RSA certificates", async () => {
  using pair = await Pair.create({
    server: { server: { identity: rsaIdentity, verifyClient() {} } },
  });
  const { accepted, dialled } = await pair.open({ identity: rsaIdentity, verifyServer() {} });
  assert.deepEqual(accepted.peerChain, rsaIdentity.chain);
  assert.deepEqual(dialled.peerChain, rsaIdentity.chain);
});

Deno.test("one side may present an RSA certificate and the other one of another kind", async () => {
  using pair = await Pair.create({
    server: { server: { identity: barIdentity, verifyClient() {} } },
  });
  const { accepted } = await pair.open({ identity: rsaIdentity, verifyServer() {} });
  assert.deepEqual(accepted.peerChain, rsaIdentity.chain);
});
