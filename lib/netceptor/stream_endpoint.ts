/**
 * QUIC on one service of this node: its packets go to a QUIC endpoint, and what that sends becomes
 * packets. The QUIC core is loaded with the first packet.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Connection } from "../quic/connection.ts";
import type { Endpoint } from "../quic/endpoint.ts";
import type { EndpointOptions } from "../quic/endpoint_options.ts";
import type { ServerTls } from "../quic/tls.ts";
import type { DropLog } from "./drop_log.ts";
import { StreamPort, type StreamPortDeps } from "./stream_port.ts";

export interface StreamEndpointDeps extends StreamPortDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly drops: DropLog;
}

/** What an endpoint needs to accept connections. */
export interface StreamAcceptor {
  /** Undefined: encrypted, but not authenticated. */
  readonly tls: ServerTls | undefined;
  /** Gets each connection when its handshake is complete. */
  onConnection(connection: Connection): void;
}

/** Packets that may wait for the core to load; QUIC resends what is dropped. */
const MAX_EARLY_PACKETS = 64;

export class StreamEndpoint implements Disposable {
  readonly #deps: StreamEndpointDeps;
  readonly #acceptor: StreamAcceptor;
  readonly #port: StreamPort;
  #endpoint: Endpoint | undefined;
  #starting: Promise<void> | undefined;
  #early: { readonly key: string; readonly datagram: Uint8Array }[] = [];
  #closed = false;

  /** `service` "" stands for a new ephemeral one. Throws if it is too long or taken. */
  constructor(deps: StreamEndpointDeps, service: string, acceptor: StreamAcceptor) {
    this.#deps = deps;
    this.#acceptor = acceptor;
    this.#port = new StreamPort(deps, service, {
      receive: (key, datagram) => this.#receive(key, datagram),
    });
  }

  get service(): string {
    return this.#port.service;
  }

  /** A link that was full has room again. */
  resume(): void {
    this.#endpoint?.resume();
  }

  /** See `Streams`. */
  forgetNode(nodeId: string, sinceMs: number): void {
    this.#endpoint?.forgetNode(nodeId, sinceMs);
  }

  /** Ends all connections now. May be repeated. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#early = [];
    this.#endpoint?.close();
    this.#port[Symbol.dispose]();
  }

  #receive(key: string, datagram: Uint8Array): void {
    if (this.#endpoint !== undefined) return this.#endpoint.receive(key, datagram);
    if (this.#early.length >= MAX_EARLY_PACKETS) return;
    this.#early.push({ key, datagram: datagram.slice() });
    if (this.#starting !== undefined) return;
    this.#starting = this.#start().catch((error: Error) => {
      this.#early = [];
      this.#deps.log.error(`Service ${this.service} cannot accept streams: ${error.message}`);
    }).finally(() => this.#starting = undefined);
  }

  async #start(): Promise<void> {
    const { service } = this;
    const { insecureServerTls } = await import("../quic/insecure_tls.ts");
    const { tls } = this.#acceptor;
    const endpoint = await createEndpoint(this.#deps, {
      name: service,
      send: (key, datagram) => this.#port.send(key, datagram),
      writable: (key) => this.#port.writable(key),
      server: tls ?? insecureServerTls(),
      onConnection: (connection) => this.#acceptor.onConnection(connection),
      onIdentityRefused: ({ message }) =>
        this.#deps.log.warning(`Service ${service} keeps its earlier certificate: ${message}`),
      onRefused: (_key, reason) =>
        this.#deps.drops.countLimit("stream refused", `service ${service}: ${reason}`),
    });
    if (this.#closed) {
      endpoint.close();
      throw new Error(`service ${service} is closed`);
    }
    this.#endpoint = endpoint;
    for (const { key, datagram } of this.#early) endpoint.receive(key, datagram);
    this.#early = [];
  }
}

/** The QUIC endpoint of the service called `name`, for the log; loads the core if need be. */
export async function createEndpoint(
  { clock, random, nodes, drops }: StreamEndpointDeps,
  { name, ...options }:
    & { readonly name: string }
    & Omit<EndpointOptions, "clock" | "random" | "core" | "neighbourOf" | "onError">,
): Promise<Endpoint> {
  // Here and not at the top: a node without streams starts sooner.
  const [{ Endpoint }, { loadCore }] = await Promise.all([
    import("../quic/endpoint.ts"),
    import("../quic/load_core.ts"),
  ]);
  return await Endpoint.create({
    ...options,
    clock,
    random,
    core: await loadCore(),
    neighbourOf: (node) => nodes.get(node)?.nextHop?.remoteNode ?? node,
    onError: ({ message }) => drops.count("streams failed", `service ${name}: ${message}`),
  });
}
