/** Why a QUIC connection or stream ended. */

/** What ended it. */
export type QuicEnding =
  /** We refused the peer, for instance because of its certificate. */
  | "refused"
  /** The peer refused us. */
  | "refused-by-peer"
  /** The peer's application closed the connection. */
  | "closed-by-peer"
  /** Our side closed it. */
  | "closed"
  /** The peer no longer knows the connection, for instance after a restart. */
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

  /** The TLS alert that refused a handshake; application codes are a separate set of numbers. */
  get alert(): number | undefined {
    if (this.ending !== "refused" && this.ending !== "refused-by-peer") return undefined;
    return this.code >= 0x100 && this.code <= 0x1ff ? this.code - 0x100 : undefined;
  }
}

/** The TLS alerts of a handshake that failed, by number (RFC 8446, section 6). */
const ALERTS: ReadonlyMap<number, string> = new Map([
  [40, "handshake failure"],
  [42, "bad certificate"],
  [43, "unsupported certificate"],
  [44, "certificate revoked"],
  [45, "certificate expired"],
  [46, "certificate unknown"],
  [48, "unknown certificate authority"],
  [49, "access denied"],
  [50, "decode error"],
  [51, "decrypt error"],
  [70, "protocol version"],
  [71, "insufficient security"],
  [80, "internal error"],
  [109, "missing extension"],
  [110, "unsupported extension"],
  [112, "unrecognized name"],
  [116, "certificate required"],
  [120, "no application protocol"],
]);

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

/** An error from what the core reports: the number of the kind, the code, and a text. */
export function endingError(kind: number, code: number, words: string, cause?: unknown): QuicError {
  const ending = ENDINGS[kind] ?? "other";
  const options = cause === undefined ? undefined : { cause };
  return new QuicError(message(ending, code, words), ending, code, options);
}

function message(ending: QuicEnding, code: number, words: string): string {
  switch (ending) {
    case "refused-by-peer":
      return `refused by the peer: ${nameAlert(code, words)}`;
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

/** The core's text names an alert by its number: `error 48`. */
function nameAlert(code: number, words: string): string {
  const alert = code - 0x100;
  const name = ALERTS.get(alert);
  return name === undefined ? words : words.replace(`error ${alert}`, `${name} (alert ${alert})`);
}
