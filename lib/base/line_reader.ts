/**
 * Lines first, bytes afterwards, over one connection: the shape of the control protocol, where
 * what follows a command's newline belongs to the stream which that command opened.
 */
import { abortable } from "./abortable.ts";
import { type ByteConn, closeQuietly } from "./byte_conn.ts";

/** A line went over the reader's bound; no more lines can be read from the connection. */
export class LineTooLongError extends RangeError {
  override readonly name = "LineTooLongError";
  constructor(readonly maxBytes: number) {
    super(`line is longer than ${maxBytes} bytes`);
  }
}

/** The peer ended its stream in the middle of a line. */
export class TruncatedLineError extends Error {
  override readonly name = "TruncatedLineError";
  constructor(readonly partial: string) {
    super("connection ended in the middle of a line");
  }
}

export interface ReadLineOptions {
  /** Bytes that a line may have, without its newline. */
  maxBytes: number;
  /**
   * What to do with an unfinished last line: `error` (default) throws a `TruncatedLineError`,
   * `line` returns it as if the newline were there.
   */
  unfinished?: "error" | "line";
  /** Ends the wait only: nothing is lost, and a later call reads on. */
  signal?: AbortSignal | undefined;
}

export interface LineReaderOptions {
  /**
   * Called before the buffer grows beyond its first size, with the size that it will have, and with
   * 0 when it is given back. May throw to refuse: `readLine` passes the error on and drops what it
   * holds of the line.
   */
  reserve?: ((bytes: number) => void) | undefined;
}

/** Start of the buffer, kept small since each idle control client holds one. */
export const INITIAL_BUFFER_BYTES = 4096;
const NEWLINE = 10;
const NO_BYTES = new Uint8Array(0);

/**
 * A `ByteConn` that can also be asked for a line. It reads ahead, and gives what it holds to the
 * next `readLine` or `read`, so no byte is lost between the two. One reader at a time. `close()`
 * may be repeated, even if the connection below does not allow it.
 */
export class LineReader implements ByteConn {
  readonly #conn: ByteConn;
  readonly #reserve: (bytes: number) => void;
  /** Unread bytes are `#buffer[#start..#end)`; empty while nothing waits and nothing is held. */
  #buffer: Uint8Array<ArrayBuffer> = NO_BYTES;
  #start = 0;
  #end = 0;
  #ended = false;
  #closed = false;
  /** A read of the connection that an aborted wait left behind; it still fills the buffer. */
  #filling: Promise<void> | undefined;

  constructor(conn: ByteConn, { reserve = () => {} }: LineReaderOptions = {}) {
    this.#conn = conn;
    this.#reserve = reserve;
  }

  /** Resolves once there is a byte to read, or the end of the stream. An abort loses nothing. */
  async ready({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.buffered === 0 && !this.#ended) {
      await abortable(this.#fill(INITIAL_BUFFER_BYTES), signal);
    }
  }

  /** The buffered bytes, which stay unread; valid until the next call. */
  peek(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /**
   * The next line without its `\n`, decoded as UTF-8 with replacement; `null` at the end of the
   * stream. Throws `LineTooLongError` as soon as the bound is passed, and never holds more than
   * that.
   */
  async readLine(options: ReadLineOptions): Promise<string | null> {
    const { maxBytes, unfinished = "error", signal } = options;
    signal?.throwIfAborted();
    let searched = 0;
    while (true) {
      const newline = this.#buffer.subarray(this.#start, this.#end).indexOf(NEWLINE, searched);
      if (newline > maxBytes || (newline === -1 && this.#end - this.#start > maxBytes)) {
        this.#release();
        throw new LineTooLongError(maxBytes);
      }
      if (newline !== -1) return this.#take(newline, newline + 1);
      searched = this.#end - this.#start;
      if (this.#ended) {
        if (searched === 0) return null;
        const partial = this.#take(searched, searched);
        if (unfinished === "error") throw new TruncatedLineError(partial);
        return partial;
      }
      await abortable(this.#fill(maxBytes), signal);
    }
  }

  /** As `ByteConn.read`, starting with the bytes after the last line. */
  async read(into: Uint8Array): Promise<number | null> {
    if (this.#filling !== undefined) await this.#filling;
    const held = this.#end - this.#start;
    if (held === 0) {
      if (this.#ended) return null;
      this.#release();
      const count = await this.#conn.read(into);
      if (count === null) this.#ended = true;
      return count;
    }
    const count = Math.min(held, into.length);
    into.set(this.#buffer.subarray(this.#start, this.#start + count));
    this.#start += count;
    if (this.#start === this.#end) this.#release();
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeQuietly(this.#conn);
  }

  /** How many bytes are buffered; if 0, the next read goes to the connection itself. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  #take(length: number, consumed: number): string {
    const line = this.#buffer.subarray(this.#start, this.#start + length);
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(line);
    this.#start += consumed;
    // A large buffer is given back as soon as its line is out, a small one serves the next line.
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
      if (this.#buffer.length > INITIAL_BUFFER_BYTES) this.#release();
    }
    return text;
  }

  #release(): void {
    if (this.#buffer.length > INITIAL_BUFFER_BYTES) this.#reserve(0);
    this.#buffer = NO_BYTES;
    this.#start = this.#end = 0;
  }

  #reserveOrDrop(bytes: number): void {
    try {
      this.#reserve(bytes);
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Reads once into free space. Room is made only between reads: a pending one owns its view. */
  #fill(maxBytes: number): Promise<void> {
    if (this.#filling === undefined) {
      this.#makeRoom(maxBytes);
      this.#filling = this.#conn.read(this.#buffer.subarray(this.#end)).then((count) => {
        this.#filling = undefined;
        if (count === null) this.#ended = true;
        else this.#end += count;
      }, (error) => {
        this.#filling = undefined;
        throw error;
      });
    }
    return this.#filling;
  }

  #makeRoom(maxBytes: number): void {
    if (this.#end < this.#buffer.length) return;
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    } else {
      // One byte over the bound is enough to see that the line breaks it.
      const size = this.#buffer.length === 0
        ? INITIAL_BUFFER_BYTES
        : Math.max(this.#buffer.length + 1, Math.min(2 * this.#buffer.length, maxBytes + 1));
      if (size > INITIAL_BUFFER_BYTES) this.#reserveOrDrop(size);
      const grown = new Uint8Array(size);
      grown.set(this.#buffer.subarray(0, this.#end));
      this.#buffer = grown;
    }
    this.#end -= this.#start;
    this.#start = 0;
  }
}
