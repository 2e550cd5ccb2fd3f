/** Why a QUIC connection or stream ended other than as agreed. */

/** What ended it. */
export type QuicEnding =
  /** We found the peer at fault, such as its certificate. */
  | "refused"
  /** The peer found us at fault. */
  | "refused-by-peer"
  /** The peer's application closed the connection. */
  | "closed-by-peer"
  /** Our side closed it. */
  | "closed"
  /** The peer no longer knows the connection, as after a restart. */
  | "reset"
  | "timed-out"
  | "unreachable"
  | "other";

export class QuicError extends Error {
  override readonly name = "QuicError";
  /**
   * `code` is QUIC's transport error code for "refused" and "refused-by-peer" (0x100 + the alert
   * for TLS), and the application's for "closed-by-peer" and "closed"; 0 otherwise.
   */
  constructor(
    message: string,
    readonly ending: QuicEnding,
    readonly code: number = 0,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Whether this is the orderly end of a connection ("normal close"). */
  get isNormalClose(): boolean {
    return (this.ending === "closed" || this.ending === "closed-by-peer") && this.code === 0;
  }

  /** The TLS alert behind a refused handshake. */
  get alert(): number | undefined {
    return this.code >= 0x100 && this.code <= 0x1ff ? this.code - 0x100 : undefined;
  }
}

/** The kinds of ending as the core numbers them (`core/src/ending.rs`). */
const ENDINGS: readonly QuicEnding[] = [
  "other",
  "refused",
  "refused-by-peer",
  "closed-by-peer",
  "reset",
  "timed-out",
  "closed",
  "other",
];

/** An error from what the core tells: the kind by number, the code, and words. */
export function endingError(kind: number, code: number, words: string, cause?: unknown): QuicError {
  const ending = ENDINGS[kind] ?? "other";
  const options = cause === undefined ? undefined : { cause };
  return new QuicError(message(ending, code, words), ending, code, options);
}

function message(ending: QuicEnding, code: number, words: string): string {
  switch (ending) {
    case "refused-by-peer":
      return `refused by the peer: ${words}`;
    case "closed-by-peer":
      return `closed by the peer: ${words} (code ${code})`;
    case "reset":
      return "the peer no longer knows the connection";
    case "timed-out":
      return "timed out: nothing more was heard from the peer";
    default:
      return words;
  }
}
