/** What all services are to the daemon, and stream services among themselves. */
import type { ByteConn } from "../base/byte_conn.ts";

/** A service that holds its port, or whatever else it listens on. */
export interface Service extends AsyncDisposable {
  /** Serves until `signal` aborts; resolves when its last connection is over. Call it once. */
  run(signal: AbortSignal): Promise<void>;
}

/** A connection that came in on a stream service. */
export interface Incoming {
  readonly conn: ByteConn;
  /** Where from, for messages. */
  readonly from: string;
  /** Whom it counts for where something is shared: a network, a node, the users of a socket. */
  readonly source: string;
}

/** Where a stream service's connections come in; disposing gives back what it listens on. */
export interface Entrance extends AsyncDisposable {
  /**
   * Calls `serve`, which never rejects, for each connection until `signal` aborts. Resolves after
   * the last call is over.
   */
  serve(serve: (incoming: Incoming) => Promise<void>, signal: AbortSignal): Promise<void>;
}

/** Where a stream service's connections lead. */
export interface Exit {
  /** Begins a line about a failed `dial`, in the original's words. */
  readonly problem: string;
  dial(signal: AbortSignal): Promise<ByteConn>;
}
