/** Services that join sockets through the mesh, in one process. */
import assert from "node:assert/strict";
import { type ByteConn, writeAll } from "../../lib/base/byte_conn.ts";
import { acceptTls, connectTls } from "../../lib/backends/tls.ts";
import { meshExit, tcpExit, unixExit } from "../../lib/services/exits.ts";
import { MeshEntrance } from "../../lib/services/mesh_entrance.ts";
import type { Entrance, Exit } from "../../lib/services/service.ts";
import { TcpEntrance } from "../../lib/services/tcp_entrance.ts";
import { UnixEntrance } from "../../lib/services/unix_entrance.ts";
import { clientTls, serverTls } from "../backends/test_tls.ts";
import { eventually } from "../support/eventually.ts";
import { randomBytes, sha256 } from "../support/payload.ts";
import { freePort } from "../support/ports.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { TwoNodes } from "./_two_nodes.ts";

const MEBIBYTE = 1024 * 1024;
const ANY_PORT = { bindAddress: "127.0.0.1", port: 0 };
const TO_FAR = { node: "far", service: "svc" };

async function readAll(conn: Pick<ByteConn, "read">): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return new Uint8Array(await new Blob(parts).arrayBuffer());
    parts.push(buffer.slice(0, count));
  }
}

function listenTcp() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return { listener, address: `127.0.0.1:${listener.addr.port}` };
}

/** Whoever is cut off gets an error, and never takes what it has for everything. */
async function assertCutOff(conn: Pick<ByteConn, "read">): Promise<void> {
  await assert.rejects(readAll(conn), Deno.errors.ConnectionReset);
}

function dialTcp(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

/** A client that comes in on the way to `to` is cut off, and the log says why. */
async function assertNoWayOn(nodes: TwoNodes, to: typeof TO_FAR, reason: RegExp): Promise<void> {
  const entrance = new TcpEntrance(nodes.deps, ANY_PORT);
  nodes.join(entrance, meshExit(nodes.near, to));
  using client = await dialTcp(entrance.port);
  await assertCutOff(client);
  await nodes.waitForLog(reason);
}

/** The far side of the mesh: the service `svc`, which leads to `exit`. */
async function farService(nodes: TwoNodes, exit: Exit): Promise<() => Promise<void>> {
  return nodes.join(await MeshEntrance.open(nodes.far, TO_FAR.service, {}), exit);
}

/** A TCP port on the near side that leads to a TCP listener behind the far side. */
async function tcpThrough(nodes: TwoNodes, address: string): Promise<number> {
  await farService(nodes, tcpExit(address, undefined));
  const entrance = new TcpEntrance(nodes.deps, ANY_PORT);
  nodes.join(entrance, meshExit(nodes.near, TO_FAR));
  return entrance.port;
}

/** One kind of stream service: both ends of a connection through it. */
interface Kind {
  readonly name: string;
  readonly connect: (nodes: TwoNodes, folder: TempFolder) => Promise<[ByteConn, ByteConn]>;
}

async function ends(
  nodes: TwoNodes,
  { entrance, exit, dial, accept }: {
    entrance: Entrance;
    exit: Exit;
    dial: () => Promise<ByteConn>;
    accept: () => Promise<ByteConn>;
  },
): Promise<[ByteConn, ByteConn]> {
  await farService(nodes, exit);
  nodes.join(entrance, meshExit(nodes.near, TO_FAR));
  return await Promise.all([dial(), accept()]);
}

const KINDS: readonly Kind[] = [
  {
    name: "TCP",
    async connect(nodes) {
      const { listener, address } = listenTcp();
      using _listener = listener;
      const entrance = new TcpEntrance(nodes.deps, ANY_PORT);
      const exit = tcpExit(address, undefined);
      const dial = () => dialTcp(entrance.port);
      return await ends(nodes, { entrance, exit, dial, accept: () => listener.accept() });
    },
  },
  {
    name: "TCP with TLS on both ends",
    async connect(nodes) {
      const { listener, address } = listenTcp();
      using _listener = listener;
      const server = serverTls({}, { wantsClientCertificate: false });
      const entrance = new TcpEntrance(nodes.deps, { ...ANY_PORT, tls: server });
      const exit = tcpExit(address, clientTls());
      const options = { host: "127.0.0.1", from: "the test" };
      const dial = async () =>
        (await connectTls(await dialTcp(entrance.port), clientTls(), options)).conn;
      const accept = async () => (await acceptTls(await listener.accept(), server, options)).conn;
      return await ends(nodes, { entrance, exit, dial, accept });
    },
  },
  {
    name: "Unix sockets",
    async connect(nodes, folder) {
      const [here, there] = [folder.join("here"), folder.join("there")];
      using listener = Deno.listen({ transport: "unix", path: there });
      const entrance = await UnixEntrance.open(here, { mode: 0o600 });
      const exit = unixExit(there);
      const dial = () => Deno.connect({ transport: "unix", path: here });
      return await ends(nodes, { entrance, exit, dial, accept: () => listener.accept() });
    },
  },
];

for (const { name, connect } of KINDS) {
  Deno.test(`${name}: bytes go both ways, and each direction ends by itself`, async () => {
    await using folder = await TempFolder.create();
    await using nodes = await TwoNodes.create();
    const [client, server] = await connect(nodes, folder);
    const [up, down] = [randomBytes(2 * MEBIBYTE), randomBytes(3 * MEBIBYTE)];
    // The client ends its direction before the server has said anything.
    const sending = writeAll(client, up).then(() => client.closeWrite());
    assert.equal(sha256(await readAll(server)), sha256(up));
    await sending;
    const answering = writeAll(server, down).then(() => server.closeWrite());
    assert.equal(sha256(await readAll(client)), sha256(down));
    await answering;
    client.close();
    server.close();
  });
}

for (
  const [what, exit, reason] of [
    [
      "TCP",
      () => tcpExit(`127.0.0.1:${freePort()}`, undefined),
      /Error connecting via TCP: .*refused/,
    ],
    ["Unix socket", () => unixExit("/nowhere/x"), /Error connecting via Unix socket: No such file/],
  ] as const
) {
  Deno.test(`a client is cut off when the ${what} behind the service does not answer`, async () => {
    await using nodes = await TwoNodes.create();
    await farService(nodes, exit());
    await assertNoWayOn(nodes, TO_FAR, reason);
  });
}

Deno.test("a client is cut off when there is no such service or node", async () => {
  await using nodes = await TwoNodes.create();
  for (
    const [to, reason] of [
      [TO_FAR, /Error connecting on Receptor network: service unknown/],
      [{ node: "nobody", service: "svc" }, /Receptor network: no route to node/],
    ] as const
  ) {
    await assertNoWayOn(nodes, to, reason);
  }
});

Deno.test("a reader that stops makes the writer wait, and little is held meanwhile", async () => {
  await using nodes = await TwoNodes.create();
  const { listener, address } = listenTcp();
  using _listener = listener;
  const port = await tcpThrough(nodes, address);
  using client = await dialTcp(port);
  using server = await listener.accept();
  const chunk = randomBytes(MEBIBYTE);
  let sent = 0;
  const writing = (async () => {
    for (let count = 0; count < 128; count++) {
      await writeAll(client, chunk);
      sent += chunk.length;
    }
    await client.closeWrite();
  })();
  // Until nothing has moved for a while: the sockets' own buffers are part of what is in flight.
  for (let before = -1; before !== sent;) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  assert.ok(sent < 64 * MEBIBYTE, `${sent} bytes in flight`);
  assert.equal((await readAll(server)).length, 128 * MEBIBYTE);
  await writing;
});

Deno.test("a thousand connections at once each get their own answer", async () => {
  await using nodes = await TwoNodes.create();
  const { listener, address } = listenTcp();
  const port = await tcpThrough(nodes, address);
  // Answers only when all are there.
  const accepted: Deno.TcpConn[] = [];
  const accepting = (async () => {
    for await (const conn of listener) accepted.push(conn);
  })();
  const clients = await Promise.all(Array.from({ length: 1000 }, () => dialTcp(port)));
  const asked = clients.map((client, index) => writeAll(client, Uint8Array.of(index >> 8, index)));
  await Promise.all(asked);
  await eventually(() => accepted.length === 1000, { what: "all connections" });
  listener.close();
  await accepting.catch(() => {});
  await Promise.all(
    accepted.map(async (conn) => {
      const question = new Uint8Array(2);
      for (let at = 0; at < 2;) at += (await conn.read(question.subarray(at)))!;
      await writeAll(conn, question);
      await conn.closeWrite();
      assert.equal(await conn.read(new Uint8Array(1)), null);
      conn.close();
    }).concat(clients.map(async (client, index) => {
      assert.deepEqual([...await readAll(client)], [index >> 8, index & 0xff]);
      client.close();
    })),
  );
});

Deno.test("many connections one after another leave nothing behind", async () => {
  await using nodes = await TwoNodes.create();
  const { listener, address } = listenTcp();
  const port = await tcpThrough(nodes, address);
  const echoing = (async () => {
    for await (const conn of listener) {
      await writeAll(conn, await readAll(conn));
      conn.close();
    }
  })();
  const ask = async (count: number) => {
    for (let round = 0; round < count; round++) {
      using client = await dialTcp(port);
      await writeAll(client, Uint8Array.of(round));
      await client.closeWrite();
      assert.deepEqual([...await readAll(client)], [round & 0xff]);
    }
  };
  await ask(1);
  const before = openFiles();
  await ask(300);
  await eventually(() => openFiles() <= before, { what: "the end of all connections" });
  listener.close();
  await echoing.catch(() => {});
  assert.deepEqual(nodes.log.lines.filter((line) => /^(ERROR|WARNING)/.test(line)), []);
});

function openFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("what the mesh cuts off arrives as an error at both ends", async () => {
  await using nodes = await TwoNodes.create();
  const { listener, address } = listenTcp();
  using _listener = listener;
  const port = await tcpThrough(nodes, address);
  using client = await dialTcp(port);
  using server = await listener.accept();
  await writeAll(server, Uint8Array.of(4, 5));
  assert.equal(await client.read(new Uint8Array(2)), 2);
  await nodes.far[Symbol.asyncDispose]();
  for (const conn of [client, server]) await assertCutOff(conn);
});

Deno.test("a service that stops ends its connections, and the port is free", async () => {
  await using nodes = await TwoNodes.create();
  const { listener, address } = listenTcp();
  using _listener = listener;
  await farService(nodes, tcpExit(address, undefined));
  const entrance = new TcpEntrance(nodes.deps, ANY_PORT);
  const stop = nodes.join(entrance, meshExit(nodes.near, TO_FAR));
  using client = await dialTcp(entrance.port);
  using server = await listener.accept();
  await stop();
  for (const conn of [client, server]) await assertCutOff(conn);
  using _port = Deno.listen({ hostname: "127.0.0.1", port: entrance.port });
});

Deno.test("a service that is full cuts the oldest of whoever has most, and takes no more from it", async () => {
  await using nodes = await TwoNodes.create();
  const { listener, address } = listenTcp();
  using _listener = listener;
  await farService(nodes, tcpExit(address, undefined));
  const entrance = new TcpEntrance(nodes.deps, { bindAddress: "::", port: 0 });
  nodes.join(entrance, meshExit(nodes.near, TO_FAR), 3);
  const { port } = entrance;
  const first = await dialTcp(port);
  const others: Deno.TcpConn[] = [await listener.accept()];
  for (let count = 1; count < 3; count++) {
    others.push(await dialTcp(port), await listener.accept());
  }
  using tooMany = await dialTcp(port);
  await assertCutOff(tooMany);
  await nodes.waitForLog(/there are more than 3 connections/);
  // Another address, which has none so far.
  others.push(await Deno.connect({ hostname: "::1", port }), await listener.accept());
  await assertCutOff(first);
  for (const conn of [first, ...others]) conn.close();
});
