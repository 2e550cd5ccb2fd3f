/**
 * Two nodes in one process, a service on one of them, and a stream from the other to it:
 *
 *     deno run -A examples/two_nodes.ts
 */
// deno-lint-ignore-file no-console -- it is a program
import {
  type MeshConn,
  Netceptor,
  silentLog as log,
  systemClock as clock,
  systemRandom as random,
  TcpListener,
  TcpPeer,
  writeAll,
} from "../mod.ts";

const deps = { log, clock, random };
const policy = { cost: 1, nodeCost: {} };

// Nodes of a real mesh are on different machines; nothing else would change.
await using one = new Netceptor(deps, { nodeId: "one" });
const listener = TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0 });
one.addBackend(listener, policy);

await using two = new Netceptor(deps, { nodeId: "two" });
const address = `127.0.0.1:${listener.address.port}`;
two.addBackend(new TcpPeer(deps, { address, redial: true }), policy);

// A service on one node, by a name that any other can dial.
await using service = await one.listen("echo");
const serving = (async () => {
  for await (const conn of service) await echo(conn);
})();

async function echo(conn: MeshConn): Promise<void> {
  const buffer = new Uint8Array(1024);
  for (let count; (count = await conn.read(buffer)) !== null;) {
    await writeAll(conn, buffer.subarray(0, count));
  }
  conn.close();
}

// A stream from the other, in both directions and with back-pressure, as over TCP.
const conn = await two.dial("one", "echo");
await writeAll(conn, new TextEncoder().encode("Hello, world!"));
await conn.closeWrite();
const decoder = new TextDecoder();
let answer = "";
const buffer = new Uint8Array(1024);
for (let count; (count = await conn.read(buffer)) !== null;) {
  answer += decoder.decode(buffer.subarray(0, count), { stream: true });
}
conn.close();
console.log(`${conn.remoteNode} answered: ${answer}`);

await service[Symbol.asyncDispose]();
await serving;
