/**
 * The node in the mesh as its users see it: what control service, work and services build on.
 * `Netceptor` implements it; a user declares the slice of it that it needs.
 */
import type { ByteConn } from "../base/byte_conn.ts";
import type { ClientTls, ServerTls } from "../quic/tls.ts";

/** A stream over the mesh, with who is at the other end. */
export interface MeshConn extends ByteConn {
  readonly remoteNode: string;
  readonly remoteService: string;
  /** Whether a named TLS config secures it (otherwise: encrypted, but not authenticated). */
  readonly secure: boolean;
  /** Resolves when the connection is over, with the error that ended it, if any; never rejects. */
  readonly closed: Promise<Error | undefined>;
  /**
   * Breaks both directions off: the peer's reader gets an error, where `close()` would have it see
   * the end of a stream that is not complete.
   */
  abort(): void;
}

export interface DialOptions {
  /** A named `tls-client` config; without it only the well-known insecure name is accepted. */
  tls?: ClientTls | undefined;
  signal?: AbortSignal | undefined;
}

export interface ListenOptions {
  tls?: ServerTls | undefined;
  /** Advertises the service to the mesh under these tags. */
  advertise?: { tags: Record<string, string> } | undefined;
}

export interface MeshListener extends AsyncDisposable {
  readonly service: string;
  /** Ready streams (the leading zero byte has been read); ends when the listener closes. */
  [Symbol.asyncIterator](): AsyncIterator<MeshConn>;
}

/** One answer to a ping, or one hop of a traceroute. */
export interface PingReply {
  /** The node that answered. */
  from: string;
  /** Round trip in nanoseconds. */
  timeNs: number;
  /** The problem that an intermediate node reported; "" for a pong. */
  error: string;
}

/** Work types of this node as advertised with the control service. */
export interface AdvertisedWorkType {
  WorkType: string;
  /** It requires a signature. */
  Secure: boolean;
}

/** The mesh's part of `status`, field by field as the original prints it. */
export interface MeshStatus {
  NodeID: string;
  Connections: { NodeID: string; Cost: number }[];
  RoutingTable: Record<string, string>;
  Advertisements: {
    NodeID: string;
    Service: string;
    /** RFC 3339 with nanoseconds. */
    Time: string;
    ConnType: 0 | 1 | 2;
    Tags: Record<string, string> | null;
    WorkCommands: AdvertisedWorkType[] | null;
  }[];
  KnownConnectionCosts: Record<string, Record<string, number>>;
}

export interface Mesh {
  readonly nodeId: string;
  /** The mesh's part of `status`, or only `fields` of it: nothing else is put together. */
  status<Field extends keyof MeshStatus = keyof MeshStatus>(
    fields?: readonly Field[],
  ): Pick<MeshStatus, Field>;
  /**
   * One ping, given up after 10 s. `hops` bounds how far it goes (default 30). Throws an `Error`
   * whose message is what the original's `ping` reports (`timeout`, `no route to node`, …).
   */
  ping(node: string, options?: { hops?: number; signal?: AbortSignal }): Promise<PingReply>;
  traceroute(node: string, options?: { signal?: AbortSignal }): AsyncIterable<PingReply>;
  dial(node: string, service: string, options?: DialOptions): Promise<MeshConn>;
  listen(service: string, options?: ListenOptions): Promise<MeshListener>;
  /** Replaces the list of work types advertised with the control service. */
  advertiseWorkTypes(types: AdvertisedWorkType[]): void;
  /** Whether a packet for `node` could leave now (this node itself counts). */
  hasRoute(node: string): boolean;
  /** Calls back after each change of the routing table; disposing ends it. */
  onRoutesChanged(listener: () => void): Disposable;
}
