/**
 * What a client with a terminal sends to a service that has one for it: what is typed, and the window
 * in which that happens. The service answers with plain bytes.
 *
 *     +------+--------+--------+------------------+
 *     | kind | length, 2 bytes |  content         |
 *     +------+--------+--------+------------------+
 *
 * Numbers are big-endian. Frames of other kinds are for later versions: whoever does not know them
 * ignores them.
 */
import { concatBytes } from "../base/concat_bytes.ts";

export type TerminalFrame =
  | { readonly kind: "typed"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** In characters; 0 for what is not known. */
  | { readonly kind: "window"; readonly rows: number; readonly columns: number }
  /** What `TERM` says; comes before what is typed, or not at all. */
  | { readonly kind: "terminal"; readonly name: string };

const Kind = { typed: 0, window: 1, terminal: 2 } as const;
const HEADER_BYTES = 3;
const MAX_CONTENT_BYTES = 0xffff;
const WINDOW_BYTES = 4;
/** Names of terminals in the databases of all systems; the empty one is none. */
const TERMINAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;

/** Whether a client may tell the name of its terminal. */
export function isTerminalName(name: string): boolean {
  return TERMINAL_NAME.test(name);
}

/**
 * Encodes as many frames as it takes. Throws a `RangeError` for a size that no window has, or a name
 * that no terminal has.
 */
export function encodeTerminalFrame(frame: TerminalFrame): Uint8Array<ArrayBuffer> {
  switch (frame.kind) {
    case "typed":
      return encodeTyped(frame.bytes);
    case "window": {
      const content = new Uint8Array(WINDOW_BYTES);
      const view = new DataView(content.buffer);
      for (const [index, size] of [frame.rows, frame.columns].entries()) {
        if (!(size >= 0 && size <= 0xffff)) throw new RangeError(`no window has size ${size}`);
        view.setUint16(2 * index, size);
      }
      return concatBytes(header(Kind.window, content.length), content);
    }
    case "terminal": {
      if (!isTerminalName(frame.name)) throw new RangeError(`no terminal is a ${frame.name}`);
      const content = new TextEncoder().encode(frame.name);
      return concatBytes(header(Kind.terminal, content.length), content);
    }
  }
}

function encodeTyped(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += MAX_CONTENT_BYTES) {
    const content = bytes.subarray(at, at + MAX_CONTENT_BYTES);
    parts.push(header(Kind.typed, content.length), content);
  }
  return concatBytes(...parts);
}

function header(kind: number, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(kind, length >> 8, length & 0xff);
}

/** Takes bytes as they arrive. Holds no more than one incomplete frame. */
export class TerminalFrameDecoder {
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** The frames that are complete now. Throws a `SyntaxError` for one that is none. */
  push(bytes: Uint8Array): TerminalFrame[] {
    const all = concatBytes(this.#rest, bytes);
    const frames: TerminalFrame[] = [];
    let at = 0;
    while (all.length - at >= HEADER_BYTES) {
      const end = at + HEADER_BYTES + (all[at + 1]! << 8 | all[at + 2]!);
      if (end > all.length) break;
      const frame = decode(all[at]!, all.subarray(at + HEADER_BYTES, end));
      if (frame !== undefined) frames.push(frame);
      at = end;
    }
    this.#rest = all.slice(at);
    return frames;
  }
}

function decode(kind: number, content: Uint8Array<ArrayBuffer>): TerminalFrame | undefined {
  switch (kind) {
    case Kind.typed:
      return { kind: "typed", bytes: content };
    case Kind.window: {
      if (content.length !== WINDOW_BYTES) {
        throw new SyntaxError(`expected a window's size, got ${content.length} bytes`);
      }
      const view = new DataView(content.buffer, content.byteOffset);
      return { kind: "window", rows: view.getUint16(0), columns: view.getUint16(2) };
    }
    case Kind.terminal: {
      const name = String.fromCharCode(...content.subarray(0, 256));
      if (!isTerminalName(name)) throw new SyntaxError("expected the name of a terminal");
      return { kind: "terminal", name };
    }
    default:
      return undefined;
  }
}
