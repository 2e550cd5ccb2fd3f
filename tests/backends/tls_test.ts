import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import type { Session } from "../../lib/backends/backend.ts";
import { formatHostPort } from "../../lib/backends/host_port.ts";
import { MAX_HANDSHAKES } from "../../lib/backends/socket_listener.ts";
import { TcpListener, TcpPeer } from "../../lib/backends/tcp.ts";
import type { LinkClientTls, LinkServerTls } from "../../lib/backends/tls.ts";
import type { RefusedConnectionEvent } from "../../lib/backends/observer.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { eventually } from "../support/eventually.ts";
import { collect, framesOf, type SessionPair, testSessionContract } from "./session_contract.ts";
import { joinBackends, noSession } from "./session_pair.ts";
import { clientCertificate, serverCertificate, version1Certificate } from "./test_certificates.ts";
import { clientTls, serverTls } from "./test_tls.ts";

const deps = { clock: systemClock, log: silentLog };

function connectTls(
  server: LinkServerTls = serverTls(),
  client: LinkClientTls = clientTls(),
): Promise<SessionPair> {
  const listener = TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0, tls: server });
  const address = `localhost:${listener.address.port}`;
  return joinBackends(listener, new TcpPeer(deps, { address, redial: true, tls: client }));
}

testSessionContract("tls", () => connectTls());

Deno.test("each side of a TLS link checks the other's chain before anything is sent", async () => {
  const server = serverTls();
  const client = clientTls();
  await using pair = await connectTls(server, client);
  const raw = (pem: string) => new Uint8Array(new X509Certificate(pem).raw);
  deepEqual(server.chains, [[raw(clientCertificate.cert)]]);
  deepEqual(client.chains, [[raw(serverCertificate.cert)]]);
  match(server.asked[0]!, /^tcp 127\.0\.0\.1:\d+$/);
  match(client.asked[0]!, /^localhost, tcp localhost:\d+$/);
  await pair.near.send(framesOf([Uint8Array.of(1)]));
  deepEqual(await collect(pair.far, 1), [Uint8Array.of(1)]);
});

Deno.test("a TLS link comes up without client certificates if none is requested", async () => {
  const server = serverTls({}, { wantsClientCertificate: false });
  await using _pair = await connectTls(server, clientTls({}, null));
  deepEqual(server.chains, []);
});

Deno.test("a TLS link comes up at TLS 1.2 where both allow it", async () => {
  await using _pair = await connectTls(
    serverTls({ minVersion: "TLSv1.2" }),
    clientTls({ maxVersion: "TLSv1.2" }),
  );
});

Deno.test("a TLS listener presents the current certificate", async () => {
  const server = serverTls();
  const { secureContext } = serverTls({ certificate: clientCertificate });
  const listener = TcpListener.bind(deps, { bindAddress: "127.0.0.1", port: 0, tls: server });
  const address = formatHostPort(listener.address);
  const stop = new AbortController();
  const running = listener.run(async (session) => {
    await session.receive();
    session.close();
    return { established: true };
  }, stop.signal);
  const serials: string[] = [];
  for (let dial = 0; dial < 2; dial++) {
    const client = clientTls();
    const peer = new TcpPeer(deps, { address, redial: false, tls: client });
    await peer.run((session) => {
      session.close();
      return Promise.resolve({ established: true });
    }, new AbortController().signal);
    serials.push(new X509Certificate(client.chains[0]![0]!).subject);
    Object.assign(server, { secureContext });
  }
  deepEqual(serials, ["CN=server", "CN=client"]);
  stop.abort();
  await running;
});

/**
 * Dials once for a link that must not come up; returns what both sides logged, once the listener
 * has.
 */
async function refusal(
  server: LinkServerTls,
  client: LinkClientTls,
  { listenerLogs = true } = {},
): Promise<{ listener: string; peer: string; refused: RefusedConnectionEvent[] }> {
  const listenerLog = new RecordingLog();
  const peerLog = new RecordingLog();
  const refused: RefusedConnectionEvent[] = [];
  const observer = { connectionRefused: (event: RefusedConnectionEvent) => refused.push(event) };
  const listener = TcpListener.bind({ clock: systemClock, log: listenerLog, observer }, {
    bindAddress: "127.0.0.1",
    port: 0,
    tls: server,
  });
  const peer = new TcpPeer({ clock: systemClock, log: peerLog }, {
    address: formatHostPort(listener.address),
    redial: false,
    tls: client,
  });
  const stop = new AbortController();
  // What a refused side sees is a session that ends, or none at all.
  const untilItEnds = async (session: Session) => {
    try {
      equal(await session.receive(), null);
    } finally {
      session.close();
    }
    return { established: false };
  };
  const running = listener.run(untilItEnds, stop.signal);
  await peer.run(untilItEnds, stop.signal);
  const lines = (log: RecordingLog) => log.lines.filter((line) => !line.startsWith("DEBUG"));
  if (listenerLogs) await eventually(() => lines(listenerLog).length > 0);
  stop.abort();
  await running;
  return { listener: lines(listenerLog).join("\n"), peer: lines(peerLog).join("\n"), refused };
}

Deno.test("a listener refuses a client certificate with the profile's reason", async () => {
  const { listener, peer, refused } = await refusal(
    serverTls({ refuse: "not one of us" }),
    clientTls(),
  );
  deepEqual(refused.map(({ reason }) => reason), ["not one of us"]);
  match(refused[0]!.listener, /^127\.0\.0\.1:\d+$/);
  match(listener, /^WARNING Refused connection from 127\.0\.0\.1:\d+: not one of us$/);
  match(peer, /^ERROR Backend connection (exited|failed)/);
});

Deno.test("a listener refuses a client without a certificate, with an alert", async () => {
  const { listener, peer } = await refusal(serverTls(), clientTls({}, null));
  match(listener, /TLS handshake with tcp 127\.0\.0\.1:\d+ failed: peer sent no certificates/);
  match(peer, /CertificateRequired/);
});

Deno.test("a listener refuses a certificate whose key nobody has proved", async () => {
  const { listener } = await refusal(serverTls(), clientTls({}, version1Certificate));
  match(listener, /presented a certificate that is not X\.509 version 3/);
});

Deno.test("a dialler refuses a server certificate with the profile's reason", async () => {
  const client = clientTls({ refuse: "wrong host" });
  const { peer } = await refusal(serverTls(), client, { listenerLogs: false });
  equal(peer, "ERROR Backend connection failed: wrong host");
});

Deno.test("TLS 1.2 against a minimum of 1.3 is said by name on both sides", async () => {
  const { listener, peer } = await refusal(
    serverTls({ minVersion: "TLSv1.3" }),
    clientTls({ maxVersion: "TLSv1.2" }),
  );
  match(listener, /no TLS version that both sides allow, see mintls13/);
  match(peer, /no TLS version that both sides allow, see mintls13/);
});

Deno.test("a TLS listener says that a plain neighbour does not speak TLS", async () => {
  const log = new RecordingLog();
  const listener = TcpListener.bind({ clock: systemClock, log }, {
    bindAddress: "127.0.0.1",
    port: 0,
    tls: serverTls(),
  });
  const stop = new AbortController();
  const running = listener.run(noSession, stop.signal);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
  await conn.write(framesOf([new TextEncoder().encode("\x01{}")]));
  // Reads the alert, and then the end.
  while (await conn.read(new Uint8Array(1024)) !== null);
  conn.close();
  ok(log.lines.at(-1)!.includes("the peer does not speak TLS"), log.lines.at(-1));
  stop.abort();
  await running;
});

Deno.test("a dialler says that a plain listener does not speak TLS", async () => {
  using plain = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const conn = await plain.accept();
    await conn.write(framesOf([new TextEncoder().encode("\x01{}")]));
    while (await conn.read(new Uint8Array(1024)).catch(() => null) !== null);
    conn.close();
  })();
  const log = new RecordingLog();
  const address = `127.0.0.1:${plain.addr.port}`;
  const peer = new TcpPeer({ clock: systemClock, log }, {
    address,
    redial: false,
    tls: clientTls(),
  });
  await peer.run(noSession, new AbortController().signal);
  match(
    log.lines.at(-1)!,
    /TLS handshake with .* failed: the peer does not speak TLS: first record/,
  );
  await serving;
});

Deno.test("a dialler gives up on an unanswered handshake", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = silent.accept();
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const address = `127.0.0.1:${silent.addr.port}`;
  const peer = new TcpPeer({ clock, log }, { address, redial: false, tls: clientTls() });
  const running = peer.run(noSession, new AbortController().signal);
  const conn = await accepted;
  await conn.read(new Uint8Array(1024));
  await clock.advance(15_000);
  await running;
  match(log.lines.at(-1)!, /no answer within 15 s/);
  conn.close();
});

Deno.test("1,000 stalled handshakes are cut, after 15 s at the latest, and keep nobody out", async () => {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const reasons: string[] = [];
  const observer = { connectionRefused: ({ reason }: { reason: string }) => reasons.push(reason) };
  const listener = TcpListener.bind({ clock, log, observer }, {
    bindAddress: "127.0.0.1",
    port: 0,
    tls: serverTls(),
  });
  const { port } = listener.address;
  const stop = new AbortController();
  const good = Promise.withResolvers<Session>();
  const running = listener.run(async (session) => {
    good.resolve(session);
    await session.receive();
    session.close();
    return { established: true };
  }, stop.signal);
  const stalled = await Promise.all(
    Array.from({ length: 1000 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  const peer = new TcpPeer(deps, {
    address: `127.0.0.1:${port}`,
    redial: false,
    tls: clientTls(),
  });
  await peer.run(async (session) => {
    (await good.promise).close();
    session.close();
    return { established: true };
  }, new AbortController().signal);
  // Each that is left has its timer; then all are gone.
  await eventually(() => reasons.length + clock.pending === 1000);
  equal(reasons.every((reason) => reason.endsWith("newer handshakes")), true);
  const left = clock.pending;
  equal(left <= MAX_HANDSHAKES, true);
  await clock.advance(15_000);
  const ends = await Promise.all(stalled.map((conn) => conn.read(new Uint8Array(1))));
  equal(ends.every((end) => end === null), true);
  equal(reasons.filter((reason) => reason.includes("took longer than 15 s")).length, left);
  equal(log.lines.filter((line) => line.includes("Refused connection")).length < 30, true);
  for (const conn of stalled) conn.close();
  stop.abort();
  await running;
  equal(clock.pending, 0);
});

Deno.test("a TLS session that breaks off in the middle of a message says so", async () => {
  await using pair = await connectTls();
  await rejects(async () => {
    // A frame of 2000 bytes of which 3 come, and then the end.
    const half = framesOf([new Uint8Array(2000)]).subarray(0, 5);
    await pair.near.send(half);
    pair.near.close();
    await pair.far.receive();
  }, /ended 5 bytes into a message|connection/);
});
