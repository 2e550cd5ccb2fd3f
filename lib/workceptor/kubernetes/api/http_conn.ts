/** One HTTP/1.1 connection to a server: a request, its answer, then perhaps the next request. */
import {
  formatHttpHead,
  hasToken,
  parseStatusLine,
  readHttpHead,
} from "../../../backends/http_head.ts";
import { type ByteConn, writeAll } from "../../../base/byte_conn.ts";
import { concatBytes } from "../../../base/concat_bytes.ts";
import { LineReader } from "../../../base/line_reader.ts";
import { ChunkDecoder } from "./http_chunks.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Path and query. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** Such as `404 Not Found`. */
  readonly statusText: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: HttpBody;
}

/** The bytes of an answer. */
export interface HttpBody {
  /** Whether all has been read and the connection can take another request. */
  readonly reusable: boolean;
  /** As `ByteConn.read`; rejects if the connection ends before the body does. */
  read(into: Uint8Array): Promise<number | null>;
}

export class HttpConn {
  readonly #reader: LineReader;

  /** Takes over `conn`. */
  constructor(conn: ByteConn) {
    this.#reader = new LineReader(conn);
  }

  /** Sends a request and reads the head of the answer, whose body must be read before the next. */
  async exchange({ method, target, headers, body }: HttpRequest): Promise<HttpAnswer> {
    const all = [...headers];
    if (body !== undefined) all.push(["Content-Length", String(body.length)]);
    const head = formatHttpHead(`${method} ${target} HTTP/1.1`, all);
    await writeAll(this.#reader, body === undefined ? head : concatBytes(head, body));
    for (;;) {
      const { startLine, headers: answered } = await readHttpHead(this.#reader);
      const { status, text } = parseStatusLine(startLine);
      // Other statements ahead of the answer itself.
      if (status >= 100 && status < 200 && status !== 101) continue;
      const keepsAlive = startLine.startsWith("HTTP/1.1") &&
        !hasToken(answered.get("connection"), "close");
      const answerBody = bodyOf(this.#reader, status, answered, keepsAlive);
      return { status, statusText: text, headers: answered, body: answerBody };
    }
  }

  /**
   * Resolves when the idle connection can no longer be used: the server has closed it, or says
   * something unasked. Only one such watch at a time; it does not disturb a later exchange.
   */
  async whenStale(signal: AbortSignal): Promise<void> {
    try {
      await this.#reader.ready({ signal });
    } catch {
      // Broken, or watched no longer.
    }
  }

  /** The bytes after an answer that switched to another protocol. */
  upgraded(): ByteConn {
    return this.#reader;
  }

  close(): void {
    this.#reader.close();
  }
}

function bodyOf(
  reader: LineReader,
  status: number,
  headers: ReadonlyMap<string, string>,
  keepsAlive: boolean,
): HttpBody {
  const coding = headers.get("transfer-encoding");
  if (hasToken(coding, "chunked")) return new ChunkedBody(reader, keepsAlive);
  if (coding !== undefined) throw new SyntaxError(`a body in the coding ${coding.slice(0, 40)}`);
  const length = headers.get("content-length");
  if (status === 101) return new SizedBody(reader, 0, false);
  if (status === 204 || status === 304) return new SizedBody(reader, 0, keepsAlive);
  if (length === undefined) return new UnsizedBody(reader);
  if (!/^\d{1,15}$/.test(length)) throw new SyntaxError("an answer with a malformed length");
  return new SizedBody(reader, Number(length), keepsAlive);
}

function cutShort(): Error {
  return new Error("the server closed the connection in the middle of its answer");
}

class SizedBody implements HttpBody {
  readonly #reader: LineReader;
  readonly #keepsAlive: boolean;
  #left: number;

  constructor(reader: LineReader, length: number, keepsAlive: boolean) {
    this.#reader = reader;
    this.#left = length;
    this.#keepsAlive = keepsAlive;
  }

  get reusable(): boolean {
    return this.#left === 0 && this.#keepsAlive;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#left === 0) return null;
    const count = await this.#reader.read(into.subarray(0, this.#left));
    if (count === null) throw cutShort();
    this.#left -= count;
    return count;
  }
}

class ChunkedBody implements HttpBody {
  readonly #reader: LineReader;
  readonly #keepsAlive: boolean;
  readonly #decoder = new ChunkDecoder();
  /** The server said more than its answer. */
  #surplus = false;

  constructor(reader: LineReader, keepsAlive: boolean) {
    this.#reader = reader;
    this.#keepsAlive = keepsAlive;
  }

  get reusable(): boolean {
    return this.#decoder.ended && this.#keepsAlive && !this.#surplus;
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (!this.#decoder.ended) {
      const count = await this.#reader.read(into);
      if (count === null) throw cutShort();
      const { data, taken } = this.#decoder.decode(into.subarray(0, count));
      this.#surplus ||= taken < count;
      if (data > 0) return data;
    }
    return null;
  }
}

/** Up to the end of the connection, which cannot be told from a cut. */
class UnsizedBody implements HttpBody {
  readonly reusable = false;
  readonly #reader: LineReader;

  constructor(reader: LineReader) {
    this.#reader = reader;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#reader.read(into);
  }
}
