/** A `ByteConn` as the stream that `node:tls` works on. */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { type ByteConn, closeQuietly, writeAll } from "../base/byte_conn.ts";

/** Bytes per read before the connection is owned: handshakes are many and small. */
const HANDSHAKE_READ_BYTES = 4 * 1024;
/** Bytes per read afterwards, several TLS records. */
const READ_BYTES = 64 * 1024;

type WriteDone = (error?: Error | null) => void;

/**
 * Reads ahead by at most one chunk, and not at all while it is held. Closes its connection when it
 * is destroyed, but only once `own` has been called: when a handshake fails, Deno 2.9 destroys the
 * stream and then writes the alert that says why.
 */
export class ConnDuplex extends Duplex {
  readonly #conn: ByteConn;
  #owner = false;
  #lastWords = Promise.resolve();
  #readBytes = HANDSHAKE_READ_BYTES;
  #buffer = new Uint8Array(0);
  #held = false;
  /** The stream asked for bytes while it was held. */
  #wanted = false;

  constructor(conn: ByteConn) {
    super({ allowHalfOpen: true });
    this.#conn = conn;
  }

  /** Stops reading from the connection, which makes its peer wait. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    if (!this.#wanted) return;
    this.#wanted = false;
    void this.#pull();
  }

  /** From now on, closes the connection with the stream. */
  own(): void {
    this.#owner = true;
    this.#readBytes = READ_BYTES;
    if (this.destroyed) closeQuietly(this.#conn);
  }

  /** Breaks off the connection, which must be owned, and destroys the stream. */
  abort(): void {
    this.#conn.abort?.();
    this.destroy();
  }

  /** Destroys the stream, lets out an alert that may follow, and closes the connection. */
  async fail(): Promise<void> {
    this.destroy();
    // The alert comes in a microtask.
    await new Promise((resolve) => setImmediate(resolve));
    await this.#lastWords;
    this.own();
  }

  // deno-lint-ignore no-explicit-any -- the forms of Writable's write
  override write(chunk: any, ...rest: any[]): boolean {
    if (!this.destroyed || this.#owner) return super.write(chunk, ...rest);
    this.#lastWords = writeAll(this.#conn, chunk).catch(() => {});
    return false;
  }

  override _read(): void {
    if (this.#held) this.#wanted = true;
    else void this.#pull();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: WriteDone): void {
    writeAll(this.#conn, chunk).then(() => done(), done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: WriteDone): void {
    writeAll(this.#conn, Buffer.concat(chunks.map(({ chunk }) => chunk))).then(() => done(), done);
  }

  override _final(done: WriteDone): void {
    this.#conn.closeWrite().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#owner) closeQuietly(this.#conn);
    done(error);
  }

  async #pull(): Promise<void> {
    try {
      if (this.#buffer.length < this.#readBytes) this.#buffer = new Uint8Array(this.#readBytes);
      const count = await this.#conn.read(this.#buffer);
      if (this.destroyed) return;
      this.push(count === null ? null : this.#buffer.slice(0, count));
    } catch (error) {
      if (!this.destroyed) this.destroy(error as Error);
    }
  }
}
