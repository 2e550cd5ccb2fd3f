import { deepEqual, equal, match } from "node:assert/strict";
import { WebSocketListener, WebSocketPeer } from "../../lib/backends/websocket.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { collect, framesOf } from "./session_contract.ts";
import { joinBackends, noSession } from "./session_pair.ts";
import { clientTls, serverTls } from "./test_tls.ts";

/** A proxy that carries every CONNECT to one local port, whatever it asks for. */
class TestProxy implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #answer: string;
  readonly #serving: Promise<void>;

  constructor(targetPort: number, answer = "HTTP/1.1 200 Connection established\r\n\r\n") {
    this.#answer = answer;
    this.#serving = this.#serve(targetPort);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(targetPort: number): Promise<void> {
    const tunnels: Promise<void>[] = [];
    try {
      for await (const conn of this.#listener) tunnels.push(this.#tunnel(conn, targetPort));
    } finally {
      await Promise.all(tunnels);
    }
  }

  async #tunnel(near: Deno.TcpConn, targetPort: number): Promise<void> {
    const buffer = new Uint8Array(16 * 1024);
    const count = await near.read(buffer);
    this.requests.push(new TextDecoder().decode(buffer.subarray(0, count ?? 0)));
    await near.write(new TextEncoder().encode(this.#answer));
    if (!this.#answer.includes(" 200 ")) {
      near.close();
      return;
    }
    const far = await Deno.connect({ hostname: "127.0.0.1", port: targetPort });
    await Promise.allSettled([
      near.readable.pipeTo(far.writable),
      far.readable.pipeTo(near.writable),
    ]);
  }
}

const listenerDeps = { clock: systemClock, log: silentLog };

function peerDeps(variables: Record<string, string>, log = new RecordingLog()) {
  return {
    clock: systemClock,
    log,
    random: systemRandom,
    environment: (name: string) => variables[name],
  };
}

Deno.test("a ws-peer goes through the proxy of the environment", async () => {
  const listener = WebSocketListener.bind(listenerDeps, { bindAddress: "127.0.0.1", port: 0 });
  await using proxy = new TestProxy(listener.address.port);
  const deps = peerDeps({ http_proxy: `http://us%65r:p%40ss@127.0.0.1:${proxy.port}` });
  const peer = new WebSocketPeer(deps, { address: "ws://mesh.example/x", redial: false });
  await using pair = await joinBackends(listener, peer);
  await pair.near.send(framesOf([Uint8Array.of(1, 2)]));
  deepEqual(await collect(pair.far, 1), [Uint8Array.of(1, 2)]);
  const request = proxy.requests[0]!.split("\r\n");
  equal(request[0], "CONNECT mesh.example:80 HTTP/1.1");
  equal(request.includes(`Proxy-Authorization: Basic ${btoa("user:p@ss")}`), true);
  equal(pair.near.description, "ws mesh.example:80");
});

Deno.test("a wss peer checks the server's certificate behind the proxy", async () => {
  const listener = WebSocketListener.bind(listenerDeps, {
    bindAddress: "127.0.0.1",
    port: 0,
    tls: serverTls(),
  });
  await using proxy = new TestProxy(listener.address.port);
  const tls = clientTls();
  const deps = peerDeps({ HTTPS_PROXY: `127.0.0.1:${proxy.port}` });
  const peer = new WebSocketPeer(deps, { address: "wss://mesh.example", redial: false, tls });
  await using _pair = await joinBackends(listener, peer);
  match(proxy.requests[0]!, /^CONNECT mesh\.example:443 HTTP\/1\.1\r\n/);
  deepEqual(tls.asked, ["mesh.example, tcp mesh.example:443"]);
});

Deno.test("a ws-peer says what the proxy answered", async () => {
  const log = new RecordingLog();
  await using proxy = new TestProxy(0, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
  const deps = peerDeps({ HTTP_PROXY: `http://127.0.0.1:${proxy.port}` }, log);
  const peer = new WebSocketPeer(deps, { address: "ws://mesh.example", redial: false });
  await peer.run(noSession, new AbortController().signal);
  equal(
    log.lines.at(-1),
    "ERROR Backend connection failed: cannot connect to mesh.example:80 through the proxy " +
      `127.0.0.1:${proxy.port}: it answered 407 Proxy Authentication Required`,
  );
});

Deno.test("a ws-peer says which kind of proxy it cannot use", async () => {
  const log = new RecordingLog();
  const deps = peerDeps({ HTTP_PROXY: "ftp://127.0.0.1:1080" }, log);
  const peer = new WebSocketPeer(deps, { address: "ws://mesh.example", redial: false });
  await peer.run(noSession, new AbortController().signal);
  match(log.lines.at(-1)!, /cannot use a proxy of type ftp:, only http: and socks5: are known/);
});

/** A SOCKS proxy that wants a user name, and carries the first connection to one local port. */
async function serveSocks(listener: Deno.TcpListener, targetPort: number): Promise<string[]> {
  const near = await listener.accept();
  const read = async (count: number) => {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count;) at += (await near.read(bytes.subarray(at)))!;
    return bytes;
  };
  const text = async () => new TextDecoder().decode(await read((await read(1))[0]!));
  const [, methods] = await read(2);
  await read(methods!);
  await near.write(Uint8Array.of(5, 2));
  await read(1);
  const said = [await text(), await text()];
  await near.write(Uint8Array.of(1, 0));
  deepEqual(await read(4), Uint8Array.of(5, 1, 0, 3));
  const host = await text();
  const [high, low] = await read(2);
  said.push(`${host}:${high! * 256 + low!}`);
  await near.write(Uint8Array.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 80));
  const far = await Deno.connect({ hostname: "127.0.0.1", port: targetPort });
  await Promise.allSettled([
    near.readable.pipeTo(far.writable),
    far.readable.pipeTo(near.writable),
  ]);
  return said;
}

Deno.test("a ws-peer goes through a SOCKS proxy, which looks up the name", async () => {
  const listener = WebSocketListener.bind(listenerDeps, { bindAddress: "127.0.0.1", port: 0 });
  using socks = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = serveSocks(socks, listener.address.port);
  const deps = peerDeps({ http_proxy: `socks5://user:p%40ss@127.0.0.1:${socks.addr.port}` });
  const peer = new WebSocketPeer(deps, { address: "ws://mesh.example/x", redial: false });
  {
    await using pair = await joinBackends(listener, peer);
    await pair.near.send(framesOf([Uint8Array.of(1, 2)]));
    deepEqual(await collect(pair.far, 1), [Uint8Array.of(1, 2)]);
  }
  deepEqual(await served, ["user", "p@ss", "mesh.example:80"]);
});

Deno.test("a ws-peer says what a SOCKS proxy answered", async () => {
  using socks = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const log = new RecordingLog();
  const deps = peerDeps({ HTTP_PROXY: `socks5://127.0.0.1:${socks.addr.port}` }, log);
  const peer = new WebSocketPeer(deps, { address: "ws://192.0.2.1", redial: false });
  const running = peer.run(noSession, new AbortController().signal);
  using conn = await socks.accept();
  const buffer = new Uint8Array(100);
  equal(await conn.read(buffer), 3);
  await conn.write(Uint8Array.of(5, 0));
  equal(await conn.read(buffer), 10);
  deepEqual(buffer.subarray(0, 10), Uint8Array.of(5, 1, 0, 1, 192, 0, 2, 1, 0, 80));
  await conn.write(Uint8Array.of(5, 5, 0, 1));
  await running;
  match(
    log.lines.at(-1)!,
    /cannot connect to 192\.0\.2\.1:80 through the proxy 127\.0\.0\.1:\d+: it answered: connection refused/,
  );
});
