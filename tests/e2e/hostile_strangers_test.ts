/**
 * Strangers at a node's listeners that have not said who they are: whatever they do, an honest
 * neighbour gets in within seconds, the node's own dials go on, and memory and log stay small.
 */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { connect, type Socket as TcpSocket } from "node:net";
import { frameOf } from "../../lib/wire/frame.ts";
import { encodeRouteMessage } from "../../lib/wire/route_message.ts";
import { Budget } from "../support/budget.ts";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import type { Action, TestNode } from "../support/test_node.ts";

const VICTIM = "victim";
/** Linux has all of 127.0.0.0/8; strangers come from here, honest nodes from 127.0.0.1. */
const ELSEWHERE = "127.0.0.9";
/** An honest neighbour that gets in takes a fraction of this, even on a busy machine. */
const SECONDS_MS = 20_000;
const MAX_FLOOD_SOCKETS = 300;

interface StrangerOptions {
  /** What each says. */
  readonly hello?: (index: number) => Uint8Array;
  readonly from?: string;
  /** Whether they take what the node sends. */
  readonly reads?: boolean;
}

/** TCP connections from one address. */
class Strangers implements Disposable {
  readonly sockets: TcpSocket[] = [];

  /** Resolves when all are connected. */
  async connect(port: number, count: number, options: StrangerOptions = {}): Promise<void> {
    const { hello, from = ELSEWHERE, reads = true } = options;
    await Promise.all(Array.from({ length: count }, (_, index) =>
      new Promise<void>((resolve) => {
        const socket = connect({ host: "127.0.0.1", port, localAddress: from }, () => {
          if (hello !== undefined) socket.write(hello(index));
          resolve();
        });
        socket.on("error", () => resolve());
        if (reads) socket.resume();
        this.sockets.push(socket);
      })));
  }

  /** Resolves when the node has hung up on all of them. */
  async gone(): Promise<void> {
    await eventually(() => this.sockets.every((socket) => socket.closed), {
      what: "the end of the strangers' connections",
    });
  }

  [Symbol.dispose](): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/** UDP sockets that send one byte each, always from new ports, until they are stopped. */
class OneByteFlood implements AsyncDisposable {
  readonly #open = new Set<Socket>();
  readonly #timer: ReturnType<typeof setInterval>;
  sent = 0;
  received = 0;

  constructor(port: number, perSecond: number) {
    this.#timer = setInterval(() => {
      for (let count = 0; count < perSecond / 20; count++) this.#send(port);
    }, 50);
  }

  #send(port: number): void {
    // Each listens for an answer for a while.
    if (this.#open.size >= MAX_FLOOD_SOCKETS) this.#close(this.#open.values().next().value!);
    const socket = createSocket("udp4");
    this.#open.add(socket);
    socket.on("message", (bytes) => this.received += bytes.length).on("error", () => {});
    socket.bind(0, ELSEWHERE, () => {
      socket.send(Uint8Array.of(1), port, "127.0.0.1", () => {});
      this.sent++;
    });
  }

  #close(socket: Socket): Promise<void> {
    this.#open.delete(socket);
    return new Promise((resolve) => socket.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(Array.from(this.#open, (socket) => this.#close(socket)));
  }
}

/** A node with a listener of each kind, and one that it dials. */
async function victimWithDoors(mesh: Mesh) {
  const tcp = freePort();
  const udp = freePort();
  const ws = freePort();
  const dialled = freePort();
  const bindaddr = "127.0.0.1";
  const budget = await Budget.start(mesh, {
    id: VICTIM,
    actions: [
      { "tcp-listener": { bindaddr, port: tcp } },
      { "udp-listener": { bindaddr, port: udp } },
      { "ws-listener": { bindaddr, port: ws } },
      { "tcp-peer": { address: `127.0.0.1:${dialled}` } },
    ],
  });
  return { budget, victim: budget.node, tcp, udp, ws, dialled };
}

/** Starts a node that dials the victim, and measures how long it takes to get in. */
async function getsIn(mesh: Mesh, id: string, action: Action): Promise<TestNode> {
  const node = await mesh.node({ kind: "ours", id, actions: [action] });
  const start = performance.now();
  await node.waitForRoute(VICTIM);
  const tookMs = performance.now() - start;
  assert.ok(tookMs < SECONDS_MS, `${id} got in after ${tookMs} ms`);
  assert.equal((await node.json(`ping ${VICTIM}`)).Success, true);
  return node;
}

meshTest(
  "silent strangers keep neither an honest neighbour nor our own dials out",
  { kinds: ["ours"] },
  async (mesh) => {
    const { budget, victim, tcp, udp, ws, dialled } = await victimWithDoors(mesh);
    using strangers = new Strangers();
    await strangers.connect(tcp, 1_000);
    await strangers.connect(ws, 1_000);
    await using flood = new OneByteFlood(udp, 300);
    await eventually(() => flood.sent >= 600, { what: "the flood" });
    await getsIn(mesh, "over-tcp", { "tcp-peer": { address: `127.0.0.1:${tcp}` } });
    await getsIn(mesh, "over-udp", { "udp-peer": { address: `127.0.0.1:${udp}` } });
    await getsIn(mesh, "over-ws", { "ws-peer": { address: `ws://127.0.0.1:${ws}/` } });
    // From the honest ones' address: the newest still gets in.
    await strangers.connect(tcp, 500, { from: "127.0.0.1" });
    await getsIn(mesh, "same-address", { "tcp-peer": { address: `127.0.0.1:${tcp}` } });
    await mesh.node({
      kind: "ours",
      id: "dialled",
      actions: [{ "tcp-listener": { bindaddr: "127.0.0.1", port: dialled } }],
    });
    await victim.waitForRoute("dialled");
    assert.equal(flood.received, 0, "one byte is worth no answer");
    budget.assertKept(250);
  },
);

/** A client's request to upgrade to WebSocket. */
const UPGRADE = [
  "GET / HTTP/1.1",
  "Host: victim",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Version: 13",
  "",
  "",
].join("\r\n");

/** Many frames of one byte each, all of one message that never ends. */
function oneByteFragments(count: number): Uint8Array {
  const frames = new Uint8Array(7 * count);
  for (let index = 0; index < count; index++) {
    frames.set([index === 0 ? 2 : 0, 0x81, 0, 0, 0, 0, 1], 7 * index);
  }
  return frames;
}

meshTest(
  "strangers with messages in one-byte fragments cost little memory",
  { kinds: ["ours"] },
  async (mesh) => {
    const { budget, ws } = await victimWithDoors(mesh);
    const hello = new Uint8Array([
      ...new TextEncoder().encode(UPGRADE),
      ...oneByteFragments(65_000),
    ]);
    using strangers = new Strangers();
    await strangers.connect(ws, 250, { hello: () => hello });
    await strangers.gone();
    await getsIn(mesh, "honest", { "ws-peer": { address: `ws://127.0.0.1:${ws}/` } });
    budget.assertKept(250);
  },
);

meshTest(
  "strangers with endless HTTP heads cost little memory",
  { kinds: ["ours"] },
  async (mesh) => {
    const { budget, ws } = await victimWithDoors(mesh);
    const header = `X: ${"x".repeat(8_000)}\r\n`;
    const hello = new TextEncoder().encode(`GET / HTTP/1.1\r\n${header.repeat(99)}`);
    using strangers = new Strangers();
    await strangers.connect(ws, 600, { hello: () => hello });
    await strangers.gone();
    await getsIn(mesh, "honest", { "ws-peer": { address: `ws://127.0.0.1:${ws}/` } });
    budget.assertKept(250);
  },
);

/** A route message with which a node of that name introduces itself, in its frame. */
function introduction(nodeId: string): Uint8Array {
  return frameOf(encodeRouteMessage({
    nodeId,
    updateId: nodeId.slice(0, 60),
    epoch: 1n,
    sequence: 1n,
    connections: new Map([[VICTIM, 1]]),
    forwardingNode: nodeId,
    suspectedDuplicate: 0n,
  }));
}

meshTest(
  "links under invented names that read nothing cost little memory and keep nobody out",
  { kinds: ["ours"] },
  async (mesh) => {
    const { budget, victim, tcp } = await victimWithDoors(mesh);
    using strangers = new Strangers();
    const name = (index: number) => `${index}-${"x".repeat(40)}`;
    for (let round = 0; round < 5; round++) {
      const hello = (index: number) => introduction(name(1_000 * round + index));
      await strangers.connect(tcp, 300, { hello, reads: false });
      const honest = await getsIn(mesh, `honest${round}`, {
        "tcp-peer": { address: `127.0.0.1:${tcp}` },
      });
      await honest.stop();
    }
    const { Connections } = await victim.status();
    assert.ok(Connections!.length <= 512 + 5, `${Connections!.length} links`);
    budget.assertKept(350);
  },
);
