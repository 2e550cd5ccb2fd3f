/** Peers of mesh streams that show a good certificate and do not have its key. */
import assert from "node:assert/strict";
import { QuicError } from "../../lib/quic/quic_error.ts";
import type { Identity } from "../../lib/quic/tls.ts";
import { barIdentity, fooIdentity, rsaIdentity } from "./_identities.ts";
import { hostileCore } from "./_hostile_core.ts";
import { Hub } from "./_hub.ts";

const SERVER = "bar:control";
const CLIENT = "foo:a";
const trustAll = () => {};

/** Certificates, each with its own key and with somebody else's of the same kind or another. */
const IDENTITIES: Record<string, { right: Identity; wrong: Identity[] }> = {
  "P-256": {
    right: fooIdentity,
    wrong: [barIdentity, rsaIdentity].map(({ privateKey }) => ({ ...fooIdentity, privateKey })),
  },
  RSA: {
    right: rsaIdentity,
    wrong: [{ ...rsaIdentity, privateKey: fooIdentity.privateKey }],
  },
};

async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof QuicError, String(error));
    return error.message;
  }
}

/** What our node makes of a server that shows `identity`. */
async function dial(identity: Identity): Promise<string> {
  using hub = new Hub();
  await hub.add(SERVER, { core: hostileCore, server: { identity } });
  await hub.add(CLIENT);
  return await outcome(hub.run(hub.dial(CLIENT, SERVER, { verifyServer: trustAll })));
}

/** What our node makes of a client that shows `identity`. */
async function accept(identity: Identity): Promise<string> {
  using hub = new Hub();
  await hub.add(SERVER, { server: { identity: barIdentity, verifyClient: trustAll } });
  await hub.add(CLIENT, { core: hostileCore });
  const dialled = await hub.run(hub.dial(CLIENT, SERVER, { identity, verifyServer: trustAll }));
  // In TLS 1.3 the client is done before the server has judged it.
  const judged = hub.clock.until(
    () => dialled.ended !== undefined || hub.accepted(SERVER).length > 0,
    10_000,
  );
  await judged;
  if (hub.accepted(SERVER).length > 0) return "accepted";
  return await outcome(Promise.reject(dialled.ended));
}

const ROLES = { "a service": dial, "a client": accept };

for (const [role, meet] of Object.entries(ROLES)) {
  for (const [kind, { right, wrong }] of Object.entries(IDENTITIES)) {
    Deno.test(`${role} that shows another's certificate (${kind}) is refused`, async () => {
      assert.equal(await meet(right), "accepted");
      for (const identity of wrong) assert.match(await meet(identity), /signature|decrypt/i);
    });
  }
}
