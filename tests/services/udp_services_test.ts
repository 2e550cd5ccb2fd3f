/** UDP through the mesh, in one process. */
import assert from "node:assert/strict";
import { UdpSocket } from "../../lib/backends/udp_socket.ts";
import type { Clock } from "../../lib/base/clock.ts";
import { IDLE_MS, PeerTable } from "../../lib/services/peer_table.ts";
import { UdpClient } from "../../lib/services/udp_client.ts";
import { UdpServer } from "../../lib/services/udp_server.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { eventually } from "../support/eventually.ts";
import { TwoNodes } from "./_two_nodes.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** A socket that collects what it gets as text, and answers if told to. */
async function endpoint(answer?: (text: string) => string) {
  const socket = await UdpSocket.bind(LOOPBACK);
  const got: string[] = [];
  const senders = new Set<number>();
  socket.start({
    onDatagram(bytes, from) {
      const text = new TextDecoder().decode(bytes);
      got.push(text);
      senders.add(from.port);
      if (answer) void socket.send(new TextEncoder().encode(answer(text)), from);
    },
    onError: (error) => void got.push(String(error)),
  });
  return {
    got,
    senders,
    socket,
    send: (text: string, port: number) =>
      socket.send(new TextEncoder().encode(text), { host: LOOPBACK.host, port }),
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  };
}

async function udpThrough(
  nodes: TwoNodes,
  behind: number,
  clock: Clock = nodes.deps.clock,
): Promise<number> {
  const deps = { ...nodes.deps, clock };
  const address = `127.0.0.1:${behind}`;
  nodes.run(new UdpClient({ ...deps, mesh: nodes.far }, { service: "svc", address }));
  const server = await UdpServer.bind({ ...deps, mesh: nodes.near }, {
    bindAddress: "127.0.0.1",
    port: 0,
    node: "far",
    service: "svc",
  });
  nodes.run(server);
  return server.port;
}

Deno.test("answers to datagrams find their way back to whoever asked", async () => {
  await using nodes = await TwoNodes.create();
  await using echo = await endpoint((text) => `re: ${text}`);
  await using one = await endpoint();
  await using two = await endpoint();
  const port = await udpThrough(nodes, echo.socket.address.port);
  for (let round = 0; round < 20; round++) {
    await one.send(`one ${round}`, port);
    await two.send(`two ${round}`, port);
    await eventually(() => one.got.length > round && two.got.length > round, {
      what: `the answers of round ${round}`,
    });
  }
  const rounds = Array.from({ length: 20 }, (_, round) => round);
  assert.deepEqual(one.got, rounds.map((round) => `re: one ${round}`));
  assert.deepEqual(two.got, rounds.map((round) => `re: two ${round}`));
  // One socket for each of them.
  assert.equal(echo.senders.size, 2);
});

Deno.test("a datagram that the mesh cannot carry is dropped with one line", async () => {
  await using nodes = await TwoNodes.create();
  await using echo = await endpoint((text) => `${text.length}`);
  await using one = await endpoint();
  const port = await udpThrough(nodes, echo.socket.address.port);
  // A full socket loses datagrams.
  const sendUntil = (length: number, done: () => boolean) =>
    eventually(async () => {
      await one.send("x".repeat(length), port);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return done();
    }, { what: `the end of datagrams of ${length} bytes` });
  await sendUntil(65_500, () => nodes.log.lines.some((line) => line.includes("dropped")));
  await sendUntil(65_500, () => true);
  await sendUntil(65_499, () => one.got.length > 0);
  assert.ok(one.got.every((text) => text === "65499"), one.got.join());
  const lines = nodes.log.lines.filter((line) => line.includes("datagram dropped"));
  assert.equal(lines.length, 1, lines.join("\n"));
  assert.match(lines[0]!, /udp-server \d+: datagram dropped: to far:svc: .*at most 65499 fit/);
});

Deno.test("both ends forget whoever has been idle, and take them up again", async () => {
  await using nodes = await TwoNodes.create();
  await using echo = await endpoint((text) => `re: ${text}`);
  await using one = await endpoint();
  const clock = new VirtualClock();
  const port = await udpThrough(nodes, echo.socket.address.port, clock);
  const ask = async (text: string) => {
    await eventually(async () => {
      await one.send(text, port);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return one.got.includes(`re: ${text}`);
    }, { what: `the answer to ${text}` });
  };
  await ask("first");
  const files = openFiles();
  await clock.advance(IDLE_MS / 2);
  await ask("second");
  assert.equal(echo.senders.size, 1);
  await clock.advance(IDLE_MS + 1);
  await ask("third");
  // Another socket leads from the far node to the echo, in place of the one before.
  assert.equal(echo.senders.size, 2);
  await eventually(() => openFiles() === files, { what: "the end of the other socket" });
});

function openFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("idle peers are forgotten, and those in use are kept", async () => {
  const clock = new VirtualClock();
  const gone: string[] = [];
  using peers = new PeerTable(clock);
  const peer = (name: string) => ({ [Symbol.dispose]: () => void gone.push(name) });
  peers.add("a", "host", peer("a"));
  await clock.advance(IDLE_MS / 2);
  peers.add("b", "host", peer("b"));
  assert.ok(peers.use("a"));
  await clock.advance(IDLE_MS * 0.9);
  assert.deepEqual(gone, []);
  assert.ok(peers.use("a"));
  await clock.advance(IDLE_MS * 0.2);
  assert.deepEqual(gone, ["b"]);
  await clock.advance(IDLE_MS);
  assert.deepEqual(gone, ["b", "a"]);
  assert.equal(peers.use("a"), undefined);
});

Deno.test("a full table of peers forgets the most idle one of whoever has most", () => {
  const gone: string[] = [];
  using peers = new PeerTable(new VirtualClock(), 3);
  const peer = (name: string) => ({ [Symbol.dispose]: () => void gone.push(name) });
  for (const name of ["a1", "a2"]) peers.add(name, "a", peer(name));
  peers.add("b1", "b", peer("b1"));
  peers.use("a1");
  peers.add("c1", "c", peer("c1"));
  assert.deepEqual(gone, ["a2"]);
});
