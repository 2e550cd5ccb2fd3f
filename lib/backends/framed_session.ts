/** A session over any byte stream (TCP, TLS): messages are framed by their length. */
import type { ByteConn } from "../base/byte_conn.ts";
import { writeAll } from "../base/byte_conn.ts";
import { FrameReader } from "../wire/frame.ts";
import type { Session } from "./backend.ts";

export class FramedSession implements Session {
  readonly description: string;
  readonly acceptedFrom: string | undefined;
  readonly certifiedNodes: readonly string[] | undefined;
  readonly #conn: Pick<ByteConn, "read" | "write" | "close">;
  readonly #reader = new FrameReader();
  #closed = false;

  /** Takes over `conn`, which `close` closes. For `neighbour` see `Session`. */
  constructor(
    conn: Pick<ByteConn, "read" | "write" | "close">,
    description: string,
    neighbour: Pick<Session, "acceptedFrom" | "certifiedNodes"> = {},
  ) {
    this.#conn = conn;
    this.description = description;
    this.acceptedFrom = neighbour.acceptedFrom;
    this.certifiedNodes = neighbour.certifiedNodes;
  }

  async receive(): Promise<readonly Uint8Array<ArrayBuffer>[] | null> {
    while (!this.#closed) {
      const count = await this.#read();
      if (count === null) return null;
      const messages = this.#reader.take(count);
      if (messages.length > 0) return messages;
    }
    return null;
  }

  async send(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#closed) throw new Error(`${this.description} is closed`);
    await writeAll(this.#conn, frames);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  async #read(): Promise<number | null> {
    let count: number | null;
    try {
      count = await this.#conn.read(this.#reader.space());
    } catch (error) {
      if (this.#closed) return null;
      throw error;
    }
    const incomplete = this.#reader.incompleteBytes;
    if (count === null && incomplete > 0 && !this.#closed) {
      throw new Error(`${this.description} ended ${incomplete} bytes into a message`);
    }
    return count;
  }
}
