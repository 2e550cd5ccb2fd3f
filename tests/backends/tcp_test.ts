import { equal, match, rejects, throws } from "node:assert/strict";
import type { Session } from "../../lib/backends/backend.ts";
import { TcpListener, TcpPeer } from "../../lib/backends/tcp.ts";
import { formatHostPort } from "../../lib/backends/host_port.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { collect, framesOf, type SessionPair, testSessionContract } from "./session_contract.ts";

const deps = { clock: systemClock, log: silentLog };

/** A session from the inside of `onSession`, which holds it until `release`. */
class HeldSession {
  readonly #session = Promise.withResolvers<Session>();
  readonly #over = Promise.withResolvers<{ established: boolean }>();
  readonly session = this.#session.promise;

  readonly onSession = (session: Session) => {
    this.#session.resolve(session);
    return this.#over.promise.finally(() => session.close());
  };

  release(): void {
    this.#over.resolve({ established: true });
  }
}

async function connectTcp(bindAddress = "127.0.0.1", host?: string): Promise<SessionPair> {
  const listener = TcpListener.bind(deps, { bindAddress, port: 0 });
  const { address: { port, host: boundTo } } = listener;
  const address = formatHostPort({ host: host ?? boundTo, port });
  const peer = new TcpPeer(deps, { address, redial: true });
  const stop = new AbortController();
  const far = new HeldSession();
  const near = new HeldSession();
  const running = [
    listener.run(far.onSession, stop.signal),
    peer.run(near.onSession, stop.signal),
  ];
  return {
    near: await near.session,
    far: await far.session,
    async [Symbol.asyncDispose]() {
      stop.abort();
      near.release();
      far.release();
      await Promise.all(running);
    },
  };
}

testSessionContract("tcp", () => connectTcp());

for (const host of ["", "0.0.0.0", "::"]) {
  Deno.test(`TcpPeer finds a listener of this machine at "${host}" and its port`, async () => {
    await using pair = await connectTcp("", host);
    await pair.near.send(framesOf([Uint8Array.of(9)]));
    equal((await collect(pair.far, 1))[0]![0], 9);
  });
}

Deno.test("TCP sessions work over IPv6", async () => {
  await using pair = await connectTcp("[::1]");
  await pair.near.send(framesOf([Uint8Array.of(9)]));
  equal((await collect(pair.far, 1))[0]![0], 9);
  match(pair.near.description, /^tcp \[::1\]:\d+$/);
});

for (const [bindAddress, host] of [["0.0.0.0", "::1"], ["::", "127.0.0.1"]] as const) {
  Deno.test(`a TcpListener on ${bindAddress} accepts ${host} too`, async () => {
    await using pair = await connectTcp(bindAddress, host);
    await pair.near.send(framesOf([Uint8Array.of(9)]));
    equal((await collect(pair.far, 1))[0]![0], 9);
    match(pair.far.description, host === "::1" ? /^tcp \[::1\]:\d+$/ : /^tcp 127\.0\.0\.1:\d+$/);
  });
}

Deno.test("TcpListener.bind says which address is taken", () => {
  using listener = TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0 });
  const { port } = listener.address;
  throws(
    () => TcpListener.bind(deps, { bindAddress: "127.0.0.1", port }),
    new RegExp(`cannot listen on TCP 127\\.0\\.0\\.1:${port}: Address already in use`),
  );
});

Deno.test("TcpListener gives its port back when it stops", async () => {
  const listener = TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0 });
  const stop = new AbortController();
  const running = listener.run(() => Promise.resolve({ established: false }), stop.signal);
  stop.abort();
  await running;
  TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: listener.address.port })
    [Symbol.dispose]();
});

Deno.test("TcpListener serves several neighbours at once", async () => {
  const listener = TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0 });
  const stop = new AbortController();
  const three = Promise.withResolvers<void>();
  let sessions = 0;
  const running = listener.run(async (session) => {
    if (++sessions === 3) three.resolve();
    const end = await session.receive();
    equal(end, null);
    session.close();
    return { established: true };
  }, stop.signal);
  const conns = await Promise.all(
    [1, 2, 3].map(() => Deno.connect({ port: listener.address.port, hostname: "127.0.0.1" })),
  );
  await three.promise;
  for (const conn of conns) conn.close();
  stop.abort();
  await running;
});

Deno.test("a TCP session that breaks off in the middle of a message says so", async () => {
  const listener = TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0 });
  const stop = new AbortController();
  const held = new HeldSession();
  const running = listener.run(held.onSession, stop.signal);
  const conn = await Deno.connect({ port: listener.address.port, hostname: "127.0.0.1" });
  await conn.write(Uint8Array.of(200, 0, 1, 2, 3));
  conn.close();
  await rejects((await held.session).receive(), /ended 5 bytes into a message/);
  stop.abort();
  held.release();
  await running;
});

Deno.test("TcpPeer says what it could not connect to", async () => {
  const listener = TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0 });
  const { port } = listener.address;
  listener[Symbol.dispose]();
  const log = new RecordingLog();
  const peer = new TcpPeer({ clock: new VirtualClock(), log }, {
    address: `127.0.0.1:${port}`,
    redial: false,
  });
  const never = () => Promise.reject(new Error("no session expected"));
  await peer.run(never, new AbortController().signal);
  match(
    log.lines.at(-1)!,
    /^ERROR Backend connection failed: cannot connect to TCP 127\.0\.0\.1:\d+: Connection refused/,
  );
});

Deno.test("TcpPeer refuses an address without a port", () => {
  throws(() => new TcpPeer(deps, { address: "example.org", redial: true }), SyntaxError);
});
