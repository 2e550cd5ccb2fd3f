/** Streams over the mesh: one QUIC connection with one stream each. */
import type { Connection } from "../quic/connection.ts";
import type { QuicStream } from "../quic/quic_stream.ts";
import { ConnectionType } from "../wire/mod.ts";
import type { Advertisements } from "./advertisements.ts";
import type { DialOptions, ListenOptions, MeshConn, MeshListener } from "./mesh.ts";
import { describeKey } from "./stream_address.ts";
import { StreamEndpoint, type StreamEndpointDeps } from "./stream_endpoint.ts";
import { StreamListener } from "./stream_listener.ts";

export interface StreamsDeps extends StreamEndpointDeps {
  readonly advertisements: Advertisements;
}

export class Streams implements Disposable {
  readonly #deps: StreamsDeps;
  readonly #listeners = new Set<StreamListener>();
  /** Everything is dialled from one ephemeral service. */
  #dialling: StreamEndpoint | undefined;
  #closed = false;

  constructor(deps: StreamsDeps) {
    this.#deps = deps;
  }

  /** See `Mesh.dial`. */
  async dial(nodeId: string, service: string, options: DialOptions): Promise<MeshConn> {
    const { tls, signal } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw new Error("netceptor shutdown");
    this.#dialling ??= new StreamEndpoint(this.#deps, "");
    const { insecureClientTls } = await import("../quic/insecure_tls.ts");
    const connection = await this.#dialling
      .connect(nodeId, service, tls ?? insecureClientTls(), signal)
      .catch((error: Error) => {
        throw unreachableError(error);
      });
    try {
      const stream = await connection.openStream({ signal });
      // The listener sees the stream with its first byte, which it drops.
      await stream.write(Uint8Array.of(0));
      return new StreamConn(connection, stream, tls !== undefined);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** See `Mesh.listen`. */
  listen(service: string, { tls, advertise }: ListenOptions): MeshListener {
    if (this.#closed) throw new Error("netceptor shutdown");
    const listener = new StreamListener(this.#deps, service, {
      tls,
      makeConn: (connection, stream) => new StreamConn(connection, stream, tls !== undefined),
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
    this.#dialling?.resume();
    for (const listener of this.#listeners) listener.resume();
  }

  /** Ends all streams with a node that has restarted: it no longer knows them. */
  forgetNode(nodeId: string): void {
    this.#dialling?.forgetNode(nodeId);
    for (const listener of this.#listeners) listener.forgetNode(nodeId);
  }

  /** Ends all streams and listeners. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#dialling?.[Symbol.dispose]();
    for (const listener of this.#listeners) listener.close();
  }
}

/** A stream with the identity of its other end. */
class StreamConn implements MeshConn {
  readonly remoteNode: string;
  readonly remoteService: string;
  readonly secure: boolean;
  readonly closed: Promise<Error | undefined>;
  readonly #connection: Connection;
  readonly #stream: QuicStream;

  constructor(connection: Connection, stream: QuicStream, secure: boolean) {
    const { node, service } = describeKey(connection.remote);
    this.remoteNode = node;
    this.remoteService = service;
    this.secure = secure;
    this.closed = connection.closed;
    this.#connection = connection;
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
    this.#connection.close();
  }
}

/** The original's error for a service that does not exist. */
function unreachableError(error: Error): Error {
  const problem = / is unreachable: (.*)$/.exec(error.message)?.[1];
  return problem === undefined ? error : new Error(problem, { cause: error });
}
