/** Joins two connections, as netcat would. */
import { type ByteConn, closeQuietly, writeAll } from "./byte_conn.ts";

/**
 * Bytes that one direction holds at most, unless its user says otherwise. Large, since the cost of
 * a read and a write in Deno is mostly per call; an idle or chatty bridge keeps its small first
 * buffer.
 */
const BUFFER_BYTES = 256 * 1024;
const FIRST_BUFFER_BYTES = 4096;

/**
 * Copies both ways until both directions have ended; a half-close is passed on as such. A side that
 * takes no more may still have something to say, perhaps why, so a failed write ends its direction
 * alone. At the end, or when a side can no longer be read, both connections are closed; one that did
 * not get all that it should is aborted if it can be. Throws the first failure, or on abort the
 * signal's reason.
 */
export async function bridge(
  left: ByteConn,
  right: ByteConn,
  options: { signal?: AbortSignal | undefined; bufferBytes?: number | undefined } = {},
): Promise<void> {
  const { signal, bufferBytes = BUFFER_BYTES } = options;
  /** Those that got everything, including the end. */
  const complete = new Set<ByteConn>();
  const closeBoth = () => {
    for (const conn of [left, right]) {
      if (conn.abort !== undefined && !complete.has(conn)) conn.abort();
      else closeQuietly(conn);
    }
  };
  let failure: { error: unknown } | undefined;
  const copyOrEnd = async (from: ByteConn, to: ByteConn) => {
    try {
      const refused = await copy(from, to, bufferBytes);
      if (refused === undefined) complete.add(to);
      else failure ??= refused;
    } catch (error) {
      failure ??= { error };
      closeBoth();
    }
  };
  signal?.addEventListener("abort", closeBoth, { once: true });
  try {
    signal?.throwIfAborted();
    await Promise.all([copyOrEnd(left, right), copyOrEnd(right, left)]);
    signal?.throwIfAborted();
    if (failure !== undefined) throw failure.error;
  } finally {
    signal?.removeEventListener("abort", closeBoth);
    closeBoth();
  }
}

/** Resolves at the end, or to the error with which `to` refused a part. Rejects if `from` fails. */
async function copy(
  from: ByteConn,
  to: ByteConn,
  bufferBytes: number,
): Promise<{ readonly error: unknown } | undefined> {
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  while (true) {
    const count = await from.read(buffer);
    try {
      if (count === null) {
        await to.closeWrite();
        return undefined;
      }
      await writeAll(to, buffer.subarray(0, count));
    } catch (error) {
      return { error };
    }
    if (count === buffer.length && buffer.length < bufferBytes) {
      buffer = new Uint8Array(bufferBytes);
    }
  }
}
