/**
 * The places that an endpoint has for what it accepts: connections, from the first packet to the last,
 * and the streams of those that have many.
 */
import {
  ByNode,
  findPlace,
  judgeHandshake,
  type Judgement,
  type NeighbourOf,
  type Place,
} from "./admission.ts";
import type { Connection } from "./connection.ts";
import { QuicError } from "./quic_error.ts";
import { QuicStream } from "./quic_stream.ts";
import { nodeOf } from "./remotes.ts";
import { StreamCode } from "./stream_codes.ts";

/** Most connections that are over but still held; beyond that, the oldest are forgotten early. */
const MOST_OVER = 4096;
/** Application error code with which the original refuses a connection. */
const REFUSED = 500;

export interface PlaceLimits {
  readonly maxHalfOpen: number;
  readonly maxUnproven: number;
  readonly maxConnections: number;
}

export class ConnectionPlaces {
  readonly #limits: PlaceLimits;
  readonly #onRefused: (remote: string, reason: string) => void;
  readonly #neighbourOf: NeighbourOf | undefined;
  /** The handshake is not complete. */
  readonly #halfOpen = new ByNode<Connection>();
  /** Established, and their streams where they may have many. */
  readonly #live = new ByNode<Connection | QuicStream>();
  /** Waiting for late packets of the peer, or for their reader. */
  readonly #over = new Set<Connection>();

  /** `onRefused` is told of connections that were closed for lack of room. */
  constructor(
    limits: PlaceLimits,
    onRefused: (remote: string, reason: string) => void,
    neighbourOf?: NeighbourOf,
  ) {
    this.#limits = limits;
    this.#onRefused = onRefused;
    this.#neighbourOf = neighbourOf;
  }

  /** What to do about a new handshake; `proven` if it came with proof of its address. */
  judge(remote: string, proven: boolean): Judgement<Connection> {
    const handshake = { node: nodeOf(remote), proven };
    return judgeHandshake(this.#halfOpen, handshake, this.#limits, this.#neighbourOf);
  }

  /** A handshake begins in its assigned place. */
  begin(connection: Connection, place: Place<Connection>): void {
    if (place !== "free") {
      place.evict.abandon(new QuicError("made room for a newer handshake", "other"));
    }
    this.#halfOpen.add(nodeOf(connection.remote), connection);
  }

  /**
   * A handshake is complete. Closes the connection and returns false if its node has its share of
   * places.
   */
  establish(connection: Connection): boolean {
    this.#halfOpen.delete(nodeOf(connection.remote), connection);
    if (this.#take(connection, connection.remote)) return true;
    this.#refuse(connection, connection.remote);
    return false;
  }

  /**
   * The peer opened one of many streams. Refuses it and returns false if its node has its share of
   * places.
   */
  admitStream(connection: Connection, stream: QuicStream): boolean {
    if (this.#take(stream, connection.remote)) return true;
    this.#refuse(stream, connection.remote);
    return false;
  }

  /** A stream is over. */
  streamGone(connection: Connection, stream: QuicStream): void {
    this.#live.delete(nodeOf(connection.remote), stream);
  }

  /** The connection is over, but still held. */
  retire(connection: Connection): void {
    this.forget(connection);
    this.#over.add(connection);
    if (this.#over.size <= MOST_OVER) return;
    const [oldest] = this.#over;
    oldest!.abandon(oldest!.ended!);
  }

  /** The connection is gone. */
  forget(connection: Connection): void {
    const node = nodeOf(connection.remote);
    this.#halfOpen.delete(node, connection);
    this.#live.delete(node, connection);
    for (const stream of connection.streams) this.#live.delete(node, stream);
    this.#over.delete(connection);
  }

  /** Gives `item` a place, at the cost of the heaviest node's newest if need be. */
  #take(item: Connection | QuicStream, remote: string): boolean {
    const node = nodeOf(remote);
    const { maxConnections } = this.#limits;
    const limits = { max: maxConnections, maxPerNode: Math.ceil(maxConnections / 2) };
    const newest = (items: readonly (Connection | QuicStream)[]) => items.at(-1);
    const place = findPlace(this.#live, node, limits, newest, this.#neighbourOf);
    if (place === undefined) return false;
    if (place !== "free") this.#refuse(place.evict, place.evict.remote);
    this.#live.add(node, item);
    return true;
  }

  #refuse(item: Connection | QuicStream, remote: string): void {
    const node = nodeOf(remote);
    this.#live.delete(node, item);
    if (item instanceof QuicStream) {
      this.#onRefused(remote, `too many streams from node ${node}`);
      item.breakOff(StreamCode.tooMany);
    } else {
      const reason = `too many connections from node ${node}`;
      item.close(REFUSED, reason);
      this.#onRefused(remote, reason);
    }
  }
}
