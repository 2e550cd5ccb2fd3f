/** A secured socket of `node:tls` as the byte stream that the rest of the program knows. */
import type { Duplex } from "node:stream";
import type { ByteConn } from "../base/byte_conn.ts";

/** Bytes of one write: the runtime copies what it cannot encrypt at once, again and again. */
const MAX_WRITE_BYTES = 64 * 1024;

export class TlsConn implements ByteConn {
  readonly #socket: Duplex;
  /** Lets the read that waits look again. */
  #wake = () => {};

  /** Takes over `socket`, which `close` destroys. Somebody must listen for its errors. */
  constructor(socket: Duplex) {
    this.#socket = socket;
    for (const event of ["readable", "end", "close"]) socket.on(event, () => this.#wake());
  }

  async read(into: Uint8Array): Promise<number | null> {
    const socket = this.#socket;
    while (true) {
      const available = Math.min(socket.readableLength, into.length);
      const chunk: Uint8Array | null = available > 0 ? socket.read(available) : null;
      if (chunk !== null) {
        into.set(chunk);
        return chunk.length;
      }
      if (socket.readableEnded) return null;
      if (socket.destroyed) throw this.#broken("read");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        // Fills the buffer, or finds the end, if nothing is under way.
        socket.read(0);
      });
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) throw this.#broken("write");
    const chunk = bytes.subarray(0, MAX_WRITE_BYTES);
    await new Promise<void>((resolve, reject) => {
      socket.write(chunk, (error) => error ? reject(this.#broken("write")) : resolve());
    });
    return chunk.length;
  }

  async closeWrite(): Promise<void> {
    const socket = this.#socket;
    if (socket.writableFinished) return;
    if (socket.destroyed) throw this.#broken("end");
    await new Promise<void>((resolve, reject) => {
      const onClose = () => reject(this.#broken("end"));
      socket.once("close", onClose);
      socket.end(() => {
        socket.off("close", onClose);
        resolve();
      });
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #broken(action: string): Error {
    const cause = this.#socket.errored ?? undefined;
    return new Error(`cannot ${action}: ${cause?.message ?? "the connection is closed"}`, {
      cause,
    });
  }
}
