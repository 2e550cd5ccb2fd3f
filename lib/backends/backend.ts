/**
 * What the mesh knows about a link's carrier. TCP, UDP and WebSocket all come down to complete
 * messages in and complete messages out (as does a memory pair in tests).
 */

/** One live connection to a neighbour. Whoever receives it closes it. */
export interface Session {
  /** For logs and errors, such as `tcp 192.0.2.1:27199`. */
  readonly description: string;
  /** IP address of the stranger that connected to a listener; undefined if we dialled. */
  readonly acceptedFrom?: string | undefined;
  /**
   * Node ids in the certificate that the neighbour showed, if it was verified; undefined without
   * one.
   */
  readonly certifiedNodes?: readonly string[] | undefined;
  /**
   * Present while the address may be forged: until then, no more bytes are sent than have arrived,
   * and the rest is lost. Call it once the neighbour has shown that what is sent there arrives.
   */
  confirmAddress?(): void;
  /**
   * The next batch of complete messages, at least one, or `null` once either side has closed. The
   * views are valid until the next call, and the receiver may write into them. Rejects if the
   * connection breaks or a message is malformed. One call at a time.
   */
  receive(): Promise<readonly Uint8Array<ArrayBuffer>[] | null>;
  /**
   * Sends complete messages in order, given as frames (`lib/wire/frame.ts`): a byte stream takes
   * them as they are, other carriers split them with `messagesIn`. Resolves when the carrier has
   * taken them all, which is the back-pressure; then `frames` may be reused. Rejects if the
   * connection is broken or closed. One call at a time.
   */
  send(frames: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Ends the session now; may be repeated. */
  close(): void;
}

/**
 * Takes over a session. Resolves when the session is over; the result says whether the link ever
 * came up, which resets the redial delay.
 */
export type OnSession = (session: Session) => Promise<{ established: boolean }>;

/** A listener or a dialler: something that produces sessions until it is told to stop. */
export interface Backend {
  /** For logs, such as `tcp-listener 0.0.0.0:27199`. */
  readonly description: string;
  /**
   * Produces sessions until `signal` aborts; redials as configured. Resolves after the last session
   * has ended, and gives back its port if it has one: at once if `signal` is already aborted.
   * Rejects if it cannot go on.
   */
  run(onSession: OnSession, signal: AbortSignal): Promise<void>;
}

/** The policy that the mesh applies to the sessions of one backend. */
export interface LinkPolicy {
  /** Cost of a link, above 0. */
  readonly cost: number;
  /** Cost by node id of the neighbour, instead of `cost`. Listeners only. */
  readonly nodeCost: Readonly<Record<string, number>>;
  /** Node ids that may connect; undefined for all. */
  readonly allowedPeers?: readonly string[] | undefined;
  /** The neighbour's certificate must name the node id that it gives. */
  readonly verifyNodeId?: boolean | undefined;
}
