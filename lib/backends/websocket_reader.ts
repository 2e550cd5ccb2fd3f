/** Cuts the byte stream of a WebSocket peer into messages. */
import { MAX_MESSAGE_BYTES } from "../wire/frame.ts";
import {
  applyMask,
  CloseCode,
  FINAL,
  FIRST_CONTROL_OPCODE,
  LENGTH,
  LENGTH_16,
  LENGTH_64,
  MASK_BYTES,
  MASKED,
  MAX_SHORT_LENGTH,
  OPCODE,
  Opcode,
  RESERVED,
  WebSocketError,
} from "./websocket_frame.ts";

/** What a peer's bytes contained. */
export interface TakenFrames {
  /** Views, valid until the next `space()`. */
  readonly messages: Uint8Array<ArrayBuffer>[];
  /** Payload of the last ping, if any; it needs a pong. */
  readonly ping: Uint8Array<ArrayBuffer> | undefined;
  /** Whether the peer closed the connection; nothing follows. */
  readonly closed: boolean;
}

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** The frames of one message so far. */
interface PartialMessage {
  bytes: Uint8Array<ArrayBuffer>;
  end: number;
  frames: number;
}

/** Size of a reader's first buffer: an idle link should cost little memory. */
const INITIAL_READ_BYTES = 16 * 1024;
/** Size of a busy reader's buffer; must hold a complete frame. */
const MAX_READ_BYTES = 256 * 1024;
/** Buffer that a message in several frames begins with. */
const INITIAL_PARTIAL_BYTES = 4 * 1024;
/** Most frames of one message. Peers cut one into 16, and proxies hardly into less than 64 bytes. */
const MAX_FRAMES = 1024;

/**
 * Cuts a byte stream into messages. Fill `space()` from the stream, then call `take()` with the
 * number of bytes read. Holds at most one incomplete frame and one incomplete message.
 */
export class WebSocketReader {
  #buffer = new Uint8Array(INITIAL_READ_BYTES);
  #words = new Uint32Array(this.#buffer.buffer);
  /** Bytes before `#start` were handed out; those before `#end` have arrived. */
  #start = 0;
  #end = 0;
  readonly #masked: boolean;
  /** A message whose last frame is still to come. */
  #partial: PartialMessage | undefined;

  /** `masked`: whether the peer is a client. */
  constructor({ masked }: { masked: boolean }) {
    this.#masked = masked;
  }

  /** Where to read into next. Invalidates all views that `take` has returned. */
  space(): Uint8Array<ArrayBuffer> {
    const held = this.#end - this.#start;
    // A read or a frame has filled the buffer, so there is probably more to come.
    const full = this.#end === this.#buffer.length;
    if (full && this.#buffer.length < MAX_READ_BYTES) {
      const grown = new Uint8Array(2 * this.#buffer.length);
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
      this.#words = new Uint32Array(grown.buffer);
    } else if (held > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = held;
    return this.#buffer.subarray(held);
  }

  /**
   * What is complete once `count` more bytes are in the space last given out. Throws a
   * `WebSocketError` if the peer violated the protocol; the reader can then no longer be used.
   */
  take(count: number): TakenFrames {
    this.#end += count;
    const messages: Uint8Array<ArrayBuffer>[] = [];
    let ping: Uint8Array<ArrayBuffer> | undefined;
    for (;;) {
      const frame = this.#nextFrame();
      if (frame === undefined) return { messages, ping, closed: false };
      if (frame.opcode === Opcode.close) return { messages, ping, closed: true };
      if (frame.opcode === Opcode.ping) ping = frame.payload;
      else if (frame.opcode !== Opcode.pong) {
        const message = this.#messageOf(frame);
        if (message !== undefined) messages.push(message);
      }
    }
  }

  #nextFrame(): Frame | undefined {
    const buffer = this.#buffer;
    const at = this.#start;
    const available = this.#end - at;
    if (available < 2) return undefined;
    const first = buffer[at]!;
    const second = buffer[at + 1]!;
    const frame = { opcode: first & OPCODE, final: (first & FINAL) !== 0 };
    this.#checkHead(first, second);

    let headerBytes = 2;
    let length = second & LENGTH;
    if (length === LENGTH_16) {
      headerBytes = 4;
      if (available < headerBytes) return undefined;
      length = buffer[at + 2]! * 256 + buffer[at + 3]!;
    } else if (length === LENGTH_64) {
      headerBytes = 10;
      if (available < headerBytes) return undefined;
      // As a double it is exact for all acceptable lengths.
      length = Number(new DataView(buffer.buffer, at + 2, 8).getBigUint64(0));
    }
    if (length > MAX_MESSAGE_BYTES) throw tooBig(length);
    const maskAt = at + headerBytes;
    const payloadAt = maskAt + (this.#masked ? MASK_BYTES : 0);
    const next = payloadAt + length;
    if (next > this.#end) return undefined;

    if (this.#masked) applyMask(buffer, this.#words, { maskAt, start: payloadAt, end: next });
    this.#start = next;
    return { ...frame, payload: buffer.subarray(payloadAt, next) };
  }

  #checkHead(first: number, second: number): void {
    if ((first & RESERVED) !== 0) throw violation("a frame with an extension that was not agreed");
    if (((second & MASKED) !== 0) !== this.#masked) {
      throw violation(this.#masked ? "a frame without a mask" : "a frame with a mask");
    }
    const opcode = first & OPCODE;
    if (opcode === Opcode.text) {
      throw new WebSocketError(CloseCode.unsupported, "the peer sent text, not binary messages");
    }
    if (opcode >= FIRST_CONTROL_OPCODE) {
      if (opcode > Opcode.pong) throw violation(`a frame of unknown type ${opcode}`);
      if ((first & FINAL) === 0) throw violation("a control frame in parts");
      if ((second & LENGTH) > MAX_SHORT_LENGTH) throw violation("a control frame that is too long");
    } else if (opcode > Opcode.binary) {
      throw violation(`a frame of unknown type ${opcode}`);
    } else if ((opcode === Opcode.continuation) !== (this.#partial !== undefined)) {
      throw violation("parts of messages out of order");
    }
  }

  /** The complete message that ends with this frame. */
  #messageOf({ payload, final }: Frame): Uint8Array<ArrayBuffer> | undefined {
    if (this.#partial === undefined && final) return payload;
    const partial = this.#partial ??= {
      bytes: new Uint8Array(INITIAL_PARTIAL_BYTES),
      end: 0,
      frames: 0,
    };
    if (++partial.frames > MAX_FRAMES) {
      throw violation(`a message in more than ${MAX_FRAMES} frames`);
    }
    append(partial, payload);
    if (!final) return undefined;
    this.#partial = undefined;
    return partial.bytes.subarray(0, partial.end);
  }
}

function append(partial: PartialMessage, payload: Uint8Array): void {
  const end = partial.end + payload.length;
  if (end > MAX_MESSAGE_BYTES) throw tooBig(end);
  if (end > partial.bytes.length) {
    let capacity = partial.bytes.length;
    while (capacity < end) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(partial.bytes.subarray(0, partial.end));
    partial.bytes = grown;
  }
  partial.bytes.set(payload, partial.end);
  partial.end = end;
}

function violation(what: string): WebSocketError {
  return new WebSocketError(CloseCode.protocolError, `the peer sent ${what}`);
}

function tooBig(length: number): WebSocketError {
  return new WebSocketError(
    CloseCode.tooBig,
    `the peer sent a message of ${length} bytes: at most ${MAX_MESSAGE_BYTES} are allowed`,
  );
}
