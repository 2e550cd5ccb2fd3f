/** A stream of a QUIC connection, as a two-way byte stream. */
import type { ByteConn } from "../base/byte_conn.ts";
import { type Core, News, ReadOutcome, WriteOutcome } from "./core.ts";
import type { QuicError } from "./quic_error.ts";
import { resetError, StreamCode } from "./stream_codes.ts";
import {
  initialStreamState,
  type StreamState,
  type StreamStateEvent,
  streamTransition,
} from "./stream_state.ts";

/** What a stream needs from its connection. */
export interface StreamOwner {
  readonly core: Core;
  /** The core's number for the connection. */
  readonly id: number;
  /** "node:service" at the other end. */
  readonly remote: string;
  /** Why the connection is over, if it is. */
  readonly ended: QuicError | undefined;
  /** Whether other streams share the connection. */
  readonly manyStreams: boolean;
  /** By when a stream has to be over that is closed now, by the endpoint's clock. */
  lingerDeadline(): number;
  /** Has the core's output sent before this turn of the event loop ends. */
  touch(): void;
  /** The stream's `state` has changed. */
  stateChanged(): void;
  /** Closes the connection. */
  closeConnection(): void;
}

/** Bytes handed to the core at once; more would only lengthen the copy before the first packet. */
const MOST_WRITTEN_BYTES = 256 * 1024;
/**
 * How much a closed stream still accepts and drops until the peer has read our end of the stream
 * and ends its own; beyond that, the peer is told that nobody reads.
 */
const MOST_DROPPED_BYTES = 64 * 1024;

export class QuicStream implements ByteConn {
  /**
   * Resolves when the stream is over or the peer has broken it off, or the connection ended; with the
   * error that did it, if any. Never rejects.
   */
  readonly closed: Promise<Error | undefined>;
  readonly #owner: StreamOwner;
  readonly #resolveClosed: (error: Error | undefined) => void;
  #state: StreamState = initialStreamState;
  #waiting: (() => void)[] = [];
  /** The core holds part of the last write until the peer makes room. */
  #full = false;
  #writeEnded = false;
  /** How reading ended: `null` at the peer's end of stream. */
  #readEnd: Error | null | undefined;
  /** Bytes that a closed stream may still drop; undefined once it has stopped reading. */
  #mayDrop: number | undefined;

  constructor(
    owner: StreamOwner,
    /** Its index among the streams of the connection. */
    readonly index: number,
  ) {
    this.#owner = owner;
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  /** "node:service" at the other end. */
  get remote(): string {
    return this.#owner.remote;
  }

  get state(): StreamState {
    return this.#state;
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
    const outcome = core.call.stream_read(id, this.index, into.length);
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
        this.#apply({ type: "reading-ended" });
        return null;
      case ReadOutcome.reset:
        this.#readEnd = this.#peersError();
        this.#apply({ type: "reading-ended" });
        break;
      default:
        if (!ended) return undefined;
        this.#readEnd = ended;
        this.#apply({ type: "reading-lost" });
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
    const outcome = core.call.stream_write(id, this.index, length);
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
    if (!core.call.stream_finish(id, this.index)) this.#apply({ type: "delivered" });
    this.#owner.touch();
  }

  /**
   * Ends both directions: what was written is still sent, and what arrives is dropped. It is over when
   * the peer has ended its direction too, or after a time; with it the connection if it has no other.
   */
  close(): void {
    if (this.#state.holder.phase === "closed") return;
    this.#finish();
    // Before what is dropped can end it.
    this.#state = streamTransition(this.#state, {
      type: "closed",
      deadline: this.#owner.lingerDeadline(),
    });
    if (this.#readEnd === undefined) {
      this.#readEnd = new Error("read from a closed stream");
      this.#mayDrop = MOST_DROPPED_BYTES;
      this.#drop();
    }
    this.#owner.stateChanged();
    this.#wake();
  }

  /** Breaks both directions off: the peer's reader gets an error. */
  abort(): void {
    if (this.#owner.manyStreams) this.breakOff(StreamCode.aborted);
    else this.#owner.closeConnection();
  }

  /** Breaks both directions off, with a code for the peer; the connection goes on. */
  breakOff(code: number): void {
    const { core, id, ended } = this.#owner;
    if (!ended) {
      core.call.stream_reset(id, this.index, code);
      core.call.stream_stop(id, this.index, code);
      this.#owner.touch();
    }
    this.#writeEnded = true;
    this.#readEnd ??= new Error("read from a stream that was broken off");
    this.#mayDrop = undefined;
    this.#apply({ type: "broken-off", deadline: this.#owner.lingerDeadline() });
    this.#wake();
  }

  /** Reads and discards, up to the peer's end of the stream. */
  #drop(): void {
    const { core, id } = this.#owner;
    while (this.#mayDrop !== undefined && !this.#owner.ended) {
      const outcome = core.call.stream_read(id, this.index, this.#mayDrop);
      if (outcome === ReadOutcome.nothingYet) return;
      if (outcome < 0) {
        this.#mayDrop = undefined;
        this.#apply({ type: "reading-ended" });
      } else {
        this.#mayDrop -= outcome;
        core.call.stream_release(id);
        if (this.#mayDrop === 0) {
          this.#mayDrop = undefined;
          core.call.stream_stop(id, this.index, StreamCode.left);
          this.#apply({ type: "reading-stopped" });
        }
        this.#owner.touch();
      }
    }
  }

  /** For the connection: hands the stream to its user. */
  claim(): void {
    this.#apply({ type: "claimed" });
  }

  /** For the connection: something happened to the stream (bits of `News`). */
  handle(news: number): void {
    if (news & News.writable) this.#full = false;
    if (news & News.finished) this.#apply({ type: "delivered" });
    if (news & News.stopped) this.#apply({ type: "stopped" });
    if (this.#owner.manyStreams && news & (News.stopped | News.reset)) {
      this.#resolveClosed(this.#peersError());
    }
    this.#drop();
    this.#wake();
  }

  /** For the connection: it is over, with an error unless that was in order. */
  connectionEnded(error: Error | undefined): void {
    this.#resolveClosed(error);
    this.#wake();
  }

  /** For the connection: our side closed it, so that the peer is not expected to end anything. */
  readingLost(): void {
    this.#apply({ type: "reading-lost" });
  }

  /** For the connection: the core forgets the stream, and nothing more can be read. */
  detach(error: Error | undefined): void {
    this.#readEnd ??= error ?? new Error("read from a stream that is over");
    this.#mayDrop = undefined;
    this.#resolveClosed(undefined);
    this.#wake();
  }

  #apply(event: StreamStateEvent): void {
    this.#state = streamTransition(this.#state, event);
    this.#owner.stateChanged();
  }

  #peersError(): Error {
    const { core, id } = this.#owner;
    return resetError(core.call.stream_code(id, this.index));
  }

  async #room(): Promise<void> {
    const isClosed = () => this.#state.holder.phase === "closed";
    while (this.#full && !this.#owner.ended && !isClosed()) await this.#change();
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
