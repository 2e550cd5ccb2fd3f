/**
 * The chunked transfer coding of HTTP/1.1 (RFC 9112, section 7.1), in which API servers send what
 * they do not know the length of:
 *
 *     1f40;ext CR LF  <0x1f40 bytes>  CR LF  …  0 CR LF  [trailer lines]  CR LF
 *
 * Logs come with one chunk for each line, so all that one read holds is decoded at once, in place.
 */

/** Bytes of a line with a size, or of a trailer. */
const MAX_LINE_BYTES = 8 * 1024;
const MAX_TRAILERS = 100;
const LF = 10;
const CR = 13;

type State =
  | { readonly in: "size"; line: string }
  | { readonly in: "data"; left: number }
  /** The line break after a chunk's data. */
  | { readonly in: "break" }
  | { readonly in: "trailer"; line: string; count: number }
  | { readonly in: "end" };

export class ChunkDecoder {
  #state: State = { in: "size", line: "" };

  /** Whether the last chunk and the trailers have been seen. */
  get ended(): boolean {
    return this.#state.in === "end";
  }

  /**
   * Takes the next bytes of the coding and moves the data in them to the front of `bytes`. Returns
   * how many bytes of data there are, and how many were taken: all, unless the coding has ended.
   * Throws a `SyntaxError` if it is malformed.
   */
  decode(bytes: Uint8Array): { readonly data: number; readonly taken: number } {
    let data = 0;
    let at = 0;
    while (at < bytes.length && this.#state.in !== "end") {
      const state = this.#state;
      if (state.in === "data") {
        const count = Math.min(state.left, bytes.length - at);
        if (data !== at) bytes.copyWithin(data, at, at + count);
        data += count;
        at += count;
        state.left -= count;
        if (state.left === 0) this.#state = { in: "break" };
      } else {
        this.#takeByte(bytes[at++]!);
      }
    }
    return { data, taken: at };
  }

  #takeByte(byte: number): void {
    const state = this.#state;
    if (state.in === "break") {
      if (byte === LF) this.#state = { in: "size", line: "" };
      else if (byte !== CR) throw new SyntaxError("a chunk is longer than it says");
      return;
    }
    if (state.in !== "size" && state.in !== "trailer") return;
    if (byte !== LF) {
      if (state.line.length >= MAX_LINE_BYTES) {
        throw new SyntaxError(`a line of more than ${MAX_LINE_BYTES} bytes between chunks`);
      }
      state.line += String.fromCharCode(byte);
      return;
    }
    const line = state.line.replace(/\r$/, "");
    if (state.in === "size") this.#state = afterSize(line);
    else if (line === "") this.#state = { in: "end" };
    else if (state.count === MAX_TRAILERS) throw new SyntaxError("too many trailers");
    else this.#state = { in: "trailer", line: "", count: state.count + 1 };
  }
}

function afterSize(line: string): State {
  // Thirteen hexadecimal digits are more than any chunk has, and still an exact number.
  const match = /^([0-9a-f]{1,13})[ \t]*(?:;.*)?$/i.exec(line);
  if (match === null) {
    throw new SyntaxError(`${JSON.stringify(line.slice(0, 40))} is not the size of a chunk`);
  }
  const left = parseInt(match[1]!, 16);
  return left === 0 ? { in: "trailer", line: "", count: 0 } : { in: "data", left };
}
