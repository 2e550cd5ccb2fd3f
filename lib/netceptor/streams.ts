/**
 * Streams over the mesh: many on a QUIC connection between nodes of ours, one with those of the
 * original.
 */
import { ConnectionPool, type PoolTarget } from "../quic/connection_pool.ts";
import type { QuicStream } from "../quic/quic_stream.ts";
import type { ClientTls } from "../quic/tls.ts";
import { ConnectionType } from "../wire/advertisement.ts";
import type { Advertisements } from "./advertisements.ts";
import type { DialOptions, ListenOptions, MeshConn, MeshListener } from "./mesh.ts";
import { describeKey } from "./stream_address.ts";
import { openStream } from "./stream_opening.ts";
import { StreamDialler } from "./stream_dialler.ts";
import type { StreamEndpointDeps } from "./stream_endpoint.ts";
import { StreamListener } from "./stream_listener.ts";

export interface StreamsDeps extends StreamEndpointDeps {
  readonly advertisements: Advertisements;
}

export class Streams implements Disposable {
  readonly #deps: StreamsDeps;
  readonly #listeners = new Set<StreamListener>();
  readonly #dialler: StreamDialler;
  readonly #pool: ConnectionPool;
  /** Always the same object, since the pool tells TLS configs apart by theirs. */
  #insecureTls: ClientTls | undefined;
  #closed = false;

  constructor(deps: StreamsDeps) {
    this.#deps = deps;
    this.#dialler = new StreamDialler(deps);
    this.#pool = new ConnectionPool({
      clock: deps.clock,
      dial: (target, signal) => this.#dialler.connect(target, signal),
    });
  }

  /** See `Mesh.dial`. */
  async dial(nodeId: string, service: string, options: DialOptions): Promise<MeshConn> {
    const { tls, signal, offersWindow } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw new Error("netceptor shutdown");
    const { insecureClientTls } = await import("../quic/insecure_tls.ts");
    this.#insecureTls ??= insecureClientTls();
    signal?.throwIfAborted();
    const target: PoolTarget = {
      remote: this.#dialler.key(nodeId, service),
      node: nodeId,
      tls: tls ?? this.#insecureTls,
    };
    const { stream, tellsWindow } = await openStream(
      { pool: this.#pool, clock: this.#deps.clock },
      target,
      { signal, offersWindow },
    ).catch((error: Error) => {
      throw unreachableError(error);
    });
    return this.#conn(stream, { secure: tls !== undefined, tellsWindow });
  }

  #conn(stream: QuicStream, facts: Pick<MeshConn, "secure" | "tellsWindow">): MeshConn {
    const { node } = describeKey(stream.remote);
    const neighbour = this.#deps.nodes.get(node)?.nextHop?.remoteNode;
    return new StreamConn(stream, { ...facts, neighbour });
  }

  /** See `Mesh.listen`. */
  listen(service: string, { tls, advertise, takesWindow = false }: ListenOptions): MeshListener {
    if (this.#closed) throw new Error("netceptor shutdown");
    const listener = new StreamListener(this.#deps, service, {
      tls,
      takesWindow,
      makeConn: (stream, tellsWindow) =>
        this.#conn(stream, { secure: tls !== undefined, tellsWindow }),
      onClose: () => this.#listeners.delete(listener),
    });
    this.#listeners.add(listener);
    this.#deps.log.debug(`added service ${listener.service} to listener registry`);
    if (advertise !== undefined) {
      const type = tls === undefined ? ConnectionType.Stream : ConnectionType.StreamTls;
      listener.useAdvertisement(
        this.#deps.advertisements.offer(listener.service, type, advertise.tags),
      );
    }
    return listener;
  }

  /** A link that was full has room again. */
  resume(): void {
    this.#dialler.resume();
    for (const listener of this.#listeners) listener.resume();
  }

  /** Ends the streams with a node that restarted at `sinceMs`: it no longer knows older ones. */
  forgetNode(nodeId: string, sinceMs: number): void {
    this.#dialler.forgetNode(nodeId, sinceMs);
    for (const listener of this.#listeners) listener.forgetNode(nodeId, sinceMs);
  }

  /** Ends all streams and listeners. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#pool[Symbol.dispose]();
    this.#dialler[Symbol.dispose]();
    for (const listener of this.#listeners) listener.close();
  }
}

/** A stream with the identity of its other end. */
class StreamConn implements MeshConn {
  readonly remoteNode: string;
  readonly remoteService: string;
  readonly neighbour: string | undefined;
  readonly secure: boolean;
  readonly tellsWindow: boolean;
  readonly closed: Promise<Error | undefined>;
  readonly #stream: QuicStream;

  constructor(
    stream: QuicStream,
    { neighbour, secure, tellsWindow }: Pick<MeshConn, "neighbour" | "secure" | "tellsWindow">,
  ) {
    const { node, service } = describeKey(stream.remote);
    this.remoteNode = node;
    this.remoteService = service;
    this.neighbour = neighbour;
    this.secure = secure;
    this.tellsWindow = tellsWindow;
    this.closed = stream.closed;
    this.#stream = stream;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#stream.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#stream.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  close(): void {
    this.#stream.close();
  }

  abort(): void {
    this.#stream.abort();
  }
}

/** The original's error for a service that does not exist. */
function unreachableError(error: Error): Error {
  const problem = / is unreachable: (.*)$/.exec(error.message)?.[1];
  return problem === undefined ? error : new Error(problem, { cause: error });
}
