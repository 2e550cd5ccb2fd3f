/**
 * Dials streams' connections, each from an ephemeral service of its own: whoever was dialled once
 * cannot name the other dials in an unreachable message.
 */
import type { Connection } from "../quic/connection.ts";
import type { PoolTarget } from "../quic/connection_pool.ts";
import type { Endpoint } from "../quic/endpoint.ts";
import { serviceFromText } from "../wire/data_packet.ts";
import { streamKey } from "./stream_address.ts";
import { createEndpoint, type StreamEndpointDeps } from "./stream_endpoint.ts";
import { StreamPort } from "./stream_port.ts";

export class StreamDialler implements Disposable {
  readonly #deps: StreamEndpointDeps;
  /** By service, for each connection that is not forgotten. */
  readonly #ports = new Map<string, StreamPort>();
  #endpoint: Endpoint | undefined;
  #starting: Promise<Endpoint> | undefined;
  #closed = false;

  constructor(deps: StreamEndpointDeps) {
    this.#deps = deps;
  }

  /** The key of a service's address. Throws "no route to node" if there is none. */
  key(nodeId: string, toService: string): string {
    const service = serviceFromText(toService);
    if (service === undefined) throw new RangeError(`service name ${toService} too long`);
    if (this.#deps.nodes.get(nodeId)?.nextHop === undefined) throw new Error("no route to node");
    return streamKey(nodeId, service);
  }

  /**
   * Makes a connection to an address and resolves after the handshake. Throws "service unknown" as
   * soon as that is known.
   */
  async connect(
    { remote, node, tls }: PoolTarget,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const endpoint = await this.#start();
    const port = new StreamPort(this.#deps, "", {
      receive: (key, datagram) => endpoint.receive(key, datagram, port.service),
      unreachable: (key, problem) => endpoint.unreachable(key, problem, port.service),
    });
    this.#ports.set(port.service, port);
    const local = port.service;
    try {
      return await endpoint.connect(remote, tls, node, { signal, local });
    } catch (error) {
      // Otherwise it is needed until the endpoint has forgotten the connection.
      if (!endpoint.has(local)) this.#forget(local);
      throw error;
    }
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
    this.#endpoint?.close();
    for (const local of [...this.#ports.keys()]) this.#forget(local);
  }

  #start(): Promise<Endpoint> {
    if (this.#closed) return Promise.reject(new Error("netceptor shutdown"));
    if (this.#endpoint !== undefined) return Promise.resolve(this.#endpoint);
    return this.#starting ??= this.#create().finally(() => this.#starting = undefined);
  }

  async #create(): Promise<Endpoint> {
    const endpoint = await createEndpoint(this.#deps, {
      name: "for dialling",
      send: (key, datagram, local) => this.#ports.get(local)?.send(key, datagram),
      writable: (key, local) => this.#ports.get(local)?.writable(key) ?? true,
      onDialOver: (local) => this.#forget(local),
    });
    if (this.#closed) {
      endpoint.close();
      throw new Error("netceptor shutdown");
    }
    return this.#endpoint = endpoint;
  }

  #forget(local: string): void {
    this.#ports.get(local)?.[Symbol.dispose]();
    this.#ports.delete(local);
  }
}
