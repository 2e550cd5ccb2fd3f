/** How streams begin, and with which codes they are reset or stopped (docs/streams.md). */
import { QuicError } from "./quic_error.ts";

/**
 * What each stream begins with, from its dialler, so that the listener sees it; with our own protocol
 * also the listener's answer, that it has taken the stream. Both sides drop it.
 */
export const FIRST_BYTE: Readonly<Uint8Array> = Uint8Array.of(0);

/**
 * The same, from a dialler that offers to tell the size of its window, and from a listener that takes
 * that offer: what the dialler sends then are frames (`terminal_frames.ts`). Our own protocol only.
 */
export const FIRST_BYTE_WITH_WINDOW: Readonly<Uint8Array> = Uint8Array.of(1);

export const StreamCode = {
  /** The reader closed the stream and wants no more of it. */
  left: 0,
  /** Broken off: what came is not complete. */
  aborted: 1,
  /** There are too many streams, of this node or of all. */
  tooMany: 2,
  /** The service does not take the stream: it did not begin as it should. */
  refused: 3,
  /** The connection is too old for new streams: a new one is wanted. */
  connectionTooOld: 4,
} as const;

/** What a reader is told when the peer has reset the stream with `code`. */
export function resetError(code: number): Error {
  switch (code) {
    case StreamCode.tooMany:
      return new QuicError("refused by the peer: too many streams", "closed-by-peer", code);
    case StreamCode.refused:
      return new QuicError("refused by the peer's service", "closed-by-peer", code);
    case StreamCode.connectionTooOld:
      return new QuicError(
        "refused by the peer: the connection is too old",
        "closed-by-peer",
        code,
      );
    default:
      return new Error("the peer abandoned the stream before its end");
  }
}
