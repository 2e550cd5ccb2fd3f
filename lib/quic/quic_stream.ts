/** The one stream of a QUIC connection, as a two-way byte stream. */
import type { ByteConn } from "../base/byte_conn.ts";
import { type Core, ReadOutcome, WriteOutcome } from "./core.ts";

/** What a stream needs from its connection. */
export interface StreamOwner {
  readonly core: Core;
  readonly id: number;
  /** Why the connection is over, if it is. */
  readonly ended: Error | undefined;
  /** Has the core's output sent before this turn of the event loop ends. */
  touch(): void;
  /** Both directions were ended by `close`. */
  streamClosed(): void;
  /** Nothing more can be read; `byPeer` says whether the peer ended its direction. */
  readingEnded(byPeer: boolean): void;
  /** The peer has everything that we wrote, or refuses it. */
  writingEnded(): void;
}

/** Bytes handed to the core at once; more would only lengthen the copy before the first packet. */
const MOST_WRITTEN_BYTES = 256 * 1024;
/**
 * How much a closed stream still accepts and drops until the peer has read our end of the stream
 * and ends its own; beyond that, the peer is told that nobody reads.
 */
const MOST_DROPPED_BYTES = 64 * 1024;

export class QuicStream implements ByteConn {
  readonly #owner: StreamOwner;
  #waiting: (() => void)[] = [];
  /** The core holds part of the last write until the peer makes room. */
  #full = false;
  #writeEnded = false;
  /** How reading ended: `null` at the peer's end of stream. */
  #readEnd: Error | null | undefined;
  #closed = false;
  /** Bytes that a closed stream may still drop; undefined once it has stopped reading. */
  #mayDrop: number | undefined;

  constructor(owner: StreamOwner) {
    this.#owner = owner;
  }

  /**
   * Reads what there is, straight from the core's memory, up to the size of `into`. What arrived
   * before the connection ended can still be read afterwards.
   */
  async read(into: Uint8Array): Promise<number | null> {
    if (into.length === 0) return 0;
    for (;;) {
      const outcome = this.#tryRead(into);
      if (outcome !== undefined) return outcome;
      await this.#change();
    }
  }

  #tryRead(into: Uint8Array): number | null | undefined {
    if (this.#readEnd === null) return null;
    if (this.#readEnd !== undefined) throw this.#readEnd;
    const { core, id, ended } = this.#owner;
    if (core.broken) throw core.broken;
    const outcome = core.call.stream_read(id, into.length);
    if (outcome > 0) {
      const [partsAt, parts, tellPeer] = [core.word(0), core.word(1), core.word(2)];
      copyParts(core.heap(), partsAt, parts, into);
      core.call.stream_release(id);
      if (tellPeer) this.#owner.touch();
      return outcome;
    }
    switch (outcome) {
      case ReadOutcome.end:
        this.#readEnd = null;
        this.#owner.readingEnded(true);
        return null;
      case ReadOutcome.reset:
        this.#readEnd = new Error("the peer abandoned the stream before its end");
        this.#owner.readingEnded(true);
        break;
      default:
        if (!ended) return undefined;
        this.#readEnd = ended;
        this.#owner.readingEnded(false);
    }
    throw this.#readEnd;
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (bytes.length === 0) return 0;
    await this.#room();
    if (this.#writeEnded) throw new Error("write after the end of the stream");
    const { core, id, ended } = this.#owner;
    if (ended) throw ended;
    const length = core.pass(bytes.subarray(0, MOST_WRITTEN_BYTES));
    const outcome = core.call.stream_write(id, length);
    if (outcome === WriteOutcome.stopped) throw new Error("the peer no longer reads the stream");
    if (outcome < 0) throw new Error("write to a stream that is not open");
    this.#full = outcome === WriteOutcome.takenWait;
    this.#owner.touch();
    return length;
  }

  async closeWrite(): Promise<void> {
    if (this.#writeEnded) return;
    await this.#room();
    this.#finish();
  }

  #finish(): void {
    const { core, id, ended } = this.#owner;
    if (this.#writeEnded || ended) return;
    this.#writeEnded = true;
    if (!core.call.stream_finish(id)) this.#owner.writingEnded();
    this.#owner.touch();
  }

  /**
   * Ends both directions: what was written is still sent, and what arrives is dropped. The connection
   * closes ("normal close") when the peer has ended its direction too, or after a time.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#finish();
    if (this.#readEnd === undefined) {
      this.#readEnd = new Error("read from a closed stream");
      this.#mayDrop = MOST_DROPPED_BYTES;
      this.#drop();
    }
    this.#owner.streamClosed();
    this.#wake();
  }

  /** Reads and discards, up to the peer's end of the stream. */
  #drop(): void {
    const { core, id } = this.#owner;
    while (this.#mayDrop !== undefined && !this.#owner.ended) {
      const outcome = core.call.stream_read(id, this.#mayDrop);
      if (outcome === ReadOutcome.nothingYet) return;
      if (outcome < 0) {
        this.#mayDrop = undefined;
        this.#owner.readingEnded(true);
      } else {
        this.#mayDrop -= outcome;
        core.call.stream_release(id);
        if (this.#mayDrop === 0) {
          this.#mayDrop = undefined;
          core.call.stream_stop(id);
        }
        this.#owner.touch();
      }
    }
  }

  /** Called by the connection when something has changed for readers or writers. */
  changed(hasRoom: boolean): void {
    if (hasRoom) this.#full = false;
    this.#drop();
    this.#wake();
  }

  /** Called by the connection when the core forgets it: nothing more can be read. */
  detach(error: Error): void {
    if (this.#readEnd === undefined) this.#readEnd = error;
    this.#mayDrop = undefined;
    this.#wake();
  }

  async #room(): Promise<void> {
    while (this.#full && !this.#owner.ended && !this.#closed) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Copies the parts that the core lends, each a pointer and a length in a list at `partsAt`. */
function copyParts(heap: Uint8Array, partsAt: number, parts: number, into: Uint8Array): void {
  const list = new Uint32Array(heap.buffer, partsAt, 2 * parts);
  let copied = 0;
  for (let index = 0; index < list.length; index += 2) {
    const at = list[index]!;
    const length = list[index + 1]!;
    into.set(heap.subarray(at, at + length), copied);
    copied += length;
  }
}
