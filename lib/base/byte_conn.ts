/**
 * The one shape of a two-way byte stream in this project. `Deno.Conn` (unix, TCP, TLS) has it
 * already and mesh streams implement it, so the control service, work results and services never
 * ask what carries their bytes.
 */
export interface ByteConn {
  /**
   * Reads at least one byte into `into`, or resolves to `null` at the peer's end of stream (its
   * half-close). Rejects if the connection is broken.
   */
  read(into: Uint8Array): Promise<number | null>;
  /**
   * Writes some of `bytes` and resolves to how many; waits while the peer's window is full, which
   * is the back-pressure. Rejects if the connection is broken. `bytes` may be reused afterwards.
   */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends our direction (half-close) once everything written is on its way. */
  closeWrite(): Promise<void>;
  /**
   * Ends both directions now. As with a kernel socket, what was written before a `closeWrite()`
   * still reaches the peer; without one, it may be lost. Safe to call more than once on a mesh
   * stream.
   */
  close(): void;
  /**
   * Ends both directions so that the peer's reader gets an error, where it would take the end that
   * `close()` makes for that of a complete stream. Absent where the transport cannot do that.
   */
  abort?(): void;
}

/** Writes all of `bytes`, however many writes that takes. */
export async function writeAll(conn: Pick<ByteConn, "write">, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await conn.write(bytes.subarray(written));
}

/** Closes a connection that may already be closed, for which Deno's own would throw. */
export function closeQuietly(conn: Pick<ByteConn, "close">): void {
  try {
    conn.close();
  } catch {
    // Already closed, as wanted.
  }
}
