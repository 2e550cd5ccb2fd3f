/**
 * Frames of SPDY/3.1, as far as attaching to a container needs them:
 *
 *     |1| version 3 (15) | type (16) | flags (8) | length (24) | …     control
 *     |0| stream id (31)             | flags (8) | length (24) | …     data
 *
 * Headers are compressed with zlib, with one state for all of a connection. Ours are in stored
 * blocks, which are valid zlib, and without SPDY's dictionary, which the readers of API servers and
 * kubelets (Go's `zlib.NewReaderDict`) do not insist on. Those of the server say nothing that we
 * need, so they are skipped.
 */

export const FRAME_HEAD_BYTES = 8;

/** Types of control frames. */
export const SpdyType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** The sender sends nothing more in this stream. */
export const FLAG_FIN = 1;

const CONTROL = 0x8000_0000;
const VERSION = 3;
const MAX_LENGTH = 0xff_ffff;

export type SpdyHead =
  | {
    readonly kind: "control";
    readonly type: number;
    readonly flags: number;
    readonly length: number;
  }
  | {
    readonly kind: "data";
    readonly stream: number;
    readonly flags: number;
    readonly length: number;
  };

/** Throws a `SyntaxError` for a control frame of another version. */
export function parseSpdyHead(bytes: Uint8Array): SpdyHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEAD_BYTES);
  const first = view.getUint32(0);
  const second = view.getUint32(4);
  const flags = second >>> 24;
  const length = second & MAX_LENGTH;
  if (first < CONTROL) return { kind: "data", stream: first, flags, length };
  const version = (first >>> 16) & 0x7fff;
  if (version !== VERSION) throw new SyntaxError(`a frame of SPDY version ${version}, not 3`);
  return { kind: "control", type: first & 0xffff, flags, length };
}

export function controlFrame(type: number, flags: number, payload: Uint8Array): Uint8Array {
  return frame((CONTROL | (VERSION << 16) | type) >>> 0, flags, payload);
}

export function dataFrame(stream: number, flags: number, data: Uint8Array): Uint8Array {
  return frame(stream, flags, data);
}

function frame(first: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEAD_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, first);
  view.setUint32(4, ((flags << 24) | payload.length) >>> 0);
  bytes.set(payload, FRAME_HEAD_BYTES);
  return bytes;
}

/** A 32-bit number, as the payloads of several control frames are. */
export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Makes the frames that open streams on one connection. */
export class StreamOpener {
  /** The zlib stream of all headers has begun. */
  #begun = false;

  /** A frame that opens `stream`, an odd number greater than those before it. */
  open(stream: number, headers: readonly (readonly [name: string, value: string])[]): Uint8Array {
    const block = this.#compressed(headerBlock(headers));
    // No associated stream, highest priority, no slot.
    const payload = new Uint8Array(10 + block.length);
    new DataView(payload.buffer).setUint32(0, stream);
    payload.set(block, 10);
    return controlFrame(SpdyType.synStream, 0, payload);
  }

  #compressed(bytes: Uint8Array): Uint8Array {
    // Deflate with a window of 32 KiB, no dictionary (RFC 1950); then a stored block (RFC 1951) and
    // an empty one, at which the receiver's decompressor has everything.
    const head = this.#begun ? [] : [0x78, 0x01];
    this.#begun = true;
    const { length } = bytes;
    const low = length & 0xff;
    const high = length >>> 8;
    const stored = [0, low, high, low ^ 0xff, high ^ 0xff];
    return Uint8Array.of(...head, ...stored, ...bytes, 0, 0, 0, 0xff, 0xff);
  }
}

/** Count, then length and text of each name and value. */
function headerBlock(headers: readonly (readonly [name: string, value: string])[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts = headers.flat().map((text) => encoder.encode(text));
  return Uint8Array.of(
    ...uint32(headers.length),
    ...parts.flatMap((part) => [...uint32(part.length), ...part]),
  );
}
