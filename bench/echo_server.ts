/** What stands behind a proxy: answers each connection with one byte when it has got all of it. */
import { type ByteConn, closeQuietly, writeAll } from "../lib/base/byte_conn.ts";

const HOST = "127.0.0.1";
const PIECE = new Uint8Array(256 * 1024);
const ANSWER = Uint8Array.of(1);

export interface EchoServer extends AsyncDisposable {
  readonly port: number;
}

/** Each connection says with its first 8 bytes how many follow. */
export function startEchoServer(): EchoServer {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const conns = new Set<Deno.TcpConn>();
  const serving = (async () => {
    for await (const conn of listener) {
      conn.setNoDelay();
      conns.add(conn);
      void answer(conn).catch(() => {}).finally(() => {
        conns.delete(conn);
        closeQuietly(conn);
      });
    }
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const conn of conns) closeQuietly(conn);
      await serving.catch(() => {});
    },
  };
}

/** A connection to `port` that sends `bytes`; resolves with the answer. */
export async function ask(port: number, bytes: number, signal: AbortSignal): Promise<void> {
  const conn = await Deno.connect({ hostname: HOST, port });
  conn.setNoDelay();
  const cut = () => closeQuietly(conn);
  signal.addEventListener("abort", cut, { once: true });
  try {
    const head = new Uint8Array(8);
    new DataView(head.buffer).setFloat64(0, bytes);
    await writeAll(conn, head);
    for (let left = bytes; left > 0; left -= PIECE.length) {
      await writeAll(conn, PIECE.subarray(0, Math.min(left, PIECE.length)));
    }
    if (await conn.read(new Uint8Array(1)) !== 1) throw new Error("the connection was cut off");
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", cut);
    // Which aborting may have done already.
    closeQuietly(conn);
  }
}

async function answer(conn: ByteConn): Promise<void> {
  const buffer = new Uint8Array(PIECE.length);
  const head = new Uint8Array(8);
  let got = 0;
  let expected = head.length;
  while (got < expected) {
    const count = await conn.read(got < head.length ? head.subarray(got) : buffer);
    if (count === null) return;
    got += count;
    if (got === head.length) expected = got + new DataView(head.buffer).getFloat64(0);
  }
  await writeAll(conn, ANSWER);
  // The other side goes first, so that it is known to have the answer.
  await conn.read(buffer);
}
