import { deepEqual, equal, rejects } from "node:assert/strict";
import type { ByteConn } from "../../../../lib/base/byte_conn.ts";
import { Liveness } from "../../../../lib/workceptor/kubernetes/api/liveness.ts";
import {
  changesIn,
  MAX_SILENCE_MS,
} from "../../../../lib/workceptor/kubernetes/api/watch_stream.ts";
import { RequestRate } from "../../../../lib/workceptor/kubernetes/api/client_limits.ts";
import type { Credentials } from "../../../../lib/workceptor/kubernetes/api/credentials.ts";
import { HttpClient } from "../../../../lib/workceptor/kubernetes/api/http_client.ts";
import { KubeHttp } from "../../../../lib/workceptor/kubernetes/api/kube_http.ts";
import { VirtualClock } from "../../../sim/virtual_clock.ts";
import { signal } from "./_client.ts";

/** A connection on which nothing ever comes but what the test gives. */
class QuietConn implements ByteConn {
  readonly written: number[] = [];
  #given: Uint8Array[] = [];
  #wake = () => {};
  #closed = false;

  give(text: string): void {
    this.#given.push(new TextEncoder().encode(text));
    this.#wake();
  }
  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      const bytes = this.#given.shift();
      if (bytes !== undefined) {
        into.set(bytes);
        return bytes.length;
      }
      if (this.#closed) throw new Error("closed");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
  write(bytes: Uint8Array): Promise<number> {
    this.written.push(bytes.length);
    return Promise.resolve(bytes.length);
  }
  closeWrite = () => Promise.resolve();
  close(): void {
    this.#closed = true;
    this.#wake();
  }
}

const nobody: Credentials = {
  headers: () => Promise.resolve([]),
  certificate: () => Promise.resolve(undefined),
  refused: () => {},
};

function quietServer(clock: VirtualClock): { conn: QuietConn; http: KubeHttp } & Disposable {
  const conn = new QuietConn();
  const client = new HttpClient({ clock, dial: () => Promise.resolve(conn) });
  const rate = new RequestRate(clock, { kind: "unlimited" });
  const server = new URL("http://kube");
  const http = new KubeHttp({ clock, http: client, credentials: nobody, rate, server });
  return { conn, http, [Symbol.dispose]: () => client[Symbol.dispose]() };
}

const GET = { method: "GET", path: "/", kind: "repeatable", headLimitMs: 60_000 } as const;

Deno.test("a server that does not answer is given up after a minute", async () => {
  const clock = new VirtualClock();
  using server = quietServer(clock);
  const asked = server.http.json(GET, signal);
  asked.catch(() => {});
  await clock.advance(60_000);
  await rejects(asked, /the server gave no answer within 60 s/);
  equal(server.conn.written.length, 1);
});

Deno.test("an answer that stops in the middle is given up too", async () => {
  const clock = new VirtualClock();
  using server = quietServer(clock);
  const asked = server.http.json(GET, signal);
  asked.catch(() => {});
  server.conn.give("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{");
  await clock.advance(60_000);
  await rejects(asked, /the server gave no answer within 60 s/);
});

Deno.test("a stream may be silent for as long as it wants, once it has begun", async () => {
  const clock = new VirtualClock();
  using server = quietServer(clock);
  const opened = server.http.stream(GET, signal);
  server.conn.give("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  const exchange = await opened;
  await clock.advance(3_600_000);
  const buffer = new Uint8Array(100);
  const reading = exchange.read(buffer);
  server.conn.give("2\r\nok\r\n0\r\n\r\n");
  equal(await reading, 2);
  equal(await exchange.read(buffer), null);
});

Deno.test("a connection that does not come about is given up, even for an endless stream", async () => {
  const clock = new VirtualClock();
  const dial = (signal: AbortSignal) =>
    new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    );
  using client = new HttpClient({ clock, dial });
  const opened = client.exchange({ method: "GET", target: "/", headers: [] }, signal);
  opened.catch(() => {});
  await clock.advance(150_000);
  await rejects(opened, /no connection to the server within 150 s/);
});

Deno.test("a watch that has been silent for too long ends, so that it is begun anew", async () => {
  const clock = new VirtualClock();
  using server = quietServer(clock);
  const opened = server.http.stream(GET, signal);
  server.conn.give("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  const changes = changesIn(await opened, clock, signal);
  const first = changes.next();
  await clock.advance(MAX_SILENCE_MS - 1);
  const line = '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n';
  server.conn.give(`${line.length.toString(16)}\r\n${line}\r\n`);
  deepEqual(await first, { done: false, value: { type: "BOOKMARK", resourceVersion: "9" } });
  const second = changes.next();
  await clock.advance(MAX_SILENCE_MS);
  deepEqual(await second, { done: true, value: undefined });
});

Deno.test("a peer that answers no ping is taken for dead, one that says anything is not", async () => {
  const clock = new VirtualClock();
  const conn = new QuietConn();
  using liveness = new Liveness(clock);
  const heard = liveness.listening(conn);
  let pings = 0;
  let silence = 0;
  liveness.start({
    ping: () => Promise.resolve(void pings++),
    onSilence: (afterMs) => silence = afterMs,
  });
  await clock.advance(50_000);
  equal(pings, 5);
  conn.give("x");
  await heard.read(new Uint8Array(1));
  await clock.advance(50_000);
  equal(silence, 0);
  await clock.advance(20_000);
  equal(silence, 60_000);
  equal(clock.pending, 0);
});
