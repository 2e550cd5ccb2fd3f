import { equal, notEqual, ok, rejects } from "node:assert/strict";
import {
  type OpenedStream,
  openStream,
  type OpenStreamOptions,
} from "../../lib/netceptor/stream_opening.ts";
import type { Connection } from "../../lib/quic/connection.ts";
import { ConnectionPool, type PoolTarget } from "../../lib/quic/connection_pool.ts";
import { insecureClientTls } from "../../lib/quic/insecure_tls.ts";
import type { QuicStream } from "../../lib/quic/quic_stream.ts";
import { FIRST_BYTE, FIRST_BYTE_WITH_WINDOW, StreamCode } from "../../lib/quic/stream_codes.ts";
import { Pair, SERVER } from "../quic/_pair.ts";

/** What the listener does with its streams, by their order; the last for all that follow. */
type Answers = readonly ((stream: QuicStream, connection: Connection) => void)[];

const take = (stream: QuicStream) => void stream.write(FIRST_BYTE);
const ignore = () => {};
const refuse = (code: number) => (stream: QuicStream) => stream.breakOff(code);

/** A dialler, and a listener that answers as it is told. */
class Opening implements Disposable {
  readonly #target: PoolTarget = { remote: SERVER, node: "bar", tls: insecureClientTls() };
  readonly #pool: ConnectionPool;
  /** Those that the dialler has made. */
  readonly connections: Connection[] = [];

  private constructor(readonly pair: Pair) {
    this.#pool = new ConnectionPool({
      clock: pair.clock,
      dial: async ({ remote, node, tls }, signal) => {
        const connection = await pair.client.connect(remote, tls, node, { signal });
        this.connections.push(connection);
        return connection;
      },
    });
  }

  get handshakes(): number {
    return this.connections.length;
  }

  static async create(answers: Answers): Promise<Opening> {
    let count = 0;
    const listen = async (connection: Connection) => {
      for (;;) {
        const stream = await connection.acceptStream();
        await stream.read(new Uint8Array(1));
        const answer = answers[Math.min(count++, answers.length - 1)]!;
        answer(stream, connection);
      }
    };
    const server = {
      onConnection: (connection: Connection) => void listen(connection).catch(ignore),
    };
    return new Opening(await Pair.create({ manyStreams: true, server }));
  }

  async open(signal?: AbortSignal): Promise<QuicStream> {
    return (await this.offer({ signal })).stream;
  }

  offer(options: OpenStreamOptions): Promise<OpenedStream> {
    const { pair } = this;
    return pair.run(openStream({ pool: this.#pool, clock: pair.clock }, this.#target, options));
  }

  [Symbol.dispose](): void {
    this.#pool[Symbol.dispose]();
    this.pair[Symbol.dispose]();
  }
}

Deno.test("the size of a window is told if both sides want that", async () => {
  const takeWindow = (stream: QuicStream) => void stream.write(FIRST_BYTE_WITH_WINDOW);
  using it = await Opening.create([take, takeWindow, takeWindow]);
  equal((await it.offer({ offersWindow: true })).tellsWindow, false);
  equal((await it.offer({ offersWindow: true })).tellsWindow, true);
  await rejects(it.offer({}), /the listener did not take the stream/);
});

Deno.test("a stream is there once the listener has taken it", async () => {
  using it = await Opening.create([take]);
  const [one, other] = [await it.open(), await it.open()];
  notEqual(one, other);
  equal(it.handshakes, 1);
});

for (
  const [name, code, words] of [
    ["that has too many", StreamCode.tooMany, /too many streams/],
    ["that does not want it", StreamCode.refused, /refused by the peer's service/],
  ] as const
) {
  Deno.test(`a listener ${name} is not asked again`, async () => {
    using it = await Opening.create([take, refuse(code)]);
    await it.open();
    await rejects(it.open(), words);
    equal(it.handshakes, 1);
  });
}

Deno.test("a connection that is too old for the listener is replaced", async () => {
  using it = await Opening.create([take, refuse(StreamCode.connectionTooOld), take]);
  await it.open();
  await it.open();
  equal(it.handshakes, 2);
  await it.open();
  equal(it.handshakes, 2, "the new connection takes the next stream too");
});

Deno.test("a connection that ends while a stream begins is replaced", async () => {
  using it = await Opening.create([take, (_, connection) => connection.close(), take]);
  await it.open();
  await it.open();
  equal(it.handshakes, 2);
});

Deno.test("a warm connection without a sign of life is replaced within seconds", async () => {
  using it = await Opening.create([take]);
  await it.open();
  await it.pair.clock.advance(100);
  it.pair.wire.cut = true;
  it.pair.clock.after(1_100, () => it.pair.wire.cut = false);
  const begin = it.pair.clock.now();
  await it.open();
  equal(it.handshakes, 2);
  ok(it.pair.clock.now() - begin < 3_000, `${it.pair.clock.now() - begin} ms`);
});

Deno.test("a listener that lives but does not answer is waited for, no longer than a handshake", async () => {
  using it = await Opening.create([take, ignore]);
  await it.open();
  const begin = it.pair.clock.now();
  await rejects(it.open(), /timed out: no answer from bar:control within 15 s/);
  const tookMs = it.pair.clock.now() - begin;
  // Once on the warm connection, once on a new one.
  ok(tookMs >= 15_000 && tookMs < 32_000, `${tookMs} ms`);
});

Deno.test("a dial that is given up leaves no stream behind", async () => {
  using it = await Opening.create([ignore]);
  const abort = new AbortController();
  it.pair.clock.after(200, () => abort.abort(new Error("enough")));
  await rejects(it.open(abort.signal), /enough/);
  equal(it.connections[0]!.streamCount, 0);
  equal(it.connections[0]!.ended, undefined);
});
