/** The first byte of every message on a link, which says what follows. */
export const MessageType = {
  /** A data packet (`data_packet.ts`). */
  Data: 0,
  /** A route message, JSON (`route_message.ts`). */
  Route: 1,
  /** A service advertisement, JSON (`advertisement.ts`). */
  Advertisement: 2,
  /** Refuses the link; the body means nothing. */
  Reject: 3,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

const encoder = new TextEncoder();

/** One type byte and `body` as UTF-8: the form of all messages but data packets. */
export function encodeTextMessage(type: MessageType, body: string): Uint8Array<ArrayBuffer> {
  // A UTF-16 unit takes at most three bytes in UTF-8.
  const message = new Uint8Array(1 + 3 * body.length);
  message[0] = type;
  const { written } = encoder.encodeInto(body, message.subarray(1));
  return message.slice(0, 1 + written);
}

/** A reject message as the original sends it: an empty JSON list. */
export function encodeReject(): Uint8Array<ArrayBuffer> {
  return encodeTextMessage(MessageType.Reject, "[]");
}
