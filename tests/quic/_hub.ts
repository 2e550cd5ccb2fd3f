/** Any number of endpoints that reach each other by their keys ("node:service"), in virtual time. */
import type { Connection } from "../../lib/quic/connection.ts";
import { Endpoint } from "../../lib/quic/endpoint.ts";
import type { EndpointOptions } from "../../lib/quic/endpoint_options.ts";
import { insecureClientTls, insecureServerTls } from "../../lib/quic/insecure_tls.ts";
import { nodeOf } from "../../lib/quic/remotes.ts";
import type { ClientTls } from "../../lib/quic/tls.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { type OpenPair, runUntilSettled } from "./_pair.ts";

/** Delay of one way through the hub. */
const DELAY_MS = 1;

export class Hub implements Disposable {
  readonly clock = new VirtualClock();
  /** What endpoints reported about functions that failed. */
  readonly errors: Error[] = [];
  /** Connections that servers accepted, by their key. */
  readonly #accepted = new Map<string, Connection[]>();
  readonly #endpoints = new Map<string, Endpoint>();

  /** A server of the first key and clients of the others. */
  static async create(server: string, ...clients: string[]): Promise<Hub> {
    const hub = new Hub();
    await hub.add(server, { server: insecureServerTls() });
    for (const client of clients) await hub.add(client);
    return hub;
  }

  async add(key: string, options: Partial<EndpointOptions> = {}): Promise<Endpoint> {
    const accepted: Connection[] = [];
    const endpoint = await Endpoint.create({
      clock: this.clock,
      random: seededRandom(this.#endpoints.size + 1),
      send: (to, datagram) => this.send(key, to, datagram),
      onConnection: (connection) => accepted.push(connection),
      onError: (error) => this.errors.push(error),
      ...options,
      limits: { maxStreams: 0, ...options.limits },
    });
    this.#endpoints.set(key, endpoint);
    this.#accepted.set(key, accepted);
    return endpoint;
  }

  endpoint(key: string): Endpoint {
    return this.#endpoints.get(key)!;
  }

  accepted(key: string): Connection[] {
    return this.#accepted.get(key)!;
  }

  send(from: string, to: string, datagram: Uint8Array): void {
    const copy = datagram.slice();
    this.clock.after(DELAY_MS, () => this.#endpoints.get(to)?.receive(from, copy));
  }

  /** See `Pair.run`. */
  run<Result>(promise: Promise<Result>, limitMs?: number): Promise<Result> {
    return runUntilSettled(this.clock, promise, limitMs);
  }

  dial(from: string, to: string, tls: ClientTls = insecureClientTls()): Promise<Connection> {
    return this.endpoint(from).connect(to, tls, nodeOf(to));
  }

  /** A connection with its stream open on both sides, after a first byte. */
  async open(from: string, to: string): Promise<OpenPair> {
    const accepted = () => this.accepted(to).filter(({ remote }) => remote === from);
    const before = accepted().length;
    const dialled = await this.run(this.dial(from, to));
    const near = await dialled.openStream();
    await near.write(Uint8Array.of(0));
    await this.clock.until(() => accepted().length > before, 10_000);
    const connection = accepted().at(-1)!;
    const far = await this.run(connection.acceptStream());
    await this.run(far.read(new Uint8Array(1)));
    return { dialled, near, accepted: connection, far };
  }

  [Symbol.dispose](): void {
    for (const endpoint of this.#endpoints.values()) endpoint.close();
  }
}
