/**
 * Framing of messages on a byte stream (TCP, TLS), and the form in which a link hands a batch of
 * messages to any backend:
 *
 *     0        2                2+n
 *     +--------+----------------+--------+---…
 *     | n (LE) | n bytes        | next n |
 *     +--------+----------------+--------+---…
 */

/** Largest message that the 16-bit length can express. */
export const MAX_MESSAGE_BYTES = 0xffff;
/** Bytes that a frame adds to its message. */
export const FRAME_HEADER_BYTES = 2;

/** Size of a reader's first buffer: an idle link should cost little memory. */
const INITIAL_READ_BYTES = 16 * 1024;
/** Size of a busy reader's buffer; must hold a complete frame of any size. */
const MAX_READ_BYTES = 256 * 1024;

/**
 * Cuts a byte stream into messages. Fill `space()` from the stream, then call `take()` with the
 * number of bytes read. Holds at most one incomplete frame between calls, so its memory is bounded.
 */
export class FrameReader {
  #buffer = new Uint8Array(INITIAL_READ_BYTES);
  /** Bytes before `#start` were handed out; those before `#end` have arrived. */
  #start = 0;
  #end = 0;

  /** Where to read into next. Invalidates all views that `take` has returned. */
  space(): Uint8Array<ArrayBuffer> {
    const held = this.#end - this.#start;
    const wanted = this.#wantedCapacity(held);
    if (wanted > this.#buffer.length) {
      const grown = new Uint8Array(wanted);
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
    } else if (held > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = held;
    return this.#buffer.subarray(held);
  }

  /** The complete messages, as views, once `count` more bytes are in the space last given out. */
  take(count: number): Uint8Array<ArrayBuffer>[] {
    const buffer = this.#buffer;
    const end = this.#end + count;
    let start = this.#start;
    const messages: Uint8Array<ArrayBuffer>[] = [];
    while (end - start >= FRAME_HEADER_BYTES) {
      const next = start + FRAME_HEADER_BYTES + frameLength(buffer, start);
      if (next > end) break;
      messages.push(buffer.subarray(start + FRAME_HEADER_BYTES, next));
      start = next;
    }
    this.#start = start;
    this.#end = end;
    return messages;
  }

  /**
   * Bytes of a frame that has begun but is not complete: if above 0, a stream should not end here.
   */
  get incompleteBytes(): number {
    return this.#end - this.#start;
  }

  #wantedCapacity(held: number): number {
    let wanted = this.#buffer.length;
    // The last read filled the buffer, so there is probably more to read.
    if (this.#end === wanted) wanted = Math.min(2 * wanted, MAX_READ_BYTES);
    if (held >= FRAME_HEADER_BYTES) {
      const frame = FRAME_HEADER_BYTES + frameLength(this.#buffer, this.#start);
      while (wanted < frame) wanted *= 2;
    }
    return wanted;
  }
}

/** Buffer that a batch begins with, when its first message comes. */
const INITIAL_BATCH_BYTES = 16 * 1024;
/** Buffer that an empty batch keeps at most. */
const MAX_KEPT_BATCH_BYTES = 512 * 1024;

/** Collects messages into one buffer of frames, up to a given number of bytes. */
export class FrameBatch {
  #buffer = new Uint8Array(0);
  #length = 0;
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of all frames so far. */
  get length(): number {
    return this.#length;
  }

  /** The frames, as a view that is valid until the next `append` or `clear`. */
  get frames(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Appends a copy of `head` and `tail` as one message; false if it no longer fits. */
  append(head: Uint8Array, tail?: Uint8Array): boolean {
    const tailLength = tail === undefined ? 0 : tail.length;
    const messageLength = head.length + tailLength;
    const start = this.#length;
    const end = start + FRAME_HEADER_BYTES + messageLength;
    if (messageLength > MAX_MESSAGE_BYTES || end > this.#maxBytes) return false;
    if (end > this.#buffer.length) this.#grow(end);
    const buffer = this.#buffer;
    buffer[start] = messageLength & 0xff;
    buffer[start + 1] = messageLength >>> 8;
    buffer.set(head, start + FRAME_HEADER_BYTES);
    if (tailLength > 0) buffer.set(tail!, start + FRAME_HEADER_BYTES + head.length);
    this.#length = end;
    return true;
  }

  clear(): void {
    this.#length = 0;
    // One burst should not cost its memory from then on.
    if (this.#buffer.length > MAX_KEPT_BATCH_BYTES) this.#buffer = new Uint8Array(0);
  }

  #grow(atLeast: number): void {
    let capacity = Math.max(INITIAL_BATCH_BYTES, this.#buffer.length);
    while (capacity < atLeast) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.frames);
    this.#buffer = grown;
  }
}

/** One message of at most `MAX_MESSAGE_BYTES` in its frame. */
export function frameOf(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + message.length);
  frame[0] = message.length & 0xff;
  frame[1] = message.length >>> 8;
  frame.set(message, FRAME_HEADER_BYTES);
  return frame;
}

/** The messages in a buffer of complete frames, as views. Throws a `RangeError` if cut short. */
export function* messagesIn(
  frames: Uint8Array<ArrayBuffer>,
): Generator<Uint8Array<ArrayBuffer>> {
  let start = 0;
  while (start < frames.length) {
    const next = start + FRAME_HEADER_BYTES + frameLength(frames, start);
    if (!(next <= frames.length)) {
      throw new RangeError(`frame at byte ${start} runs past the end (${frames.length} bytes)`);
    }
    yield frames.subarray(start + FRAME_HEADER_BYTES, next);
    start = next;
  }
}

/** NaN if the header itself is cut short. */
function frameLength(buffer: Uint8Array, at: number): number {
  return buffer[at]! + buffer[at + 1]! * 256;
}
