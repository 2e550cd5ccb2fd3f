/** Turns messages into the frames of WebSocket. */
import type { Random } from "../base/random.ts";
import { messagesIn } from "../wire/frame.ts";
import {
  applyMask,
  FINAL,
  LENGTH_16,
  MASK_BYTES,
  MASKED,
  MAX_SHORT_LENGTH,
  Opcode,
} from "./websocket_frame.ts";

/** How many random bytes to draw at once for masks. */
const MASK_POOL_BYTES = 4096;
/** Size of a batch's first buffer. */
const INITIAL_BATCH_BYTES = 16 * 1024;
/** A header with a 16-bit length, which always suffices: a message has at most 65,535 bytes. */
const MAX_HEADER_BYTES = 4 + MASK_BYTES;

export class WebSocketWriter {
  readonly #batch = new FrameBuffer(INITIAL_BATCH_BYTES);
  readonly #random: Random | undefined;
  #maskPool = new Uint8Array(0);

  /** `random` makes the masks, which a client's frames have. */
  constructor(random?: Random) {
    this.#random = random;
  }

  /** The frames of `lib/wire/frame.ts` as binary messages. A view, valid until the next call. */
  binary(frames: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    this.#batch.clear();
    for (const message of messagesIn(frames)) {
      this.#batch.append(Opcode.binary, message, this.#nextMask());
    }
    return this.#batch.frames;
  }

  ping(): Uint8Array<ArrayBuffer> {
    return this.#control(Opcode.ping, new Uint8Array(0));
  }

  pong(payload: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.#control(Opcode.pong, payload);
  }

  close(code: number): Uint8Array<ArrayBuffer> {
    return this.#control(Opcode.close, Uint8Array.of(code >>> 8, code & 0xff));
  }

  #control(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
    const buffer = new FrameBuffer(MAX_HEADER_BYTES + payload.length);
    buffer.append(opcode, payload, this.#nextMask());
    return buffer.frames;
  }

  #nextMask(): Uint8Array | undefined {
    if (this.#random === undefined) return undefined;
    if (this.#maskPool.length === 0) {
      this.#maskPool = this.#random.fill(new Uint8Array(MASK_POOL_BYTES));
    }
    const mask = this.#maskPool.subarray(0, MASK_BYTES);
    this.#maskPool = this.#maskPool.subarray(MASK_BYTES);
    return mask;
  }
}

/** Frames one after the other, in a buffer that grows. */
class FrameBuffer {
  #bytes!: Uint8Array<ArrayBuffer>;
  /** The same bytes. */
  #words!: Uint32Array;
  #length = 0;

  constructor(capacity: number) {
    this.#allocate(capacity);
  }

  get frames(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  append(opcode: number, payload: Uint8Array, mask: Uint8Array | undefined): void {
    this.#makeRoom(MAX_HEADER_BYTES + payload.length);
    const bytes = this.#bytes;
    const masked = mask === undefined ? 0 : MASKED;
    let at = this.#length;
    bytes[at++] = FINAL | opcode;
    if (payload.length <= MAX_SHORT_LENGTH) bytes[at++] = masked | payload.length;
    else {
      bytes[at++] = masked | LENGTH_16;
      bytes[at++] = payload.length >>> 8;
      bytes[at++] = payload.length & 0xff;
    }
    const maskAt = at;
    if (mask !== undefined) {
      bytes.set(mask, at);
      at += MASK_BYTES;
    }
    bytes.set(payload, at);
    const end = at + payload.length;
    if (mask !== undefined) applyMask(bytes, this.#words, { maskAt, start: at, end });
    this.#length = end;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const frames = this.frames;
    this.#allocate(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.set(frames);
  }

  #allocate(capacity: number): void {
    // Whole words, for masks.
    this.#bytes = new Uint8Array((capacity + 3) & ~3);
    this.#words = new Uint32Array(this.#bytes.buffer);
  }
}
