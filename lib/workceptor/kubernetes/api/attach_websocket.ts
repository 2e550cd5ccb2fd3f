/**
 * Attach over WebSocket, version 5 of the protocol (`v5.channel.k8s.io`): each message begins with
 * the number of the channel that it is for.
 *
 *     +---------+------…
 *     | channel | data      stdin 0, stdout 1, stderr 2, status 3
 *     +---------+------…
 *     |   255   | channel | that channel ends (half-close)
 *     +---------+---------+
 */
import { WebSocketSession } from "../../../backends/websocket_session.ts";
import type { ByteConn } from "../../../base/byte_conn.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Random } from "../../../base/random.ts";
import type { AttachTransport, OutputName, OutputSink } from "./attach_channels.ts";
import { KubeError } from "./kube_error.ts";
import { Liveness } from "./liveness.ts";

export const WEBSOCKET_PROTOCOL = "v5.channel.k8s.io";

const STDIN = 0;
const STATUS = 3;
const CLOSE = 255;
const OUTPUTS: Readonly<Record<number, OutputName>> = { 1: "stdout", 2: "stderr" };

/** Of stdin in one message. */
const MAX_DATA_BYTES = 32 * 1024;
/** Little-endian length ahead of a message, as `WebSocketSession.send` takes them. */
const LENGTH_BYTES = 2;

export class AttachWebSocket implements AttachTransport {
  readonly #session: WebSocketSession;
  readonly #liveness: Liveness;
  #silence: KubeError | undefined;

  /** Takes over `conn`, whose handshake is done. */
  constructor(conn: ByteConn, { clock, random }: { clock: Clock; random: Random }) {
    this.#liveness = new Liveness(clock);
    this.#session = new WebSocketSession(this.#liveness.listening(conn), {
      description: "the WebSocket to the container",
      masks: random,
    });
    this.#liveness.start({
      ping: () => this.#session.ping(),
      onSilence: (afterMs) => {
        this.#silence = new KubeError(`the server has been silent for ${afterMs / 1000} s`);
        this.#session.close();
      },
    });
  }

  async writeStdin(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_DATA_BYTES) {
      await this.#session.send(message(STDIN, bytes.subarray(at, at + MAX_DATA_BYTES)));
    }
  }

  async closeStdin(): Promise<void> {
    await this.#session.send(message(CLOSE, Uint8Array.of(STDIN)));
  }

  close(): void {
    this.#liveness[Symbol.dispose]();
    this.#session.close();
  }

  async receive(sink: OutputSink): Promise<void> {
    for (;;) {
      const messages = await this.#session.receive();
      if (messages === null) break;
      for (const bytes of messages) await this.#take(bytes, sink);
    }
    if (this.#silence !== undefined) throw this.#silence;
  }

  async #take(bytes: Uint8Array, sink: OutputSink): Promise<void> {
    const channel = bytes[0];
    if (channel === undefined) return;
    const data = bytes.subarray(1);
    const name = OUTPUTS[channel];
    if (channel === STATUS) sink.status(data);
    else if (name !== undefined && data.length > 0) {
      await sink.output(name, data);
      this.#liveness.heard();
    }
  }
}

function message(channel: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = 1 + data.length;
  const bytes = new Uint8Array(LENGTH_BYTES + length);
  bytes[0] = length & 0xff;
  bytes[1] = length >>> 8;
  bytes[2] = channel;
  bytes.set(data, LENGTH_BYTES + 1);
  return bytes;
}
