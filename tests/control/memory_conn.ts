/** Two ends of a byte stream in memory, with half-close and back-pressure like a socket's. */
import type { ByteConn } from "../../lib/base/byte_conn.ts";

/** Bytes that one direction holds before a write waits. */
const CAPACITY = 64 * 1024;

class Direction {
  #chunks: Uint8Array[] = [];
  #size = 0;
  #ended = false;
  #broken = false;
  #changed = Promise.withResolvers<void>();

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#size === 0) {
      if (this.#broken) throw new Deno.errors.ConnectionReset("memory connection was closed");
      if (this.#ended) return null;
      await this.#changed.promise;
    }
    const chunk = this.#chunks[0]!;
    const count = Math.min(chunk.length, into.length);
    into.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    this.#size -= count;
    this.#notify();
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (!this.#broken && !this.#ended && this.#size >= CAPACITY) await this.#changed.promise;
    if (this.#broken || this.#ended) throw new Deno.errors.BrokenPipe("memory connection ended");
    const taken = bytes.slice(0, CAPACITY - this.#size);
    this.#chunks.push(taken);
    this.#size += taken.length;
    this.#notify();
    return taken.length;
  }

  get held(): number {
    return this.#size;
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  break(): void {
    this.#broken = true;
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

export class MemoryConn implements ByteConn {
  readonly #incoming: Direction;
  readonly #outgoing: Direction;
  isClosed = false;

  private constructor(incoming: Direction, outgoing: Direction) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  static pair(): [MemoryConn, MemoryConn] {
    const [there, back] = [new Direction(), new Direction()];
    return [new MemoryConn(back, there), new MemoryConn(there, back)];
  }

  /** Bytes written by this end that the other has not read. */
  get unread(): number {
    return this.#outgoing.held;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.isClosed) throw new Deno.errors.BadResource("closed");
    return await this.#incoming.read(into);
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.isClosed) throw new Deno.errors.BadResource("closed");
    return await this.#outgoing.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#outgoing.end();
    return Promise.resolve();
  }

  /** As with a kernel socket, what was written before stays readable at the other end. */
  close(): void {
    if (this.isClosed) throw new Deno.errors.BadResource("closed twice");
    this.isClosed = true;
    this.#outgoing.end();
    this.#incoming.break();
  }
}

/** All bytes up to the end of the stream, as text. */
export async function readText(conn: Pick<ByteConn, "read">): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  for (let count; (count = await conn.read(buffer)) !== null;) {
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

/** Text in UTF-8. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
