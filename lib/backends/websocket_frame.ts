/**
 * Frames of WebSocket (RFC 6455, section 5), as far as links need them:
 *
 *     0         1         2      (4 | 10)     (+4)
 *     +---------+---------+------+------------+---------…
 *     |F000 op  |M length | more length (BE)  | mask | payload
 *     +---------+---------+-------------------+------+--…
 *
 * F: last frame of its message; M: masked, as all of a client's frames are. A length of 126 means
 * that 2 bytes of length follow, 127 that 8 do.
 */

/** Bits of the first byte. */
export const FINAL = 0x80;
export const RESERVED = 0x70;
export const OPCODE = 0x0f;
/** Bits of the second byte. */
export const MASKED = 0x80;
export const LENGTH = 0x7f;
/** Lengths that stand for "16 bits follow" and "64 bits follow". */
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;
/** The greatest length in the second byte itself, and the longest payload of a control frame. */
export const MAX_SHORT_LENGTH = 125;
export const MASK_BYTES = 4;

export const Opcode = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;
/** Opcodes from here on are control frames. */
export const FIRST_CONTROL_OPCODE = 8;

/** Why a connection is closed, as in the close frame (RFC 6455, section 7.4). */
export const CloseCode = {
  normal: 1000,
  protocolError: 1002,
  unsupported: 1003,
  tooBig: 1009,
} as const;

/** The peer violated the protocol; `code` is for the close frame that tells it so. */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError";
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** Where in a buffer a mask and the bytes that it masks are. */
interface MaskedRange {
  readonly maskAt: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Puts the mask on or takes it off, in place. `words` are the same bytes as `bytes`; all machines
 * that Deno runs on are little-endian.
 */
export function applyMask(
  bytes: Uint8Array,
  words: Uint32Array,
  { maskAt, start, end }: MaskedRange,
): void {
  let at = start;
  const firstWord = Math.min(end, (start + 3) & ~3);
  for (; at < firstWord; at++) bytes[at]! ^= bytes[maskAt + (at - start) % MASK_BYTES]!;
  let word = 0;
  for (let index = 0; index < MASK_BYTES; index++) {
    word |= bytes[maskAt + (at - start + index) % MASK_BYTES]! << (8 * index);
  }
  const lastWord = Math.max(at, end & ~3);
  for (let index = at >>> 2; index < lastWord >>> 2; index++) words[index]! ^= word;
  for (at = lastWord; at < end; at++) bytes[at]! ^= bytes[maskAt + (at - start) % MASK_BYTES]!;
}
