/** The places that an endpoint has for accepted connections, from the first packet to the last. */
import { ByNode, findPlace, judgeHandshake, type Judgement, type Place } from "./admission.ts";
import type { Connection } from "./connection.ts";
import { QuicError } from "./quic_error.ts";
import { nodeOf } from "./remotes.ts";

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
  /** The handshake is not complete. */
  readonly #halfOpen = new ByNode<Connection>();
  /** Established. */
  readonly #live = new ByNode<Connection>();
  /** Waiting for late packets from the peer, or for their reader. */
  readonly #over = new Set<Connection>();

  /** `onRefused` is told of connections that were closed for lack of room. */
  constructor(limits: PlaceLimits, onRefused: (remote: string, reason: string) => void) {
    this.#limits = limits;
    this.#onRefused = onRefused;
  }

  /** What to do about a new handshake; `proven` if it came with proof of its address. */
  judge(remote: string, proven: boolean): Judgement<Connection> {
    return judgeHandshake(this.#halfOpen, { node: nodeOf(remote), proven }, this.#limits);
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
   * connections.
   */
  establish(connection: Connection): boolean {
    const node = nodeOf(connection.remote);
    this.#halfOpen.delete(node, connection);
    const { maxConnections } = this.#limits;
    const limits = { max: maxConnections, maxPerNode: Math.ceil(maxConnections / 2) };
    const place = findPlace(this.#live, node, limits, (connections) => connections.at(-1));
    if (place === undefined) {
      this.#refuse(connection);
      return false;
    }
    if (place !== "free") this.#refuse(place.evict);
    this.#live.add(node, connection);
    return true;
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
    this.#over.delete(connection);
  }

  #refuse(connection: Connection): void {
    const { remote } = connection;
    const node = nodeOf(remote);
    this.#live.delete(node, connection);
    const reason = `too many connections from node ${node}`;
    connection.close(REFUSED, reason);
    this.#onRefused(remote, reason);
  }
}
