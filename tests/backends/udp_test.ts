import { deepEqual, equal, match, rejects, throws } from "node:assert/strict";
import { createSocket } from "node:dgram";
import type { Session } from "../../lib/backends/backend.ts";
import { formatHostPort } from "../../lib/backends/host_port.ts";
import { UdpListener, UdpPeer } from "../../lib/backends/udp.ts";
import { MAX_QUEUED_BYTES, UdpSession } from "../../lib/backends/udp_session.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { collect, framesOf, type SessionPair, testSessionContract } from "./session_contract.ts";
import { HeldSession, joinBackends } from "./session_pair.ts";

const deps = { clock: systemClock, log: silentLog };
const hello = Uint8Array.of(1, 0x7b, 0x7d);

/** A session at the listener begins with a datagram, which is received here. */
async function connectUdp(bindAddress = "127.0.0.1"): Promise<SessionPair> {
  const listener = await UdpListener.bind(deps, { bindAddress, port: 0 });
  const peer = new UdpPeer(deps, { address: formatHostPort(listener.address), redial: true });
  const pair = await joinBackends(listener, peer, (near) => near.send(framesOf([hello])));
  deepEqual(await collect(pair.far, 1), [hello]);
  pair.far.confirmAddress!();
  return pair;
}

testSessionContract("udp", () => connectUdp(), { datagrams: true, maxMessageBytes: 65_507 });

/** A plain socket, independent of the code under test. */
class RawSocket implements AsyncDisposable {
  readonly #socket = createSocket("udp4");
  readonly #received: Uint8Array[] = [];
  #wake = () => {};
  /** Port of the last sender. */
  lastSender = 0;

  static async bind(host = "127.0.0.1"): Promise<RawSocket> {
    const raw = new RawSocket();
    raw.#socket.on("message", (bytes, { port }) => {
      raw.lastSender = port;
      raw.#received.push(new Uint8Array(bytes));
      raw.#wake();
    });
    await new Promise<void>((resolve) => raw.#socket.bind(0, host, resolve));
    return raw;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(bytes: Uint8Array, port: number): Promise<void> {
    return new Promise((resolve) => this.#socket.send(bytes, port, "127.0.0.1", () => resolve()));
  }

  async receive(): Promise<Uint8Array> {
    while (this.#received.length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#received.shift()!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}

Deno.test("UDP sessions work over IPv6", async () => {
  await using pair = await connectUdp("[::1]");
  await pair.far.send(framesOf([Uint8Array.of(9)]));
  deepEqual(await collect(pair.near, 1), [Uint8Array.of(9)]);
  match(pair.near.description, /^udp \[::1\]:\d+$/);
});

Deno.test("UdpPeer finds its listener by name", async () => {
  const listener = await UdpListener.bind(deps, { bindAddress: "localhost", port: 0 });
  const address = `localhost:${listener.address.port}`;
  const peer = new UdpPeer(deps, { address, redial: true });
  await using pair = await joinBackends(listener, peer, (near) => near.send(framesOf([hello])));
  deepEqual(await collect(pair.far, 1), [hello]);
});

for (const host of ["", "0.0.0.0"]) {
  Deno.test(`UdpPeer finds a listener of this machine at "${host}:port"`, async () => {
    const listener = await UdpListener.bind(deps, { bindAddress: "", port: 0 });
    const address = formatHostPort({ host, port: listener.address.port });
    const peer = new UdpPeer(deps, { address, redial: true });
    await using pair = await joinBackends(listener, peer, (near) => near.send(framesOf([hello])));
    deepEqual(await collect(pair.far, 1), [hello]);
    pair.far.confirmAddress!();
    await pair.far.send(framesOf([Uint8Array.of(9)]));
    deepEqual(await collect(pair.near, 1), [Uint8Array.of(9)]);
  });
}

for (const [bindAddress, host] of [["0.0.0.0", "::1"], ["::", "127.0.0.1"]] as const) {
  Deno.test(`a UdpListener on ${bindAddress} answers ${host} too`, async () => {
    const listener = await UdpListener.bind(deps, { bindAddress, port: 0 });
    const address = formatHostPort({ host, port: listener.address.port });
    const peer = new UdpPeer(deps, { address, redial: true });
    await using pair = await joinBackends(listener, peer, (near) => near.send(framesOf([hello])));
    deepEqual(await collect(pair.far, 1), [hello]);
    pair.far.confirmAddress!();
    await pair.far.send(framesOf([Uint8Array.of(9)]));
    deepEqual(await collect(pair.near, 1), [Uint8Array.of(9)]);
    const { description } = pair.far;
    equal(description.startsWith(host === "::1" ? "udp [::1]:" : "udp 127.0.0.1:"), true);
  });
}

Deno.test("UdpPeer goes on to the next address of its host, of either family, when one does not answer", async () => {
  await using neighbour = await RawSocket.bind();
  const clock = new VirtualClock();
  const stop = new AbortController();
  const tried: string[] = [];
  const triedTwo = Promise.withResolvers<void>();
  const peer = new UdpPeer(
    { clock, log: silentLog },
    { address: `both.example:${neighbour.port}`, redial: true },
    () => Promise.resolve(["::1", "127.0.0.1"]),
  );
  const firstOver = Promise.withResolvers<void>();
  const running = peer.run((session) => {
    tried.push(session.description);
    session.close();
    if (tried.length === 1) firstOver.resolve();
    if (tried.length === 2) triedTwo.resolve();
    return Promise.resolve({ established: false });
  }, stop.signal);
  await firstOver.promise;
  while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(5_000);
  await triedTwo.promise;
  deepEqual(tried, [`udp [::1]:${neighbour.port}`, `udp 127.0.0.1:${neighbour.port}`]);
  stop.abort();
  await running;
});

Deno.test("UdpListener.bind says which address is taken", async () => {
  await using listener = await UdpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0 });
  const { port } = listener.address;
  await rejects(
    UdpListener.bind(deps, { bindAddress: "127.0.0.1", port }),
    new RegExp(`cannot listen on UDP 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`),
  );
  await rejects(
    UdpListener.bind(deps, { bindAddress: "192.0.2.1", port: 0 }),
    /cannot listen on UDP 192\.0\.2\.1:0: .*EADDRNOTAVAIL/,
  );
});

Deno.test("UdpListener gives its port back when it stops", async () => {
  const listener = await UdpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0 });
  const { port } = listener.address;
  const stop = new AbortController();
  const running = listener.run(() => Promise.resolve({ established: false }), stop.signal);
  stop.abort();
  await running;
  await using _again = await UdpListener.bind(deps, { bindAddress: "127.0.0.1", port });
});

Deno.test("UdpPeer refuses an address without a port", () => {
  throws(() => new UdpPeer(deps, { address: "example.org", redial: true }), SyntaxError);
});

Deno.test("UdpPeer says which name it could not find", async () => {
  const log = new RecordingLog();
  const address = "nobody.invalid:1";
  const peer = new UdpPeer({ clock: new VirtualClock(), log }, { address, redial: false });
  const never = () => Promise.reject(new Error("no session expected"));
  await peer.run(never, new AbortController().signal);
  match(
    log.lines.at(-1)!,
    /^ERROR Backend connection failed: cannot connect to UDP nobody\.invalid:1: /,
  );
});

/** Runs a listener; gives its sessions in order of arrival, each held until it is closed. */
async function startListener(maxSessions?: number) {
  const log = new RecordingLog();
  const listener = await UdpListener.bind(
    { clock: systemClock, log },
    { bindAddress: "127.0.0.1", port: 0 },
    maxSessions,
  );
  const sessions: Session[] = [];
  const waiting: (() => void)[] = [];
  const ended: Session[] = [];
  const untilCount = async (list: readonly Session[], count: number) => {
    while (list.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const stop = new AbortController();
  const running = listener.run(async (session) => {
    sessions.push(session);
    for (const wake of waiting.splice(0)) wake();
    const end = new Promise<void>((resolve) => {
      stop.signal.addEventListener("abort", () => resolve());
    });
    const receiving = (async () => {
      while (await session.receive() !== null);
    })();
    await Promise.race([end, receiving]);
    ended.push(session);
    for (const wake of waiting.splice(0)) wake();
    return { established: true };
  }, stop.signal);
  return {
    port: listener.address.port,
    log,
    sessions,
    ended,
    received: (index: number) => (sessions[index] as UdpSession | undefined)?.received ?? 0,
    untilThereAre: (count: number) => untilCount(sessions, count),
    untilEnded: (count: number) => untilCount(ended, count),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

Deno.test("UdpListener tells neighbours apart by their address", async () => {
  await using listener = await startListener();
  await using one = await RawSocket.bind();
  await using two = await RawSocket.bind();
  await one.send(hello, listener.port);
  await listener.untilThereAre(1);
  await two.send(hello, listener.port);
  await listener.untilThereAre(2);
  equal(listener.sessions[0]!.description, `udp 127.0.0.1:${one.port}`);
  await listener.sessions[1]!.send(framesOf([Uint8Array.of(2)]));
  await listener.sessions[0]!.send(framesOf([Uint8Array.of(1)]));
  deepEqual([await one.receive(), await two.receive()], [Uint8Array.of(1), Uint8Array.of(2)]);
});

Deno.test("UdpListener sends no more than has arrived until the address is confirmed", async () => {
  await using listener = await startListener();
  await using raw = await RawSocket.bind();
  await raw.send(hello, listener.port);
  await listener.untilThereAre(1);
  const session = listener.sessions[0]!;
  equal(session.acceptedFrom, "127.0.0.1");
  await session.send(framesOf([new Uint8Array(4), Uint8Array.of(1, 2), Uint8Array.of(3, 4)]));
  deepEqual(await raw.receive(), Uint8Array.of(1, 2));
  session.confirmAddress!();
  await session.send(framesOf([new Uint8Array(4)]));
  deepEqual(await raw.receive(), new Uint8Array(4));
});

Deno.test("a UdpPeer need not confirm whom it dialled", async () => {
  await using neighbour = await RawSocket.bind();
  const held = new HeldSession();
  const stop = new AbortController();
  const peer = new UdpPeer(deps, { address: `127.0.0.1:${neighbour.port}`, redial: false });
  const running = peer.run(held.onSession, stop.signal);
  const session = await held.session;
  equal(session.acceptedFrom, undefined);
  equal(session.confirmAddress, undefined);
  stop.abort();
  held.release();
  await running;
});

Deno.test("UdpListener forgets a closed session: the next datagram begins a new one", async () => {
  await using listener = await startListener();
  await using raw = await RawSocket.bind();
  await raw.send(hello, listener.port);
  await listener.untilThereAre(1);
  listener.sessions[0]!.close();
  await raw.send(hello, listener.port);
  await listener.untilThereAre(2);
  equal(listener.sessions[1]!.description, listener.sessions[0]!.description);
});

Deno.test("a full UdpListener drops a neighbour that sent only one datagram, and no other", async () => {
  await using listener = await startListener(2);
  await using one = await RawSocket.bind();
  await using two = await RawSocket.bind();
  await using three = await RawSocket.bind();
  await one.send(hello, listener.port);
  await listener.untilThereAre(1);
  await two.send(hello, listener.port);
  await listener.untilThereAre(2);
  await one.send(hello, listener.port);
  await three.send(hello, listener.port);
  await listener.untilThereAre(3);
  await listener.untilEnded(1);
  equal(listener.ended[0], listener.sessions[1]);

  // Both remaining ones have sent two, so there is no room for a third.
  await three.send(hello, listener.port);
  await two.send(hello, listener.port);
  await one.send(hello, listener.port);
  await listener.sessions[0]!.send(framesOf([Uint8Array.of(1)]));
  deepEqual(await one.receive(), Uint8Array.of(1));
  equal(listener.sessions.length, 3);
});

Deno.test("a full UdpListener makes room for another address at the expense of the busiest", async () => {
  await using listener = await startListener(2);
  await using one = await RawSocket.bind();
  await using two = await RawSocket.bind();
  await using elsewhere = await RawSocket.bind("127.0.0.9");
  for (const [index, socket] of [one, two].entries()) {
    await socket.send(hello, listener.port);
    await listener.untilThereAre(index + 1);
    await socket.send(hello, listener.port);
  }
  while (listener.received(0) + listener.received(1) < 4) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await elsewhere.send(hello, listener.port);
  await listener.untilThereAre(3);
  await listener.untilEnded(1);
  equal(listener.ended[0], listener.sessions[0]);
});

Deno.test("a UdpPeer listens to nobody but its neighbour", async () => {
  await using neighbour = await RawSocket.bind();
  await using stranger = await RawSocket.bind();
  const held = new HeldSession();
  const stop = new AbortController();
  const peer = new UdpPeer(deps, { address: `127.0.0.1:${neighbour.port}`, redial: false });
  const running = peer.run(held.onSession, stop.signal);
  const session = await held.session;
  await session.send(framesOf([hello]));
  await neighbour.receive();
  await stranger.send(Uint8Array.of(66), neighbour.lastSender);
  await neighbour.send(Uint8Array.of(7), neighbour.lastSender);
  deepEqual(await collect(session, 1), [Uint8Array.of(7)]);
  stop.abort();
  held.release();
  await running;
});

Deno.test("a neighbour that does not listen is not an error of the session", async () => {
  const gone = await RawSocket.bind();
  const address = `127.0.0.1:${gone.port}`;
  await gone[Symbol.asyncDispose]();
  const held = new HeldSession();
  const stop = new AbortController();
  const running = new UdpPeer(deps, { address, redial: false }).run(held.onSession, stop.signal);
  const session = await held.session;
  for (let count = 0; count < 3; count++) await session.send(framesOf([hello]));
  stop.abort();
  held.release();
  await running;
});

Deno.test("a message too long for a datagram is dropped with one log line", async () => {
  const log = new RecordingLog();
  const sent: number[] = [];
  const session = new UdpSession({
    socket: {
      send(bytes) {
        sent.push(bytes.length);
        return Promise.resolve(bytes.length <= 65_507);
      },
    },
    remote: { host: "192.0.2.1", port: 7 },
    log,
    onClose() {},
  });
  const big = new Uint8Array(65_508);
  await session.send(framesOf([big, hello, big]));
  deepEqual(sent, [65_508, 3, 65_508]);
  equal(session.droppedOut, 2);
  deepEqual(log.lines, [
    "WARNING udp 192.0.2.1:7: a message of 65508 bytes does not fit into a datagram; further " +
    "ones are only counted",
  ]);
});

Deno.test("what nobody receives is dropped beyond a bound", async () => {
  const session = new UdpSession({
    socket: { send: () => Promise.resolve(true) },
    remote: { host: "192.0.2.1", port: 7 },
    log: silentLog,
    onClose() {},
  });
  const datagrams = 2 * MAX_QUEUED_BYTES / 1024;
  for (let count = 0; count < datagrams; count++) session.put(new Uint8Array(1024));
  const kept = (await session.receive())!.length;
  equal(kept > 0 && kept * 1024 <= MAX_QUEUED_BYTES, true);
  equal(session.droppedIn, datagrams - kept);
  equal(session.received, datagrams);
});
