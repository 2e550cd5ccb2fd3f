/**
 * What the mesh knows of a link's carrier. TCP, UDP and WebSocket all come down to whole messages
 * in, whole messages out (a memory pair in tests too).
 */

/** One live connection to a neighbour. The side that got it closes it. */
export interface Session {
  /** For logs and errors, such as `tcp 192.0.2.1:27199`. */
  readonly description: string;
  /** IP address of the stranger who connected to a listener; undefined when we dialled. */
  readonly acceptedFrom?: string | undefined;
  /**
   * Present while the address may be forged: what is sent is then lost unless as many bytes came
   * before. To be called when the neighbour has shown that what is sent there arrives.
   */
  confirmAddress?(): void;
  /**
   * The next batch of whole messages, at least one, or `null` when the neighbour closed or we did.
   * The views are valid until the next call, and the receiver may write into them. Rejects when
   * the connection broke or a message is malformed. One call at a time.
   */
  receive(): Promise<readonly Uint8Array<ArrayBuffer>[] | null>;
  /**
   * Sends whole messages in order, given as frames (`lib/wire/frame.ts`): a byte stream takes them
   * as they lie, other carriers cut them with `messagesIn`. Resolves when the carrier took them
   * all, which is the back-pressure; `frames` may be reused then. Rejects when the connection
   * broke or is closed. One call at a time.
   */
  send(frames: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Ends the session now; may be repeated. */
  close(): void;
}

/**
 * Takes over a session. Resolves when that session is over; the result says whether the link ever
 * came up, which resets a redial delay.
 */
export type OnSession = (session: Session) => Promise<{ established: boolean }>;

/** A listener or a dialler: something that produces sessions until it is told to stop. */
export interface Backend {
  /** For logs, such as `tcp-listener 0.0.0.0:27199`. */
  readonly description: string;
  /**
   * Produces sessions until `signal` aborts; redials as configured. Resolves after the last session
   * ended, and gives back its port if it has one: at once when `signal` is aborted already. Rejects
   * when it cannot go on.
   */
  run(onSession: OnSession, signal: AbortSignal): Promise<void>;
}

/** What policy the mesh applies to the sessions of one backend. */
export interface LinkPolicy {
  /** Cost of a link, above 0. */
  readonly cost: number;
  /** Cost by node id of the neighbour, instead of `cost`. Listeners only. */
  readonly nodeCost: Readonly<Record<string, number>>;
  /** Node ids that may connect; undefined for all. */
  readonly allowedPeers?: readonly string[] | undefined;
}
