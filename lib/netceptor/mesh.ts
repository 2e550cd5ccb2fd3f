/**
 * The node in the mesh as its users see it: control service, work and services build on it.
 * `Netceptor` implements it; each user declares the slice that it needs.
 */
import type { ByteConn } from "../base/byte_conn.ts";
import type { ClientTls, ServerTls } from "../quic/tls.ts";
import type { DatagramHandler, DatagramPort, DatagramPortOptions } from "./datagram_port.ts";

/** A stream over the mesh, with the identity of the other end. */
export interface MeshConn extends ByteConn {
  readonly remoteNode: string;
  readonly remoteService: string;
  /** The neighbour through which the other end was reached when the stream began, if known. */
  readonly neighbour?: string | undefined;
  /** Whether a named TLS config secures it (otherwise: encrypted, but not authenticated). */
  readonly secure: boolean;
  /**
   * Whether the dialler sends the frames of a client with a window (`terminal_frames.ts`): it has
   * offered that, and the service takes them.
   */
  readonly tellsWindow: boolean;
  /**
   * Resolves when the stream is over or the peer has broken it off, with the error that ended it,
   * if any; never rejects.
   */
  readonly closed: Promise<Error | undefined>;
  /**
   * Aborts both directions: the peer's reader gets an error, whereas after `close()` it would take
   * an incomplete stream for a complete one.
   */
  abort(): void;
}

export interface DialOptions {
  /** A named `tls-client` config; without one, only the well-known insecure name is accepted. */
  tls?: ClientTls | undefined;
  /** Offers to tell the size of a window; `tellsWindow` of the stream says whether to do so. */
  offersWindow?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export interface ListenOptions {
  tls?: ServerTls | undefined;
  /** Advertises the service to the mesh under these tags. */
  advertise?: { tags: Record<string, string> } | undefined;
  /** Takes the offers of diallers to tell the size of their window. */
  takesWindow?: boolean | undefined;
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
  /** Submissions must be signed. */
  Secure: boolean;
}

/** A service of some node, as `status` shows it. */
export interface AdvertisedService {
  NodeID: string;
  Service: string;
  /** RFC 3339 with nanoseconds. */
  Time: string;
  ConnType: 0 | 1 | 2;
  Tags: Record<string, string> | null;
  WorkCommands: AdvertisedWorkType[] | null;
}

/** The mesh's part of `status`, field by field as the original prints it. */
export interface MeshStatus {
  NodeID: string;
  Connections: { NodeID: string; Cost: number }[];
  RoutingTable: Record<string, string>;
  Advertisements: AdvertisedService[];
  KnownConnectionCosts: Record<string, Record<string, number>>;
}

/** A service of another node, as that advertises it. */
export interface OfferedService {
  readonly nodeId: string;
  /** Decoded each time: they may be many. */
  tags(): ReadonlyMap<string, string> | null;
}

/** How a node can be reached. */
export interface MeshPath {
  /** The neighbour to go through. */
  readonly via: string;
  readonly cost: number;
}

export interface Mesh {
  readonly nodeId: string;
  /** The mesh's part of `status`, or only `fields` of it: nothing else is computed. */
  status<Field extends keyof MeshStatus = keyof MeshStatus>(
    fields?: readonly Field[],
  ): Pick<MeshStatus, Field>;
  /**
   * `Advertisements` of `status`, each made when it is asked for: making them all may take longer
   * than one turn of the event loop should.
   */
  advertisements(): Iterable<AdvertisedService>;
  /**
   * The rows of `KnownConnectionCosts`, which may be very many: by node, the cost to each
   * neighbour.
   */
  connectionCosts(): Iterable<[node: string, costs: ReadonlyMap<string, number>]>;
  /**
   * One ping, which gives up after 10 s. `hops` bounds how far it goes (default 30). Throws an
   * `Error` with the message that the original's `ping` reports (`timeout`, `no route to node`, …).
   */
  ping(node: string, options?: { hops?: number; signal?: AbortSignal }): Promise<PingReply>;
  traceroute(node: string, options?: { signal?: AbortSignal }): AsyncIterable<PingReply>;
  dial(node: string, service: string, options?: DialOptions): Promise<MeshConn>;
  listen(service: string, options?: ListenOptions): Promise<MeshListener>;
  /**
   * Sends and receives single datagrams on `service` ("" for a new ephemeral one). Throws a
   * `RangeError` if the name is too long, or a `ServiceTakenError`.
   */
  openDatagramPort(
    service: string,
    handler: DatagramHandler,
    options?: DatagramPortOptions,
  ): DatagramPort;
  /** Replaces the list of work types advertised with the control service. */
  advertiseWorkTypes(types: AdvertisedWorkType[]): void;
  /** Whether a packet for `node` could be sent now (true for this node itself). */
  hasRoute(node: string): boolean;
  /** Calls back after each change of the routing table; disposing ends it. */
  onRoutesChanged(listener: () => void): Disposable;
  /** The way to each node that can be reached, computed at each call. */
  paths(): ReadonlyMap<string, MeshPath>;
  /** The services called `service` that other nodes, reachable or not, advertise. */
  offersOf(service: string): OfferedService[];
  /**
   * Calls back when another node has advertised a service called `service`, perhaps as before, or
   * withdrawn it; disposing ends it.
   */
  onOffer(service: string, listener: () => void): Disposable;
}
