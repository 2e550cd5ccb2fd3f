/**
 * What carries the bytes of a `node:tls` socket. Deno 2.9 reads on from a TCP connection while the
 * socket is paused, without bound, and forgets the end of the stream over that; over any other
 * stream it takes a write as done at once. So the bytes go through here: read only when the
 * socket wants some, and a write of the socket is done when its bytes have left.
 */
import { Duplex } from "node:stream";
import { type ByteConn, closeQuietly, writeAll } from "../base/byte_conn.ts";

/** How long an alert may take to leave before the connection is closed, in milliseconds. */
const LAST_WORDS_MS = 100;
/** Bytes of one read; the socket holds about as many decrypted ones before reading pauses. */
const READ_BYTES = 64 * 1024;

type Done = (error?: Error | null) => void;

/** The methods by which a stream asks its owner to move bytes. */
interface StreamMethods {
  _read(size: number): void;
  _write(chunk: unknown, encoding: BufferEncoding, done: Done): void;
  _writev?(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: Done): void;
}

export class TlsTransport extends Duplex {
  readonly #conn: ByteConn;
  #secured: Duplex | undefined;
  #reading = false;
  #writing = false;
  /** A read was asked for while the socket had enough. */
  #postponed = false;
  #whenIdle: (() => void)[] = [];
  /** What the socket still had to say when it was destroyed already: the alert that says why. */
  #lastWords: Uint8Array | undefined;

  /** Takes over `conn`, which is closed when the transport is destroyed. */
  constructor(conn: ByteConn) {
    super({ allowHalfOpen: true, readableHighWaterMark: READ_BYTES });
    this.#conn = conn;
  }

  /** Sets the pace of `secured`, a socket that was just made over this transport. */
  pace(secured: Duplex): void {
    this.#secured = secured;
    const socket: StreamMethods = secured;
    const read = socket._read;
    socket._read = (size) => {
      read.call(secured, size);
      // What it holds is on its way out, though still counted.
      if (this.#postponed) void this.#readOnce();
    };
    const { _write: write, _writev: writev } = socket;
    socket._write = (chunk, encoding, done) =>
      write.call(secured, chunk, encoding, this.#afterLeaving(done));
    if (writev !== undefined) {
      socket._writev = (chunks, done) => writev.call(secured, chunks, this.#afterLeaving(done));
    }
  }

  override write(chunk: Uint8Array, ...rest: unknown[]): boolean {
    if (this.destroyed) {
      this.#lastWords ??= chunk;
      return false;
    }
    return super.write(chunk, ...rest as []);
  }

  override _read(): void {
    const secured = this.#secured;
    this.#postponed = secured !== undefined &&
      secured.readableLength >= secured.readableHighWaterMark;
    if (!this.#postponed) void this.#readOnce();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.#writing = true;
    writeAll(this.#conn, chunk).then(() => {
      this.#writing = false;
      done();
      this.#checkIdle();
    }, done);
  }

  override _final(done: Done): void {
    this.#conn.closeWrite().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#releaseWaiting();
    afterEncryption(() => this.#closeConn());
    done(error);
  }

  #closeConn(): void {
    const conn = this.#conn;
    if (this.#lastWords === undefined || this.#writing) {
      closeQuietly(conn);
      return;
    }
    const timer = setTimeout(() => closeQuietly(conn), LAST_WORDS_MS);
    writeAll(conn, this.#lastWords).catch(() => {}).finally(() => {
      clearTimeout(timer);
      closeQuietly(conn);
    });
  }

  async #readOnce(): Promise<void> {
    this.#postponed = false;
    if (this.#reading || this.destroyed) return;
    this.#reading = true;
    try {
      const buffer = new Uint8Array(READ_BYTES);
      const count = await this.#conn.read(buffer);
      this.#reading = false;
      if (!this.destroyed) this.push(count === null ? null : buffer.subarray(0, count));
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #afterLeaving(done: Done): Done {
    return (error) => {
      this.#whenIdle.push(() => done(error));
      this.#checkIdle();
    };
  }

  #checkIdle(): void {
    afterEncryption(() => {
      if (this.writableLength === 0) this.#releaseWaiting();
    });
  }

  #releaseWaiting(): void {
    for (const resume of this.#whenIdle.splice(0)) resume();
  }
}

/** What a socket has encrypted is handed over in a microtask; calls `action` after that. */
function afterEncryption(action: () => void): void {
  queueMicrotask(() => queueMicrotask(action));
}
