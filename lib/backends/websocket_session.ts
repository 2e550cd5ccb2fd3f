/** A session over a WebSocket connection: each message is a binary message. */
import { type ByteConn, writeAll } from "../base/byte_conn.ts";
import type { Random } from "../base/random.ts";
import type { Session } from "./backend.ts";
import { CloseCode, WebSocketError } from "./websocket_frame.ts";
import { type TakenFrames, WebSocketReader } from "./websocket_reader.ts";
import { WebSocketWriter } from "./websocket_writer.ts";

export interface WebSocketSessionOptions {
  readonly description: string;
  /** Present on the client's side, which masks what it sends. */
  readonly masks?: Random | undefined;
  /** See `Session`. */
  readonly acceptedFrom?: string | undefined;
  readonly certifiedNodes?: readonly string[] | undefined;
}

export class WebSocketSession implements Session {
  readonly description: string;
  readonly acceptedFrom: string | undefined;
  readonly certifiedNodes: readonly string[] | undefined;
  readonly #conn: ByteConn;
  readonly #reader: WebSocketReader;
  readonly #writer: WebSocketWriter;
  #closed = false;
  /** The peer has said that nothing follows. */
  #ended = false;
  /** Settles when everything before has been written; never rejects. */
  #written: Promise<unknown> = Promise.resolve();
  /** The ping that the next pong answers; a newer ping replaces an unanswered one. */
  #pingDue: Uint8Array<ArrayBuffer> | undefined;

  /** Takes over `conn`, whose handshake is done; `close` closes it. */
  constructor(conn: ByteConn, options: WebSocketSessionOptions) {
    const { description, masks } = options;
    this.#conn = conn;
    this.description = description;
    this.acceptedFrom = options.acceptedFrom;
    this.certifiedNodes = options.certifiedNodes;
    this.#reader = new WebSocketReader({ masked: masks === undefined });
    this.#writer = new WebSocketWriter(masks);
  }

  async receive(): Promise<readonly Uint8Array<ArrayBuffer>[] | null> {
    while (!this.#closed && !this.#ended) {
      const count = await this.#read();
      if (count === null) return null;
      const { messages, ping, closed } = this.#take(count);
      if (ping !== undefined) this.#answer(ping);
      if (closed) {
        this.#ended = true;
        this.#sayGoodbye(CloseCode.normal);
      }
      if (messages.length > 0) return messages;
    }
    return null;
  }

  async send(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#closed) throw new Error(`${this.description} is closed`);
    await this.#write(this.#writer.binary(frames));
  }

  /** Asks the peer for a sign of life, which `receive` does not show. */
  async ping(): Promise<void> {
    await this.#write(this.#writer.ping());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  async #read(): Promise<number | null> {
    try {
      return await this.#conn.read(this.#reader.space());
    } catch (error) {
      if (this.#closed) return null;
      throw error;
    }
  }

  #take(count: number): TakenFrames {
    try {
      return this.#reader.take(count);
    } catch (error) {
      if (error instanceof WebSocketError) this.#sayGoodbye(error.code);
      throw new Error(`${this.description}: ${(error as Error).message}`, { cause: error });
    }
  }

  #write(bytes: Uint8Array): Promise<void> {
    const writing = this.#written.then(() => writeAll(this.#conn, bytes));
    this.#written = writing.catch(() => {});
    return writing;
  }

  /** Sends a pong after what is currently being sent. */
  #answer(ping: Uint8Array): void {
    const waiting = this.#pingDue !== undefined;
    this.#pingDue = ping.slice();
    if (waiting) return;
    this.#written = this.#written.then(() => {
      const pong = this.#writer.pong(this.#pingDue!);
      this.#pingDue = undefined;
      return writeAll(this.#conn, pong);
    }).catch(() => {});
  }

  /** Whether the peer reads it is up to the peer. */
  #sayGoodbye(code: number): void {
    this.#write(this.#writer.close(code)).catch(() => {});
  }
}
