/** What a reload does to UDP and Unix services, and what it leaves alone. */
import assert from "node:assert/strict";
import { UdpSocket } from "../../lib/backends/udp_socket.ts";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { eventually } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import type { Action, TestNode } from "../support/test_node.ts";

const kinds = ["ours"] as const;
const HOST = "127.0.0.1";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Says its name to whoever asks, and keeps the ports of those. */
async function udpGreeter(name: string) {
  const socket = await UdpSocket.bind({ host: HOST, port: 0 });
  const askers = new Set<number>();
  socket.start({
    onDatagram(_bytes, from) {
      askers.add(from.port);
      void socket.send(encode(name), from);
    },
    onError() {},
  });
  return {
    port: socket.address.port,
    askers,
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  };
}

/** Somebody who asks, always from the same port. */
async function udpAsker() {
  const socket = await UdpSocket.bind({ host: HOST, port: 0 });
  const answers: string[] = [];
  socket.start({ onDatagram: (bytes) => void answers.push(decode(bytes)), onError() {} });
  return {
    /** Resolves once the answer is `expected`; datagrams may be lost. */
    async expect(port: number, expected: string): Promise<void> {
      answers.length = 0;
      await eventually(async () => {
        await socket.send(encode("?"), { host: HOST, port });
        return answers.at(-1) === expected;
      }, { intervalMs: 50, what: () => `the answer ${expected}, not ${answers.at(-1)}` });
    },
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  };
}

/** Says its name on each connection, and then what it hears. */
function unixGreeter(path: string, name: string): AsyncDisposable {
  const listener = Deno.listen({ transport: "unix", path });
  const serve = async (conn: Deno.UnixConn) => {
    using _conn = conn;
    await writeAll(conn, encode(name));
    const buffer = new Uint8Array(100);
    for (let count; (count = await conn.read(buffer)) !== null;) {
      await writeAll(conn, buffer.subarray(0, count));
    }
  };
  const serving = (async () => {
    for await (const conn of listener) void serve(conn).catch(() => {});
  })();
  return {
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving.catch(() => {});
    },
  };
}

async function read(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(100);
  return decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
}

async function greetingAt(path: string): Promise<string> {
  using conn = await Deno.connect({ transport: "unix", path });
  return await read(conn);
}

async function reload(node: TestNode, actions: readonly Action[]) {
  await node.configure(actions);
  return await node.json("reload");
}

meshTest("a reload changes UDP services without touching the others", { kinds }, async (mesh) => {
  await using one = await udpGreeter("one");
  await using two = await udpGreeter("two");
  await using asker = await udpAsker();
  const server = (port: number, remoteservice: string): Action => ({
    "udp-server": { port, bindaddr: HOST, remotenode: "node", remoteservice },
  });
  const client = (service: string, behind: { port: number }): Action => ({
    "udp-client": { service, address: `${HOST}:${behind.port}` },
  });
  const [kept, changed, added] = [freePort(), freePort(), freePort()];
  const unchanged = [server(kept, "kept"), client("kept", one)];
  const before = [...unchanged, server(changed, "moves"), client("moves", one)];
  const node = await mesh.node({ kind: "ours", id: "node", actions: before });
  await asker.expect(kept, "one");
  const askers = new Set(one.askers);
  await asker.expect(changed, "one");

  const after = [...unchanged, server(changed, "moves"), client("moves", two)];
  assert.deepEqual(await reload(node, [...after, server(added, "kept")]), { Success: true });
  await asker.expect(changed, "two");
  await asker.expect(added, "one");

  assert.deepEqual(await reload(node, after), { Success: true });
  {
    // The port is free again.
    await using _socket = await UdpSocket.bind({ host: HOST, port: added });
  }

  // Refused as a whole: somebody has the port.
  const refused = await reload(node, [
    ...unchanged,
    client("moves", one),
    server(two.port, "kept"),
  ]);
  assert.equal(refused.Success, false);
  assert.match(String(refused.Error), /udp-server: cannot listen on UDP 127\.0\.0\.1:\d+/);
  await asker.expect(changed, "two");

  // The same socket as before leads from the asker to the unchanged service.
  one.askers.clear();
  await asker.expect(kept, "one");
  assert.ok(one.askers.isSubsetOf(askers), "the unchanged service has a new socket");
});

meshTest("a reload changes Unix services without touching the others", { kinds }, async (mesh) => {
  const folder = await mesh.folder();
  const [first, second] = [folder.join("one"), folder.join("two")];
  await using _one = unixGreeter(first, "one");
  await using _two = unixGreeter(second, "two");
  const server = (name: string, remoteservice: string, permissions = "0600"): Action => ({
    "unix-socket-server": {
      filename: folder.join(name),
      permissions,
      remotenode: "node",
      remoteservice,
    },
  });
  const client = (service: string, filename: string): Action => ({
    "unix-socket-client": { service, filename },
  });
  const unchanged = [server("kept", "kept"), client("kept", first)];
  const before = [...unchanged, server("changed", "moves"), client("moves", first)];
  const node = await mesh.node({ kind: "ours", id: "node", actions: before });
  using conn = await Deno.connect({ transport: "unix", path: folder.join("kept") });
  assert.equal(await read(conn), "one");
  assert.equal(await greetingAt(folder.join("changed")), "one");

  const after = [...unchanged, server("changed", "moves", "0660"), client("moves", second)];
  assert.deepEqual(await reload(node, [...after, server("added", "kept")]), { Success: true });
  assert.equal(await greetingAt(folder.join("changed")), "two");
  assert.equal(Deno.lstatSync(folder.join("changed")).mode! & 0o777, 0o660);
  assert.equal(await greetingAt(folder.join("added")), "one");

  assert.deepEqual(await reload(node, after), { Success: true });
  assert.throws(() => Deno.lstatSync(folder.join("added")), Deno.errors.NotFound);

  // Refused as a whole: somebody listens there, or there can be no such file.
  for (
    const [bad, reason] of [
      [server("one", "kept"), /unix-socket-server: another node holds the socket/],
      [server("no/such/folder", "kept"), /unix-socket-server: cannot create socket/],
    ] as const
  ) {
    const refused = await reload(node, [...unchanged, client("moves", first), bad]);
    assert.equal(refused.Success, false);
    assert.match(String(refused.Error), reason);
    assert.equal(await greetingAt(folder.join("changed")), "two");
  }

  await writeAll(conn, encode("still there"));
  assert.equal(await read(conn), "still there");
});
