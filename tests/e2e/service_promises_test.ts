/** What docs/services.md promises, kept by two real daemons and by what they leave behind. */
import assert from "node:assert/strict";
import { pool } from "../../bench/pool.ts";
import { proportionalMegabytes } from "../../bench/process_usage.ts";
import { UdpSocket } from "../../lib/backends/udp_socket.ts";
import { type ByteConn, closeQuietly, writeAll } from "../../lib/base/byte_conn.ts";
import { eventually, within } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { randomBytes } from "../support/payload.ts";
import { freePort } from "../support/ports.ts";
import { openDescriptors } from "../support/processes.ts";
import type { Action, TestNode } from "../support/test_node.ts";

const kinds = ["ours"] as const;
const HOST = "127.0.0.1";
const REMOTE = { remotenode: "n2", remoteservice: "svc" };
const MEBIBYTE = 1024 * 1024;
/** A test with thousands of connections, on a busy machine. */
const LONG_MS = 400_000;

interface Through {
  readonly near: TestNode;
  readonly far: TestNode;
  /** Where the connections come in. */
  readonly port: number;
  /** Where they arrive. */
  readonly listener: Deno.TcpListener;
}

/** TCP from a port of n1 to a listener behind n2. */
async function tcpThrough(mesh: Mesh): Promise<Through> {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const port = freePort();
  const [near, far] = await twoNodes(mesh, { "tcp-server": { port, bindaddr: HOST, ...REMOTE } }, {
    "tcp-client": { service: "svc", address: `${HOST}:${listener.addr.port}` },
  });
  return { near, far, port, listener };
}

async function twoNodes(mesh: Mesh, near: Action, far: Action): Promise<[TestNode, TestNode]> {
  const { nodes } = await mesh.line(["ours", "ours"], (id) => ({
    actions: [id === "n1" ? near : far],
    logLevel: "info",
  }));
  return [nodes[0]!, nodes[1]!];
}

const dial = (port: number) => Deno.connect({ hostname: HOST, port });

async function readAll(conn: Pick<ByteConn, "read">): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  for (let count; (count = await conn.read(buffer)) !== null;) {
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

async function say(conn: ByteConn, text: string): Promise<void> {
  await writeAll(conn, encodeText(text));
}

meshTest("either direction may end first, the other goes on", { kinds }, async (mesh) => {
  const { port, listener } = await tcpThrough(mesh);
  using _listener = listener;
  for (const clientEndsFirst of [true, false]) {
    using client = await dial(port);
    using server = await listener.accept();
    const [first, second] = clientEndsFirst ? [client, server] : [server, client];
    await say(first, "I am done");
    await first.closeWrite();
    assert.equal(await readAll(second), "I am done");
    await say(second, "I am not");
    await second.closeWrite();
    assert.equal(await readAll(first), "I am not");
  }
});

meshTest("a connection that leads nowhere is cut off, with the reason in the log", {
  kinds,
}, async (mesh) => {
  const nobody = freePort();
  const [toNobody, toNoService] = [freePort(), freePort()];
  const { nodes: [near, far] } = await mesh.line(["ours", "ours"], (id) => ({
    actions: id === "n1"
      ? [
        { "tcp-server": { port: toNobody, bindaddr: HOST, ...REMOTE } },
        { "tcp-server": { port: toNoService, bindaddr: HOST, ...REMOTE, remoteservice: "none" } },
      ]
      : [{ "tcp-client": { service: "svc", address: `${HOST}:${nobody}` } }],
    logLevel: "info",
  }));
  for (
    const [port, node, reason] of [
      [toNobody, far!, /tcp-client svc: n1:\S+: Error connecting via TCP: .*refused/],
      [toNoService, near!, /tcp-server \d+: tcp \S+: Error connecting on Receptor .*: service unk/],
    ] as const
  ) {
    using client = await dial(port);
    await assert.rejects(readAll(client), Deno.errors.ConnectionReset);
    await node.waitForLog(reason);
  }
});

meshTest("a download whose node dies does not look whole", { kinds }, async (mesh) => {
  const { far, port, listener } = await tcpThrough(mesh);
  using _listener = listener;
  using client = await dial(port);
  using server = await listener.accept();
  await say(server, "HTTP/1.0 200 OK\r\n\r\nthe first half");
  assert.ok(await client.read(new Uint8Array(1000)));
  await far.stop();
  await assert.rejects(readAll(client), Deno.errors.ConnectionReset);
  await assert.rejects(readAll(server), Deno.errors.ConnectionReset);
});

meshTest("a reader that stops costs no memory, and gets everything later", {
  kinds,
  timeoutMs: LONG_MS,
}, async (mesh) => {
  const { near, far, port, listener } = await tcpThrough(mesh);
  using _listener = listener;
  using client = await dial(port);
  using server = await listener.accept();
  const chunk = randomBytes(MEBIBYTE);
  const total = 256;
  let sent = 0;
  const writing = (async () => {
    for (; sent < total * MEBIBYTE; sent += chunk.length) await writeAll(client, chunk);
    await client.closeWrite();
  })();
  await untilItStops(() => sent);
  const before = [near, far].map(({ pid }) => proportionalMegabytes(pid));
  await pause(10_000);
  const after = [near, far].map(({ pid }) => proportionalMegabytes(pid));
  // The buffers of the sockets and of one mesh stream.
  assert.ok(sent < 64 * MEBIBYTE, `${sent} bytes in flight`);
  for (const [index, megabytes] of after.entries()) {
    assert.ok(megabytes < before[index]! + 32, `from ${before} to ${after} MB`);
  }
  let got = 0;
  const buffer = new Uint8Array(MEBIBYTE);
  for (let count; (count = await server.read(buffer)) !== null;) got += count;
  assert.equal(got, total * MEBIBYTE);
  await writing;
});

/** Resolves when a number has stayed the same for a while. */
async function untilItStops(value: () => number): Promise<void> {
  for (let before = -1; before !== value();) {
    before = value();
    await pause(3000);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

meshTest("a thousand connections are open at once", { kinds, timeoutMs: LONG_MS }, async (mesh) => {
  const { port, listener } = await tcpThrough(mesh);
  const count = 1000;
  const servers: Deno.TcpConn[] = [];
  const accepting = (async () => {
    for await (const conn of listener) servers.push(conn);
  })();
  const clients = await pool(count, 50, async (index) => {
    const client = await dial(port);
    await say(client, `${index}\n`);
    return client;
  });
  await eventually(() => servers.length === count, { what: "all connections" });
  listener.close();
  await accepting.catch(() => {});
  // All are there; only now does anybody answer.
  await Promise.all([
    ...servers.map(async (server) => {
      const buffer = new Uint8Array(16);
      let question = "";
      while (!question.endsWith("\n")) {
        const got = await server.read(buffer);
        question += new TextDecoder().decode(buffer.subarray(0, got!));
      }
      await say(server, question);
      server.close();
    }),
    ...clients.map(async (client, index) => {
      assert.equal(await readAll(client), `${index}\n`);
      client.close();
    }),
  ]);
});

meshTest("10,000 connections one after another leave nothing behind", {
  kinds,
  timeoutMs: LONG_MS,
}, async (mesh) => {
  const { near, far, port, listener } = await tcpThrough(mesh);
  const echoing = (async () => {
    for await (const conn of listener) void echoOne(conn).catch(() => {});
  })();
  const ask = async (index: number) => {
    using client = await dial(port);
    await say(client, `${index}`);
    await client.closeWrite();
    assert.equal(await readAll(client), `${index}`);
  };
  const descriptors = () => [near, far].map(({ pid }) => openDescriptors(pid));
  const memory = () => [near, far].map(({ pid }) => proportionalMegabytes(pid));
  // Until everything is loaded and warm.
  await pool(2000, 8, ask);
  const before = { memory: memory(), descriptors: descriptors() };
  await pool(8000, 8, ask);
  await eventually(
    () => descriptors().every((count, index) => count <= before.descriptors[index]!),
    { what: () => `${before.descriptors} open files again, there are ${descriptors()}` },
  );
  // V8 keeps tens of megabytes of a heap that was in use; what belongs to a connection is more than
  // a hundred kilobytes.
  for (const [index, megabytes] of memory().entries()) {
    assert.ok(megabytes < before.memory[index]! + 100, `from ${before.memory} to ${memory()} MB`);
  }
  listener.close();
  await echoing.catch(() => {});
});

async function echoOne(conn: Deno.TcpConn): Promise<void> {
  try {
    await say(conn, await readAll(conn));
  } finally {
    closeQuietly(conn);
  }
}

meshTest("a datagram that is too long for the mesh is dropped, with a line in the log", {
  kinds,
}, async (mesh) => {
  await using echo = await UdpSocket.bind({ host: HOST, port: 0 });
  echo.start({
    onDatagram: (bytes, from) => void echo.send(encodeText(String(bytes.length)), from),
    onError() {},
  });
  const port = freePort();
  const [near] = await twoNodes(mesh, { "udp-server": { port, bindaddr: HOST, ...REMOTE } }, {
    "udp-client": { service: "svc", address: `${HOST}:${echo.address.port}` },
  });
  await using client = await UdpSocket.bind({ host: HOST, port: 0 });
  const answers = new Set<string>();
  client.start({
    onDatagram: (bytes) => void answers.add(new TextDecoder().decode(bytes)),
    onError() {},
  });
  const sendUntil = (length: number, done: () => boolean) =>
    eventually(async () => {
      await client.send(new Uint8Array(length), { host: HOST, port });
      return done();
    }, { intervalMs: 50, what: `the end of datagrams of ${length} bytes` });
  const line = /udp-server \d+: datagram dropped: to n2:svc: .*at most 65499 fit/;
  await sendUntil(65_500, () => line.test(near.log));
  await sendUntil(65_499, () => answers.has("65499"));
  assert.deepEqual([...answers], ["65499"]);
});

function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

meshTest("a stale Unix socket is replaced, a live one or another file is not", {
  kinds,
}, async (mesh) => {
  const folder = await mesh.folder();
  const [filename, there] = [folder.join("here"), folder.join("there")];
  using listener = Deno.listen({ transport: "unix", path: there });
  const server: Action = { "unix-socket-server": { filename, permissions: "0620", ...REMOTE } };
  const [near] = await twoNodes(mesh, server, {
    "unix-socket-client": { service: "svc", filename: there },
  });
  const mode = () => Deno.lstatSync(filename).mode! & 0o777;
  assert.equal(mode(), 0o620);

  await assert.rejects(
    mesh.node({ kind: "ours", id: "rival", actions: [server] }),
    /unix-socket-server: another node holds the socket .*\/here/,
  );

  await near.kill();
  assert.ok(Deno.lstatSync(filename).isSocket, "the killed node has left its socket");
  await assert.rejects(Deno.connect({ transport: "unix", path: filename }));
  await near.restart();
  await near.waitForRoute("n2");
  assert.equal(mode(), 0o620);
  {
    using client = await Deno.connect({ transport: "unix", path: filename });
    using conn = await within(60_000, "the connection", listener.accept());
    await say(client, "hello");
    await client.closeWrite();
    assert.equal(await readAll(conn), "hello");
  }

  await near.stop();
  assert.throws(() => Deno.lstatSync(filename), Deno.errors.NotFound);
  await Deno.writeTextFile(filename, "somebody's work");
  await assert.rejects(near.restart(), /a file that is not a socket is there/);
  assert.equal(await Deno.readTextFile(filename), "somebody's work");
});
