/** TCP connections that can be broken off. */
import assert from "node:assert/strict";
import { acceptTls, connectTls } from "../../lib/backends/tls.ts";
import { TcpByteConn } from "../../lib/backends/tcp_byte_conn.ts";
import { closeQuietly } from "../../lib/base/byte_conn.ts";
import { clientTls, serverTls } from "./test_tls.ts";

/** A connection, with its peer first. */
async function pair(
  how: "accepted" | "dialled" = "accepted",
): Promise<[Deno.TcpConn, TcpByteConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const [dialled, accepted] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port, autoSelectFamily: true }),
    listener.accept(),
  ]);
  return how === "accepted"
    ? [dialled, new TcpByteConn(accepted)]
    : [accepted, new TcpByteConn(dialled)];
}

const linux = Deno.build.os === "linux";

for (
  const [how, peerEnds] of [["accepted", false], ["dialled", false], ["accepted", true]] as const
) {
  Deno.test({
    name: `abort() resets a connection that was ${how}` +
      (peerEnds ? " and whose peer has ended its direction" : ""),
    ignore: !linux,
    async fn() {
      const [peer, conn] = await pair(how);
      using _peer = peer;
      if (peerEnds) await peer.closeWrite();
      await conn.write(new TextEncoder().encode("all I got"));
      const reading = conn.read(new Uint8Array(1)).catch(() => null);
      conn.abort();
      assert.equal(await reading, null);
      const buffer = new Uint8Array(20);
      // What has arrived can still be read.
      assert.equal(await peer.read(buffer), "all I got".length);
      await assert.rejects(peer.read(buffer), Deno.errors.ConnectionReset);
    },
  });
}

Deno.test("close() ends a connection in order, and abort() does nothing after it", async () => {
  const [peer, conn] = await pair();
  using _peer = peer;
  conn.close();
  assert.equal(await peer.read(new Uint8Array(1)), null);
  // These get the file descriptors that are free.
  const [otherPeer, other] = await pair();
  conn.abort();
  await otherPeer.write(Uint8Array.of(7));
  const got = new Uint8Array(1);
  assert.equal(await other.read(got), 1);
  assert.equal(got[0], 7);
  otherPeer.close();
  other.close();
});

Deno.test({
  name: "abort() of a TLS connection reaches its peer as an error",
  ignore: !linux,
  async fn() {
    const [peer, conn] = await pair();
    const options = { host: "127.0.0.1", from: "the test" };
    const server = serverTls({}, { wantsClientCertificate: false });
    const [{ conn: client }, { conn: secured }] = await Promise.all([
      connectTls(peer, clientTls(), options),
      acceptTls(conn, server, options),
    ]);
    secured.abort!();
    await assert.rejects(client.read(new Uint8Array(1)), /reset/i);
    client.close();
    closeQuietly(peer);
  },
});
