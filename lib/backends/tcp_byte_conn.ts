/**
 * A TCP connection that can be broken off: the peer gets a reset, where a regular end would make it
 * take what has arrived for everything.
 */
import { type ByteConn, closeQuietly } from "../base/byte_conn.ts";
import { resetSocket } from "./reset_socket.ts";

export class TcpByteConn implements ByteConn {
  readonly #conn: Deno.TcpConn;
  #closed = false;

  /** Takes over `conn`. */
  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#closed = true;
    closeQuietly(this.#conn);
  }

  /** Where a reset cannot be sent, as on systems other than Linux, the same as `close`. */
  abort(): void {
    if (!this.#closed) resetSocket(this.#conn);
    this.close();
  }
}
