/**
 * Attach over SPDY/3.1, which servers before Kubernetes 1.30 need for a half-close: one stream for
 * each of stdin, stdout and stderr, and one for the status (`v4.channel.k8s.io`).
 */
import { type ByteConn, writeAll } from "../../../base/byte_conn.ts";
import type { Clock } from "../../../base/clock.ts";
import type { AttachTransport, OutputName, OutputSink } from "./attach_channels.ts";
import type { AttachOptions } from "./kube_api.ts";
import { KubeError } from "./kube_error.ts";
import { Liveness } from "./liveness.ts";
import {
  controlFrame,
  dataFrame,
  FLAG_FIN,
  FRAME_HEAD_BYTES,
  parseSpdyHead,
  type SpdyHead,
  SpdyType,
  StreamOpener,
  uint32,
} from "./spdy_frame.ts";

export const SPDY_PROTOCOL = "v4.channel.k8s.io";

const READ_BYTES = 64 * 1024;
/** Of stdin in one frame. */
const MAX_DATA_BYTES = 32 * 1024;
/** Control frames of a server hold a few headers at most; they must fit the buffer. */
const MAX_CONTROL_BYTES = READ_BYTES;

type StreamName = "error" | "stdin" | OutputName;

export class AttachSpdy implements AttachTransport {
  readonly #conn: ByteConn;
  readonly #liveness: Liveness;
  /** By id. */
  readonly #names = new Map<number, StreamName>();
  /** Those that the server may still send in. */
  readonly #open = new Set<number>();
  #stdin = 0;
  #written: Promise<unknown> = Promise.resolve();
  #pings = -1;
  #closed = false;
  #silence: KubeError | undefined;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #start = 0;
  #end = 0;

  /** Takes over `conn`, whose upgrade is done, and opens the streams. */
  constructor(conn: ByteConn, clock: Clock, options: AttachOptions) {
    this.#liveness = new Liveness(clock);
    this.#conn = this.#liveness.listening(conn);
    this.#openStreams(options);
    this.#liveness.start({
      // A client's pings have odd numbers.
      ping: () => this.#write(controlFrame(SpdyType.ping, 0, uint32(this.#pings += 2))),
      onSilence: (afterMs) => {
        this.#silence = new KubeError(`the server has been silent for ${afterMs / 1000} s`);
        this.#conn.close();
      },
    });
  }

  async writeStdin(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_DATA_BYTES) {
      await this.#write(dataFrame(this.#stdin, 0, bytes.subarray(at, at + MAX_DATA_BYTES)));
    }
  }

  async closeStdin(): Promise<void> {
    await this.#write(dataFrame(this.#stdin, FLAG_FIN, new Uint8Array(0)));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#liveness[Symbol.dispose]();
    this.#conn.close();
  }

  async receive(sink: OutputSink): Promise<void> {
    try {
      // When the server has ended its streams, nothing follows, though the connection may stay.
      while (this.#open.size > 0 && await this.#receiveFrame(sink));
    } catch (error) {
      if (this.#silence !== undefined) throw this.#silence;
      if (!this.#closed) throw error;
    }
  }

  #openStreams({ stdin, stdout = false, stderr = false }: AttachOptions): void {
    const wanted = { error: true, stdin, stdout, stderr };
    const opener = new StreamOpener();
    let id = 1;
    for (const [name, isWanted] of Object.entries(wanted) as [StreamName, boolean][]) {
      if (!isWanted) continue;
      this.#names.set(id, name);
      if (name === "stdin") this.#stdin = id;
      else this.#open.add(id);
      // A failed write shows when reading.
      this.#write(opener.open(id, [["streamtype", name]])).catch(() => {});
      id += 2;
    }
  }

  #write(bytes: Uint8Array): Promise<void> {
    const writing = this.#written.then(() => writeAll(this.#conn, bytes));
    this.#written = writing.catch(() => {});
    return writing;
  }

  /** False at the end of the connection. */
  async #receiveFrame(sink: OutputSink): Promise<boolean> {
    if (!(await this.#has(FRAME_HEAD_BYTES))) return false;
    const head = parseSpdyHead(this.#take(FRAME_HEAD_BYTES));
    if (head.kind === "data") return await this.#receiveData(head, sink);
    if (head.length > MAX_CONTROL_BYTES) {
      throw new KubeError(`the server sent a SPDY control frame of ${head.length} bytes`);
    }
    return await this.#receiveControl(head);
  }

  async #receiveData(
    { stream, flags, length }: Extract<SpdyHead, { kind: "data" }>,
    sink: OutputSink,
  ): Promise<boolean> {
    const name = this.#names.get(stream);
    let left = length;
    while (left > 0) {
      if (!(await this.#has(1))) return false;
      const part = this.#take(Math.min(left, this.#end - this.#start));
      left -= part.length;
      if (name === "error") sink.status(part);
      else if (name === "stdout" || name === "stderr") {
        await sink.output(name, part);
        this.#liveness.heard();
      }
    }
    if (flags & FLAG_FIN) this.#open.delete(stream);
    return true;
  }

  async #receiveControl(
    { type, flags, length }: Extract<SpdyHead, { kind: "control" }>,
  ): Promise<boolean> {
    if (!(await this.#has(length))) return false;
    const payload = this.#take(length);
    // In most frames the first is the stream that it is about.
    const first = length < 4 ? 0 : new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    switch (type) {
      case SpdyType.ping:
        // One of the server's own; the others answer ours.
        if (first % 2 === 0) await this.#write(controlFrame(type, 0, uint32(first)));
        return true;
      case SpdyType.rstStream:
        this.#open.delete(first);
        return true;
      case SpdyType.goAway:
        return this.#open.size > 0;
      default:
        if (flags & FLAG_FIN) this.#open.delete(first);
        return true;
    }
  }

  /** Waits until so many bytes are in the buffer; false if the connection ends first. */
  async #has(count: number): Promise<boolean> {
    while (this.#end - this.#start < count) {
      if (this.#buffer.length - this.#start < count) {
        this.#buffer.copyWithin(0, this.#start, this.#end);
        this.#end -= this.#start;
        this.#start = 0;
      }
      const read = await this.#conn.read(this.#buffer.subarray(this.#end));
      if (read === null) return false;
      this.#end += read;
    }
    return true;
  }

  /** A view, valid until the next `#has`. */
  #take(count: number): Uint8Array {
    const bytes = this.#buffer.subarray(this.#start, this.#start + count);
    this.#start += count;
    if (this.#start === this.#end) this.#start = this.#end = 0;
    return bytes;
  }
}
