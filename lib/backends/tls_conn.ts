/**
 * A secured connection as the byte stream that the rest of the program knows. The socket always
 * flows; it is the stream below it that holds the peer back: a paused TLS socket of Deno 2.9 keeps
 * reading into memory without bound, and may lose the end of the stream.
 */
import type { TLSSocket } from "node:tls";
import type { ByteConn } from "../base/byte_conn.ts";
import type { ConnDuplex } from "./conn_duplex.ts";

/** Decrypted bytes that may wait for the reader before reading from the connection stops. */
const READ_AHEAD_BYTES = 256 * 1024;

export class TlsConn implements ByteConn {
  readonly #socket: TLSSocket;
  readonly #stream: ConnDuplex;
  /** What has arrived but has not been read, except for `#offset` bytes of the first chunk. */
  readonly #chunks: Uint8Array[] = [];
  #offset = 0;
  #queuedBytes = 0;
  #ended = false;
  #error: Error | undefined;
  #wakeReader = () => {};

  /** Takes over `socket`, which works on `stream`; `close` destroys both. */
  constructor(socket: TLSSocket, stream: ConnDuplex) {
    this.#socket = socket;
    this.#stream = stream;
    const fail = (error: Error) => {
      this.#error ??= error;
      this.#end();
    };
    socket.on("data", (chunk: Uint8Array) => this.#put(chunk));
    socket.on("end", () => this.#end()).on("close", () => this.#end()).on("error", fail);
    // How Deno reports errors of a server's socket that has no server object around it.
    socket.on("_tlsError", (error: Error) => {
      fail(error);
      socket.destroy(error);
    });
    stream.on("error", fail).on("close", () => this.#end());
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return null;
      this.#stream.release();
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    return this.#take(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#socket.destroyed || this.#stream.destroyed) return Promise.reject(this.#broken());
    return this.#settled((done) => this.#socket.write(bytes, done)).then(() => bytes.length);
  }

  async closeWrite(): Promise<void> {
    if (this.#socket.writableFinished) return;
    if (this.#socket.destroyed) throw this.#broken();
    await this.#settled((done) => this.#socket.end(done));
  }

  close(): void {
    this.#socket.destroy();
    this.#stream.destroy();
    this.#end();
  }

  /** The peer gets an error if the connection below can do that. */
  abort(): void {
    this.#stream.abort();
    this.close();
  }

  /** Resolves when `start` calls back; rejects if the connection ends first. */
  #settled(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onClose = () => reject(this.#broken());
    this.#stream.once("close", onClose);
    start((error) => {
      this.#stream.off("close", onClose);
      if (error) reject(this.#error ?? error);
      else resolve();
    });
    return promise;
  }

  #put(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes >= READ_AHEAD_BYTES) this.#stream.hold();
    this.#wakeReader();
  }

  #take(into: Uint8Array): number {
    let count = 0;
    while (count < into.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const part = chunk.subarray(this.#offset, this.#offset + into.length - count);
      into.set(part, count);
      count += part.length;
      this.#offset += part.length;
      if (this.#offset === chunk.length) {
        this.#chunks.shift();
        this.#offset = 0;
      }
    }
    this.#queuedBytes -= count;
    return count;
  }

  #end(): void {
    this.#ended = true;
    this.#wakeReader();
  }

  #broken(): Error {
    return this.#error ?? new Error("the connection is closed");
  }
}
