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
  /** Resolves when it is over, with the error that ended it, if any; absent where nothing tells. */
  readonly closed?: Promise<Error | undefined>;
  /** What comes in are the frames of a client with a window (`terminal_frames.ts`). */
  readonly tellsWindow?: boolean;
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
export interface Exit extends Partial<AsyncDisposable> {
  /** Begins a line about a failed `open`, in the original's words. */
  readonly problem: string;
  /** Opens the way on for a connection, and resolves to what carries that along it. */
  open(incoming: Incoming, signal: AbortSignal): Promise<Carry>;
}

/**
 * Carries a connection until it is over or the signal aborts; closes it, and whatever it led to.
 * Rejects if its end was no regular one. Must be called, even if it is over before it began.
 */
export type Carry = (signal: AbortSignal) => Promise<void>;
