import { deepEqual, equal, match, rejects, throws } from "node:assert/strict";
import type { Session } from "../../lib/backends/backend.ts";
import { formatHostPort } from "../../lib/backends/host_port.ts";
import {
  WebSocketListener,
  type WebSocketListenerOptions,
  WebSocketPeer,
  type WebSocketPeerOptions,
} from "../../lib/backends/websocket.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { eventually } from "../support/eventually.ts";
import { collect, framesOf, type SessionPair, testSessionContract } from "./session_contract.ts";
import { HeldSession, joinBackends, noSession } from "./session_pair.ts";
import { clientTls, serverTls } from "./test_tls.ts";

const listenerDeps = { clock: systemClock, log: silentLog };
const peerDeps = { ...listenerDeps, random: systemRandom, environment: () => undefined };

function listen(options: Partial<WebSocketListenerOptions> = {}, deps = listenerDeps) {
  return WebSocketListener.bind(deps, { bindAddress: "127.0.0.1", port: 0, ...options });
}

function connectWebSocket(bindAddress = "127.0.0.1"): Promise<SessionPair> {
  const listener = listen({ bindAddress });
  const address = `ws://${formatHostPort(listener.address)}`;
  return joinBackends(listener, new WebSocketPeer(peerDeps, { address, redial: true }));
}

function connectSecure(): Promise<SessionPair> {
  const listener = listen({ tls: serverTls() });
  const address = `wss://localhost:${listener.address.port}/`;
  const peer = new WebSocketPeer(peerDeps, { address, redial: true, tls: clientTls() });
  return joinBackends(listener, peer);
}

testSessionContract("ws", () => connectWebSocket());
testSessionContract("wss", connectSecure);

Deno.test("WebSocketPeer finds a listener of this machine by its port alone", async () => {
  const listener = listen({ bindAddress: "" });
  const address = `ws://:${listener.address.port}/`;
  const peer = new WebSocketPeer(peerDeps, { address, redial: true });
  await using pair = await joinBackends(listener, peer);
  await pair.near.send(framesOf([Uint8Array.of(9)]));
  deepEqual(await collect(pair.far, 1), [Uint8Array.of(9)]);
});

Deno.test("WebSocket sessions work over IPv6", async () => {
  await using pair = await connectWebSocket("[::1]");
  await pair.near.send(framesOf([Uint8Array.of(9)]));
  deepEqual(await collect(pair.far, 1), [Uint8Array.of(9)]);
  match(pair.near.description, /^ws \[::1\]:\d+$/);
});

/** Sends a request as it is to a listener; returns what it answers and logs. */
async function ask(request: string, options: Partial<WebSocketListenerOptions> = {}) {
  const log = new RecordingLog();
  const listener = listen(options, { clock: systemClock, log });
  const stop = new AbortController();
  const running = listener.run(noSession, stop.signal);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
  await conn.write(new TextEncoder().encode(request.replaceAll("\n", "\r\n")));
  const answer = await new Response(conn.readable).text();
  stop.abort();
  await running;
  return { answer, log: log.lines.at(-1)! };
}

const goodHeaders = `Host: a.example:7
Upgrade: websocket
Connection: keep-alive, Upgrade
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==
`;

const refusals: [what: string, request: string, answer: RegExp, log: RegExp][] = [
  [
    "of another path",
    `GET /other HTTP/1.1\n${goodHeaders}\n`,
    /^HTTP\/1\.1 404 Not Found\r\n/,
    /Refused connection from 127\.0\.0\.1:\d+: asked for "\/other": answered 404 Not Found$/,
  ],
  [
    "that is no upgrade",
    "GET /mesh HTTP/1.1\nHost: a.example:7\n\n",
    /^HTTP\/1\.1 426 Upgrade Required\r\n/,
    /not a request for WebSocket/,
  ],
  [
    "with another method",
    `POST /mesh HTTP/1.1\n${goodHeaders}\n`,
    /^HTTP\/1\.1 405 Method Not Allowed\r\n/,
    /not a GET request/,
  ],
  [
    "of an old version",
    `GET /mesh HTTP/1.1\n${goodHeaders.replace("13", "8")}\n`,
    /^HTTP\/1\.1 426 Upgrade Required\r\n(.*\r\n)*Sec-WebSocket-Version: 13\r\n/,
    /not WebSocket version 13/,
  ],
  [
    "without a proper key",
    `GET /mesh HTTP/1.1\n${goodHeaders.replace("AAAA==", "")}\n`,
    /^HTTP\/1\.1 400 Bad Request\r\n/,
    /no valid Sec-WebSocket-Key/,
  ],
  [
    "of a page of another site",
    `GET /mesh HTTP/1.1\n${goodHeaders}Origin: https://evil.example\n\n`,
    /^HTTP\/1\.1 403 Forbidden\r\n/,
    /request of another site, "https:\/\/evil\.example"/,
  ],
  [
    "of HTTP/1.0",
    `GET /mesh HTTP/1.0\n${goodHeaders}\n`,
    /^HTTP\/1\.1 400 Bad Request\r\n/,
    /not an HTTP\/1\.1 request/,
  ],
  [
    "that is no HTTP",
    "\x01{}\n\n\n",
    /^HTTP\/1\.1 400 Bad Request\r\n/,
    /not an HTTP\/1\.1 request/,
  ],
  [
    "that begins with a TLS handshake",
    "\x16\x03\x01\n",
    /^HTTP\/1\.1 400 Bad Request\r\n/,
    /the peer speaks TLS, not plain HTTP: answered 400 Bad Request$/,
  ],
  [
    "with a broken header",
    "GET /mesh HTTP/1.1\nwhat\n\n",
    /^HTTP\/1\.1 400 Bad Request\r\n/,
    /"what" is not a header/,
  ],
  [
    "with an endless line",
    `GET /mesh HTTP/1.1\nA: ${"x".repeat(9000)}`,
    /^$/,
    /a line of more than 8192 bytes/,
  ],
  [
    "with a head of more bytes than a server should take",
    `GET /mesh HTTP/1.1\n${`A: ${"x".repeat(4000)}\n`.repeat(5)}`,
    /^$/,
    /an HTTP head of more than 16384 bytes/,
  ],
  [
    "with endless headers",
    `GET /mesh HTTP/1.1\n${"A: b\n".repeat(102)}\n`,
    /^$/,
    /more than 100 headers/,
  ],
];
for (const [what, request, answer, log] of refusals) {
  Deno.test(`a ws-listener refuses a request ${what}`, async () => {
    const got = await ask(request, { path: "/mesh" });
    match(got.answer, answer);
    match(got.log, log);
  });
}

const paths: [path: string, target: string, served: boolean][] = [
  ["/", "/", true],
  ["/", "/anything?with=query", true],
  ["/mesh", "/mesh?a=b", true],
  ["/mesh", "http://a.example:7/mesh", true],
  ["/mesh", "/mesh/", false],
  ["/mesh/", "/mesh/below", true],
  ["/mesh/", "/mesh", false],
  ["/mesh/", "/mesh/../other", false],
  ["/mesh", "*", false],
];
for (const [path, target, served] of paths) {
  const verb = served ? "serves" : "does not serve";
  Deno.test(`a ws-listener on ${path} ${verb} ${target}`, async () => {
    const listener = listen({ path });
    const held = new HeldSession();
    const stop = new AbortController();
    const running = listener.run(held.onSession, stop.signal);
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
    const request = `GET ${target} HTTP/1.1\n${goodHeaders}Origin: http://A.example:7\n\n`;
    await conn.write(new TextEncoder().encode(request.replaceAll("\n", "\r\n")));
    const answer = new Uint8Array(12);
    await conn.read(answer);
    equal(new TextDecoder().decode(answer), served ? "HTTP/1.1 101" : "HTTP/1.1 404");
    conn.close();
    if (served) await held.session;
    held.release();
    stop.abort();
    await running;
  });
}

Deno.test("WebSocketListener.bind wants a path", () => {
  for (const path of ["", "mesh", "/a b", "/a?b", "/a/../b"]) {
    throws(() => listen({ path }), SyntaxError, path);
  }
});

/** A plain TCP listener that answers the first request; returns what it was asked. */
async function answering(answer: string, options: Partial<WebSocketPeerOptions> = {}) {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const request = (async () => {
    const conn = await listener.accept();
    const buffer = new Uint8Array(16 * 1024);
    let text = "";
    while (!text.includes("\r\n\r\n")) {
      const count = await conn.read(buffer);
      text += new TextDecoder().decode(buffer.subarray(0, count ?? 0));
    }
    await conn.write(new TextEncoder().encode(answer.replaceAll("\n", "\r\n")));
    conn.close();
    return text;
  })();
  const log = new RecordingLog();
  const address = `ws://127.0.0.1:${listener.addr.port}/mesh?a=b`;
  const peer = new WebSocketPeer({ ...peerDeps, log }, { redial: false, ...options, address });
  await peer.run(noSession, new AbortController().signal);
  return { request: await request, log: log.lines.at(-1)!, port: listener.addr.port };
}

Deno.test("a ws-peer asks as a browser of the same site would, and sends its extra header", async () => {
  const { request, port } = await answering("HTTP/1.1 404 Not Found\n\n", {
    extraHeader: "Authorization: Bearer abc: def",
  });
  match(request, /^GET \/mesh\?a=b HTTP\/1\.1\r\n/);
  const headers = request.split("\r\n");
  for (
    const header of [
      `Host: 127.0.0.1:${port}`,
      `Origin: http://127.0.0.1:${port}`,
      "Authorization: Bearer abc: def",
      "Sec-WebSocket-Version: 13",
    ]
  ) equal(headers.includes(header), true, header);
});

Deno.test("an extra header replaces ours with the same name", async () => {
  const { request } = await answering("HTTP/1.1 404 Not Found\n\n", {
    extraHeader: "origin: https://gate.example",
  });
  deepEqual(request.match(/^origin: .*$/gim), ["origin: https://gate.example"]);
});

const answers: [what: string, answer: string, log: RegExp][] = [
  ["404", "HTTP/1.1 404 Not Found\n\n", /the server answered 404 Not Found$/],
  ["a redirect", "HTTP/1.1 302\nLocation: /x\n\n", /the server answered 302$/],
  [
    "nonsense",
    "SSH-2.0-OpenSSH_9.2\n\n",
    /"SSH-2\.0-OpenSSH_9\.2" is not an HTTP\/1\.1 status line$/,
  ],
  ["nothing", "", /the peer closed the connection$/],
  [
    "a wrong key",
    "HTTP/1.1 101 X\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: AAAA\n\n",
    /the server's answer is not a WebSocket handshake$/,
  ],
];
for (const [what, answer, log] of answers) {
  Deno.test(`a ws-peer that gets ${what} says so`, async () => {
    const got = await answering(answer);
    match(got.log, /^ERROR Backend connection failed: cannot connect to ws:\/\/127\.0\.0\.1:/);
    match(got.log, log);
  });
}

Deno.test("WebSocketPeer refuses an invalid URL or header, without showing secrets", () => {
  const make = (options: Partial<WebSocketPeerOptions>) => () =>
    new WebSocketPeer(peerDeps, { address: "ws://example.org", redial: true, ...options });
  for (const address of ["", "example.org:1", "http://example.org", "ws://"]) {
    throws(make({ address }), SyntaxError, address);
  }
  throws(
    make({ address: "ws://user:secret@example.org" }),
    (error: Error) => /without a user name/.test(error.message) && !/secret/.test(error.message),
  );
  throws(make({ address: "wss://example.org" }), /needs a TLS client configuration/);
  throws(
    make({ extraHeader: "Bearer secret" }),
    (error: Error) => /Name: value/.test(error.message) && !/secret/.test(error.message),
  );
  throws(make({ extraHeader: "A: b\r\nC: d" }), SyntaxError);
  throws(make({ extraHeader: "Upgrade: h2c" }), /set by the handshake/);
});

Deno.test("a handshake that stalls anywhere is cut off after 15 s", async () => {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const listener = listen({}, { clock, log });
  const stop = new AbortController();
  const running = listener.run(noSession, stop.signal);
  const beginnings = ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n"];
  const conns = await Promise.all(beginnings.map(async (beginning) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
    await conn.write(new TextEncoder().encode(beginning));
    return conn;
  }));
  await eventually(() => clock.pending === beginnings.length);
  await clock.advance(15_000);
  for (const conn of conns) {
    equal(await conn.read(new Uint8Array(1)).catch(() => null), null);
    conn.close();
  }
  await eventually(() =>
    log.lines.filter((line) => /took longer than 15 s/.test(line)).length === 3
  );
  stop.abort();
  await running;
});

Deno.test("a ws-peer gives up an upgrade that nobody answers", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = silent.accept();
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const address = `ws://127.0.0.1:${silent.addr.port}`;
  const peer = new WebSocketPeer({ ...peerDeps, clock, log }, { address, redial: false });
  const running = peer.run(noSession, new AbortController().signal);
  const conn = await accepted;
  await conn.read(new Uint8Array(1024));
  await clock.advance(15_000);
  await running;
  match(log.lines.at(-1)!, /cannot connect to ws:.*: no answer within 15 s/);
  conn.close();
});

Deno.test("a peer that breaks the protocol is told why, and so is the reader", async () => {
  const listener = listen();
  const held = new HeldSession();
  const stop = new AbortController();
  const running = listener.run(held.onSession, stop.signal);
  const socket = new WebSocket(`ws://127.0.0.1:${listener.address.port}/`);
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  socket.onopen = () => socket.send("text");
  await rejects((await held.session).receive(), /^Error: ws 127\.0\.0\.1:\d+: the peer sent text/);
  held.release();
  equal((await closed).code, 1003);
  stop.abort();
  await running;
});

Deno.test("a ws-listener gets along with another implementation", async () => {
  const listener = listen();
  const held = new HeldSession();
  const stop = new AbortController();
  const running = listener.run(held.onSession, stop.signal);
  const socket = new WebSocket(`ws://127.0.0.1:${listener.address.port}/`);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve) => socket.onopen = resolve);
  const messages = [1, 125, 126, 65_535].map((length) => new Uint8Array(length).fill(length));
  for (const message of messages) socket.send(message);
  const session = await held.session;
  deepEqual(await collect(session, messages.length), messages);
  const echoed: Uint8Array[] = [];
  const all = new Promise<void>((resolve) => {
    socket.onmessage = ({ data }) => {
      echoed.push(new Uint8Array(data));
      if (echoed.length === messages.length) resolve();
    };
  });
  await session.send(framesOf(messages));
  await all;
  deepEqual(echoed, messages);
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  socket.close(1000);
  equal(await session.receive(), null);
  held.release();
  equal((await closed).wasClean, true);
  stop.abort();
  await running;
});

Deno.test("a ws-peer gets along with another implementation", async () => {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
  const held = new HeldSession();
  const stop = new AbortController();
  const address = `ws://127.0.0.1:${server.addr.port}/`;
  const running = new WebSocketPeer(peerDeps, { address, redial: false })
    .run(held.onSession, stop.signal);
  const session = await held.session;
  const messages = [1, 125, 126, 65_535].map((length) => new Uint8Array(length).fill(length));
  await session.send(framesOf(messages));
  deepEqual(await collect(session, messages.length), messages);
  stop.abort();
  held.release();
  await running;
  await server.shutdown();
});

/** A raw client whose handshake is done, and the session at the other end. */
async function rawClient(): Promise<
  { conn: Deno.TcpConn; session: Session; stop: () => Promise<void> }
> {
  const listener = listen();
  const held = new HeldSession();
  const abort = new AbortController();
  const running = listener.run(held.onSession, abort.signal);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
  const request = `GET / HTTP/1.1\n${goodHeaders}\n`.replaceAll("\n", "\r\n");
  await conn.write(new TextEncoder().encode(request));
  await conn.read(new Uint8Array(1024));
  const stop = async () => {
    conn.close();
    abort.abort();
    held.release();
    await running;
  };
  return { conn, session: await held.session, stop };
}

/** Under a mask of zeros. */
function clientFrame(opcode: number, payload: number[]): Uint8Array {
  return Uint8Array.of(0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0, ...payload);
}

Deno.test("a ping is answered, and many at once are answered with few pongs", async () => {
  const { conn, session, stop } = await rawClient();
  const received = session.receive();
  await conn.write(clientFrame(9, [1, 2, 3]));
  const pong = new Uint8Array(100);
  equal(await conn.read(pong), 5);
  deepEqual(pong.subarray(0, 5), Uint8Array.of(0x8a, 3, 1, 2, 3));

  const flood = new Uint8Array(9000).map((_, index) => clientFrame(9, [1, 2, 3])[index % 9]!);
  await conn.write(flood);
  await conn.write(clientFrame(2, [7]));
  deepEqual(await received, [Uint8Array.of(7)]);
  const count = (await conn.read(new Uint8Array(9000)))!;
  equal(count % 5 === 0 && count < 500, true, `${count} bytes of pongs`);
  await stop();
});

Deno.test("bytes that come with the handshake are not lost", async () => {
  const listener = listen();
  const held = new HeldSession();
  const stop = new AbortController();
  const running = listener.run(held.onSession, stop.signal);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
  const request = new TextEncoder().encode(
    `GET / HTTP/1.1\n${goodHeaders}\n`.replaceAll("\n", "\r\n"),
  );
  await conn.write(Uint8Array.of(...request, ...clientFrame(2, [4, 2])));
  deepEqual(await collect(await held.session, 1), [Uint8Array.of(4, 2)]);
  conn.close();
  held.release();
  stop.abort();
  await running;
});
