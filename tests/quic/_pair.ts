/** Two endpoints over a wire in memory, in virtual time. */
import type { Random } from "../../lib/base/random.ts";
import type { Connection } from "../../lib/quic/connection.ts";
import { Endpoint } from "../../lib/quic/endpoint.ts";
import type { EndpointOptions } from "../../lib/quic/endpoint_options.ts";
import { insecureClientTls, insecureServerTls } from "../../lib/quic/insecure_tls.ts";
import type { QuicStream } from "../../lib/quic/quic_stream.ts";
import type { ClientTls } from "../../lib/quic/tls.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";

export const SERVER = "bar:control";
export const CLIENT = "foo:x1Y2z3";

/** What the wire does to a datagram. */
export interface WireOptions {
  delayMs?: number;
  /** Chances between 0 and 1. */
  loss?: number;
  duplication?: number;
  /** Up to this much extra delay, which reorders datagrams. */
  jitterMs?: number;
  seed?: number;
  /** Larger datagrams are lost. */
  mtu?: number;
  /** A bottleneck, in each direction … */
  bytesPerSecond?: number;
  /** … and what may wait for it; more is lost. */
  queueBytes?: number;
}

export class Wire {
  readonly #clock: VirtualClock;
  readonly #options: WireOptions;
  readonly #random: Random;
  /** Cut: everything is lost. */
  cut = false;
  /** Larger datagrams are lost. */
  mtu: number;
  /** Sizes of what was sent, in order. */
  readonly sizes: number[] = [];
  /** Every datagram sent, when `recording`. */
  readonly recorded: Uint8Array[] = [];
  recording = false;
  /** By receiver: when the bottleneck will have passed on everything that waits for it. */
  readonly #busyUntil = new Map<string, number>();

  constructor(clock: VirtualClock, options: WireOptions = {}) {
    this.#clock = clock;
    this.#options = options;
    this.#random = seededRandom(options.seed ?? 1);
    this.mtu = options.mtu ?? Infinity;
  }

  carry(to: string, datagram: Uint8Array, deliver: (datagram: Uint8Array) => void): void {
    const { delayMs = 1, loss = 0, duplication = 0, jitterMs = 0 } = this.#options;
    const copy = datagram.slice();
    this.sizes.push(copy.length);
    if (this.recording) this.recorded.push(copy);
    if (this.cut || copy.length > this.mtu || this.#chance() < loss) return;
    const waitMs = this.#pass(to, copy.length);
    if (waitMs === undefined) return;
    const copies = this.#chance() < duplication ? 2 : 1;
    for (let index = 0; index < copies; index++) {
      this.#clock.after(waitMs + delayMs + jitterMs * this.#chance(), () => deliver(copy));
    }
  }

  /** How long the bottleneck takes to pass on `bytes`; undefined if it is full. */
  #pass(to: string, bytes: number): number | undefined {
    const { bytesPerSecond = Infinity, queueBytes = Infinity } = this.#options;
    const now = this.#clock.now();
    const begin = Math.max(now, this.#busyUntil.get(to) ?? 0);
    if ((begin - now) / 1000 * bytesPerSecond > queueBytes) return undefined;
    const end = begin + bytes / bytesPerSecond * 1000;
    this.#busyUntil.set(to, end);
    return end - now;
  }

  #chance(): number {
    const [value] = this.#random.fill(new Uint8Array(1));
    return value! / 256;
  }
}

export interface PairOptions {
  /** Whether both sides speak our own protocol, with many streams on a connection. */
  manyStreams?: boolean;
  wire?: WireOptions;
  server?: Partial<EndpointOptions>;
  client?: Partial<EndpointOptions>;
  seed?: number;
}

/** A client and a server endpoint. Closes both when disposed. */
export class Pair implements Disposable {
  readonly clock = new VirtualClock();
  readonly wire: Wire;
  client!: Endpoint;
  server!: Endpoint;
  readonly accepted: Connection[] = [];
  /** What both endpoints reported about functions that failed. */
  readonly errors: Error[] = [];

  private constructor(options: PairOptions) {
    this.wire = new Wire(this.clock, options.wire);
  }

  static async create(options: PairOptions = {}): Promise<Pair> {
    const pair = new Pair(options);
    const { clock, wire } = pair;
    const seed = options.seed ?? 1;
    const limits = options.manyStreams ? {} : { maxStreams: 0 };
    pair.server = await Endpoint.create({
      clock,
      random: seededRandom(2 * seed),
      send: (_to, datagram) =>
        wire.carry(CLIENT, datagram, (copy) => pair.client.receive(SERVER, copy)),
      server: insecureServerTls(),
      onConnection: (connection) => pair.accepted.push(connection),
      onError: (error) => pair.errors.push(error),
      ...options.server,
      limits: { ...limits, ...options.server?.limits },
    });
    pair.client = await Endpoint.create({
      clock,
      random: seededRandom(2 * seed + 1),
      send: (_to, datagram) =>
        wire.carry(SERVER, datagram, (copy) => pair.server.receive(CLIENT, copy)),
      onError: (error) => pair.errors.push(error),
      ...options.client,
      limits: { ...limits, ...options.client?.limits },
    });
    return pair;
  }

  /** Runs `promise` to its end, moving the clock as far as needed. */
  run<Result>(promise: Promise<Result>, limitMs?: number): Promise<Result> {
    return runUntilSettled(this.clock, promise, limitMs);
  }

  dial(tls: ClientTls = insecureClientTls(), signal?: AbortSignal): Promise<Connection> {
    return this.run(this.client.connect(SERVER, tls, "bar", { signal }));
  }

  /** A connection with its stream open on both sides, after a first byte. */
  async open(tls?: ClientTls): Promise<OpenPair> {
    const before = this.accepted.length;
    const dialled = await this.dial(tls);
    const near = await dialled.openStream();
    await near.write(Uint8Array.of(0));
    await this.clock.until(() => this.accepted.length > before, 10_000);
    const accepted = this.accepted.at(-1)!;
    const far = await this.run(accepted.acceptStream());
    await this.run(far.read(new Uint8Array(1)));
    return { dialled, near, accepted, far };
  }

  [Symbol.dispose](): void {
    this.client.close();
    this.server.close();
  }
}

export interface OpenPair {
  readonly dialled: Connection;
  readonly near: QuicStream;
  readonly accepted: Connection;
  readonly far: QuicStream;
}

/** Runs `promise` to its end, moving the clock as far as needed. */
export async function runUntilSettled<Result>(
  clock: VirtualClock,
  promise: Promise<Result>,
  limitMs = 120_000,
): Promise<Result> {
  let settled = false;
  const watched = promise.finally(() => settled = true);
  watched.catch(() => {});
  await clock.until(() => settled, limitMs, 1);
  return await watched;
}

/** Everything up to the end of the stream. */
export async function readAll(stream: QuicStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const into = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await stream.read(into);
    if (count === null) return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
    parts.push(into.slice(0, count));
  }
}
