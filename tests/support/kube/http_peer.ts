/** The server's side of HTTP/1.1 with full control of each byte, for a fake API server. */
import { formatHttpHead, type HttpHead, readHttpHead } from "../../../lib/backends/http_head.ts";
import { type ByteConn, closeQuietly, writeAll } from "../../../lib/base/byte_conn.ts";
import { LineReader } from "../../../lib/base/line_reader.ts";

export interface PeerRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: HttpHead["headers"];
  readonly body: string;
}

const encoder = new TextEncoder();

/** How one request is answered: whole, in chunks, cut, or not at all. */
export class PeerAnswer {
  /** Whether the next request may follow on this connection. */
  reusable = false;
  readonly #conn: LineReader;

  constructor(conn: LineReader) {
    this.#conn = conn;
  }

  async whole(
    status: number,
    body: string,
    headers: readonly (readonly [string, string])[] = [],
  ): Promise<void> {
    const bytes = encoder.encode(body);
    const head = formatHttpHead(`HTTP/1.1 ${status} ${status < 300 ? "OK" : "Refused"}`, [
      ["Content-Length", String(bytes.length)],
      ...headers,
    ]);
    await writeAll(this.#conn, head);
    await writeAll(this.#conn, bytes);
    this.reusable = true;
  }

  async json(
    status: number,
    body: unknown,
    headers: readonly (readonly [string, string])[] = [],
  ): Promise<void> {
    await this.whole(status, JSON.stringify(body), [
      ["Content-Type", "application/json"],
      ...headers,
    ]);
  }

  async beginChunks(): Promise<void> {
    await writeAll(
      this.#conn,
      formatHttpHead("HTTP/1.1 200 OK", [["Transfer-Encoding", "chunked"]]),
    );
  }

  async chunk(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    await writeAll(this.#conn, encoder.encode(`${bytes.length.toString(16)}\r\n`));
    await writeAll(this.#conn, bytes);
    await writeAll(this.#conn, encoder.encode("\r\n"));
  }

  async endChunks(): Promise<void> {
    await writeAll(this.#conn, encoder.encode("0\r\n\r\n"));
    this.reusable = true;
  }

  /** Ends the connection in the middle of whatever it was. */
  cut(): void {
    this.#conn.close();
  }

  /** Switches protocols; the caller closes the connection. */
  async upgrade(headers: readonly (readonly [string, string])[]): Promise<ByteConn> {
    const head = [["Connection", "Upgrade"], ...headers] as [string, string][];
    await writeAll(this.#conn, formatHttpHead("HTTP/1.1 101 Switching Protocols", head));
    return this.#conn;
  }

  /** Resolves when the client has closed the connection, which sends nothing more. */
  async clientGone(): Promise<void> {
    await this.#conn.ready().catch(() => {});
  }
}

/** Answers the requests of one connection until it ends. Never rejects. */
export async function servePeer(
  conn: ByteConn,
  answer: (request: PeerRequest, answer: PeerAnswer) => Promise<void>,
): Promise<void> {
  const reader = new LineReader(conn);
  try {
    for (;;) {
      const request = await readRequest(reader);
      const reply = new PeerAnswer(reader);
      await answer(request, reply);
      if (!reply.reusable) break;
    }
  } catch {
    // The client is gone, or the test has ended.
  } finally {
    closeQuietly(reader);
  }
}

async function readRequest(reader: LineReader): Promise<PeerRequest> {
  const { startLine, headers } = await readHttpHead(reader);
  const [method = "", target = ""] = startLine.split(" ");
  const body = new Uint8Array(Number(headers.get("content-length") ?? 0));
  for (let at = 0; at < body.length;) {
    const count = await reader.read(body.subarray(at));
    if (count === null) throw new Error("the client closed the connection");
    at += count;
  }
  const url = new URL(`http://fake${target}`);
  return {
    method,
    path: url.pathname,
    query: url.searchParams,
    headers,
    body: new TextDecoder().decode(body),
  };
}
