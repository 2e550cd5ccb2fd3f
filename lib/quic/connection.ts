/** One QUIC connection: its handshake, its streams, its end. */
import { readBlobs } from "./blobs.ts";
import {
  type ConnectionEvent,
  type ConnectionState,
  deadlineOf,
  endOf,
  transition,
} from "./connection_state.ts";
import { type Core, Happened, News, NONE, Statistic } from "./core.ts";
import { endingError, QuicError } from "./quic_error.ts";
import { QuicStream, type StreamOwner } from "./quic_stream.ts";
import { isOver, mayHoldUnread, type Role, streamDeadline } from "./stream_state.ts";

/** What a connection needs from its endpoint. */
export interface ConnectionOwner {
  readonly core: Core;
  /** Milliseconds of the endpoint's clock. */
  now(): number;
  /** Pumps the connection before this turn of the event loop ends. */
  touch(connection: Connection): void;
  /** The connection is over and nobody reads from it any more, so its memory can be freed. */
  release(connection: Connection): void;
  /** The error with which our own check refused the handshake; returned once. */
  takeRefusal(connection: Connection): Error | undefined;
  /** The peer opened one of many streams. False when there is no place for it: it is refused. */
  admitStream(connection: Connection, stream: QuicStream): boolean;
  /** One of many streams is over. */
  streamGone(connection: Connection, stream: QuicStream): void;
}

export interface ConnectionEnds {
  /** "node:service" at the other end. */
  readonly remote: string;
  /** Whether we dialled. */
  readonly dialled: boolean;
  /** Where we dialled from, in the words of whoever sends; "" if the other side dialled. */
  readonly local: string;
}

export interface ConnectionTimes {
  handshakeTimeoutMs: number;
  /** How long a closed stream waits for the peer to read the rest and close the connection. */
  lingerMs: number;
}

/** Sent with an orderly close, as in `pkg/netceptor/conn.go`. */
const NORMAL_CODE = 0;
const NORMAL_REASON = "normal close";

/** Sent when our side fails; the original uses this code for all such closes. */
const FAILED_CODE = 500;
const FAILED_REASON = "internal error";

export interface ConnectionStatistics {
  /** The largest datagram that the path can carry, in bytes. */
  mtu: number;
  roundTripMs: number;
  congestionWindowBytes: number;
  packetsSent: number;
  packetsLost: number;
  datagramsReceived: number;
}

export class Connection implements ConnectionEnds {
  readonly remote: string;
  readonly dialled: boolean;
  readonly local: string;
  /** Resolves when the connection is over, with the error that ended it, if any; never rejects. */
  readonly closed: Promise<Error | undefined>;
  /** The peer's certificates in DER, leaf first; known after the handshake. */
  peerChain: readonly Uint8Array[] = [];
  /** When the endpoint has to call `expire`, by its clock. */
  deadline = Infinity;
  /**
   * Whether both sides speak our own protocol, with many streams on the connection; known after the
   * handshake.
   */
  manyStreams = false;
  /** Called when one of many streams is over. */
  onStreamEnd: (() => void) | undefined;
  /** When the handshake was complete, by the endpoint's clock; NaN before. */
  establishedAt = NaN;

  readonly #owner: ConnectionOwner;
  /** By index, those that are not over. */
  readonly #streams = new Map<number, QuicStream>();
  /** Opened by the peer, but not handed out yet. */
  readonly #arrived: QuicStream[] = [];
  /** Somebody has the one stream of a connection without others, or waits for it. */
  #onlyStreamTaken = false;
  readonly #times: ConnectionTimes;
  #state: ConnectionState;
  #resolveClosed!: (error: Error | undefined) => void;
  #waiting: (() => void)[] = [];

  constructor(
    owner: ConnectionOwner,
    /** The core's number for it. */
    readonly id: number,
    { remote, dialled, local }: ConnectionEnds,
    times: ConnectionTimes,
  ) {
    this.remote = remote;
    this.dialled = dialled;
    this.local = local;
    this.#owner = owner;
    this.#times = times;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    const deadline = owner.now() + times.handshakeTimeoutMs;
    this.#state = { phase: "handshaking", deadline };
  }

  /** Whether the handshake is still under way. */
  get handshaking(): boolean {
    return this.#state.phase === "handshaking";
  }

  /** Why the connection is over, if it is. */
  get ended(): QuicError | undefined {
    return endOf(this.#state);
  }

  /** Streams that are not over. */
  get streams(): Iterable<QuicStream> {
    return this.#streams.values();
  }

  /** How many streams are not over. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Opens a stream if the peer takes one more now. After the handshake. */
  tryOpenStream(): QuicStream | undefined {
    if (!this.dialled) throw new Error("only the dialling side opens streams");
    if (this.ended) throw this.ended;
    const index = this.#owner.core.call.stream_open(this.id);
    if (index === NONE) return undefined;
    const stream = this.#addStream(index);
    stream.claim();
    return stream;
  }

  /** Opens a stream, as soon as the peer takes one. */
  async openStream(options: { signal?: AbortSignal | undefined } = {}): Promise<QuicStream> {
    if (!this.dialled) throw new Error("only the dialling side opens streams");
    return await this.#claimStream(() => this.tryOpenStream(), options.signal);
  }

  /** The next stream that the dialling side opens, once its first byte is here. */
  async acceptStream(options: { signal?: AbortSignal | undefined } = {}): Promise<QuicStream> {
    if (this.dialled) throw new Error("only the accepting side accepts streams");
    const next = () => {
      const stream = this.#arrived.shift();
      stream?.claim();
      return stream;
    };
    return await this.#claimStream(next, options.signal);
  }

  /** Closes the connection now: what is still on its way may be lost. */
  close(code: number = NORMAL_CODE, reason: string = NORMAL_REASON): void {
    this.#closeAs(new QuicError(`closed: ${reason} (code ${code})`, "closed", code), reason);
  }

  /** For tests and measurements, while the connection lives. */
  statistics(): ConnectionStatistics {
    if (this.ended) throw this.ended;
    const { core } = this.#owner;
    const value = (which: number) => core.call.statistic(this.id, which);
    return {
      mtu: value(Statistic.mtu),
      roundTripMs: value(Statistic.roundTripMs),
      congestionWindowBytes: value(Statistic.congestionWindowBytes),
      packetsSent: value(Statistic.packetsSent),
      packetsLost: value(Statistic.packetsLost),
      datagramsReceived: value(Statistic.datagramsReceived),
    };
  }

  /** For the endpoint: waits for the handshake. Rejects with the reason if it fails. */
  async handshake(signal: AbortSignal | undefined): Promise<void> {
    await this.#until(() => !this.handshaking, signal);
  }

  /** For the endpoint: acts on what the core's `poll` has just reported (bits of `Happened`). */
  handle(happened: number): void {
    const { core } = this.#owner;
    const news = happened & Happened.news ? core.news() : [];
    if (happened & Happened.connected) {
      this.manyStreams = core.call.many_streams(this.id) !== 0;
      this.establishedAt = this.#owner.now();
      this.peerChain = this.#readPeerChain();
      this.#apply({ type: "connected" });
    }
    for (const [index, bits] of news) this.#handleStream(index, bits);
    if (happened & Happened.lost) this.#apply({ type: "lost", error: this.#readEnding() });
    if (happened & Happened.drained) this.#apply({ type: "drained" });
    this.#wake();
    this.#releaseIfDone();
  }

  /** For the endpoint: takes the core's deadline or ours, whichever is earlier. */
  updateDeadline(): void {
    const { core } = this.#owner;
    const deadline = core.call.deadline(this.id);
    const ours = this.ended
      ? []
      : Array.from(this.#streams.values(), ({ state }) => streamDeadline(state));
    const coreDeadline = Number.isNaN(deadline) ? Infinity : deadline;
    this.deadline = Math.min(coreDeadline, deadlineOf(this.#state), ...ours);
  }

  /** For the endpoint: `deadline` has passed. */
  expire(now: number): void {
    const { core } = this.#owner;
    core.call.expire(now, this.id);
    if (this.ended) return;
    if (this.handshaking) {
      if (deadlineOf(this.#state) <= now) this.#failHandshake();
      return;
    }
    for (const stream of [...this.#streams.values()]) {
      if (streamDeadline(stream.state) <= now) stream.abort();
    }
  }

  /** For the endpoint: ends it without telling the peer. */
  abandon(error: QuicError): void {
    this.#apply({ type: "abandoned", error });
    this.#releaseIfDone();
  }

  /** For the endpoint: our own side failed. Tells the peer, unless telling it is what failed. */
  fail(): void {
    const error = new QuicError(
      `closed: ${FAILED_REASON} (code ${FAILED_CODE})`,
      "closed",
      FAILED_CODE,
    );
    if (this.ended) this.abandon(this.ended);
    else this.#closeAs(error, FAILED_REASON);
  }

  #handleStream(index: number, news: number): void {
    if (news & News.opened) {
      const stream = this.#addStream(index);
      if (this.manyStreams && !this.#owner.admitStream(this, stream)) return;
      this.#arrived.push(stream);
    }
    this.#streams.get(index)?.handle(news);
  }

  #addStream(index: number): QuicStream {
    const stream: QuicStream = new QuicStream(this.#streamOwner(() => stream), index);
    this.#streams.set(index, stream);
    return stream;
  }

  #streamOwner(stream: () => QuicStream): StreamOwner {
    // deno-lint-ignore no-this-alias -- the getters below are another object's.
    const connection = this;
    return {
      core: this.#owner.core,
      id: this.id,
      remote: this.remote,
      get ended() {
        return connection.ended;
      },
      get manyStreams() {
        return connection.manyStreams;
      },
      lingerDeadline: () => this.#owner.now() + this.#times.lingerMs,
      touch: () => this.#owner.touch(this),
      stateChanged: () => this.#actOn(stream()),
      closeConnection: () => this.close(),
    };
  }

  /** Forgets a stream that is over, or closes the connection that was for it alone. */
  #actOn(stream: QuicStream): void {
    if (!this.ended && isOver(stream.state, this.#role)) {
      if (this.manyStreams) this.#forget(stream);
      else this.close();
    }
    this.#releaseIfDone();
    // Its deadline may have changed.
    if (!this.#drained) this.#owner.touch(this);
  }

  get #role(): Role {
    if (this.manyStreams) return "one-of-many";
    return this.dialled ? "only-dialled" : "only-accepted";
  }

  #forget(stream: QuicStream): void {
    if (!this.#streams.delete(stream.index)) return;
    this.#owner.core.call.stream_free(this.id, stream.index);
    stream.detach(undefined);
    this.#owner.streamGone(this, stream);
    this.onStreamEnd?.();
  }

  /** Whether the core is done with the connection: nothing is left to send or wait for. */
  get #drained(): boolean {
    const { phase } = this.#state;
    return phase === "drained" || phase === "released";
  }

  /** Hands out a stream as soon as there is one. */
  async #claimStream(
    take: () => QuicStream | undefined,
    signal: AbortSignal | undefined,
  ): Promise<QuicStream> {
    if (this.#onlyStreamTaken) throw new Error("the connection's one stream is in use");
    this.#onlyStreamTaken = !this.manyStreams;
    try {
      let stream: QuicStream | undefined;
      await this.#until(() => (stream = take()) !== undefined, signal);
      return stream!;
    } catch (error) {
      this.#onlyStreamTaken = false;
      this.#releaseIfDone();
      throw error;
    }
  }

  #apply(event: ConnectionEvent): void {
    const before = this.#state;
    this.#state = transition(before, event);
    const error = endOf(this.#state);
    if (error === undefined || endOf(before) !== undefined) return;
    const failure = error.isNormalClose ? undefined : error;
    this.#resolveClosed(failure);
    for (const stream of this.#streams.values()) {
      stream.connectionEnded(failure);
      if (event.type !== "lost") stream.readingLost();
    }
    this.#wake();
  }

  /** Frees the memory of a connection that nobody needs anything of any more. */
  #releaseIfDone(): void {
    if (this.#state.phase !== "drained") return;
    for (const { state } of this.#streams.values()) if (mayHoldUnread(state)) return;
    this.#apply({ type: "released" });
    for (const stream of this.#streams.values()) stream.detach(this.ended);
    this.#owner.release(this);
  }

  #failHandshake(): void {
    const seconds = this.#times.handshakeTimeoutMs / 1000;
    const problem = `timed out: no handshake with ${this.remote} within ${seconds} s`;
    this.#closeAs(new QuicError(problem, "timed-out"), "handshake timed out");
  }

  #closeAs(error: QuicError, reason: string): void {
    if (this.ended) return;
    const { core } = this.#owner;
    const length = core.pass(new TextEncoder().encode(reason));
    core.call.close(this.#owner.now(), this.id, error.code, length);
    this.#apply({ type: "closed", error });
    this.#owner.touch(this);
  }

  #readEnding(): QuicError {
    const { core } = this.#owner;
    const kind = core.call.ending(this.id);
    const words = core.outputText();
    const code = core.word(2) + core.word(3) * 2 ** 32;
    return endingError(kind, code, words, this.#owner.takeRefusal(this));
  }

  #readPeerChain(): Uint8Array[] {
    const { core } = this.#owner;
    core.call.peer_chain(this.id);
    return readBlobs(core.output());
  }

  async #until(condition: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.ended) throw this.ended;
      if (condition()) return;
      await this.#change(signal);
    }
  }

  #change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal?.removeEventListener("abort", done);
        resolve();
      };
      signal?.addEventListener("abort", done, { once: true });
      this.#waiting.push(done);
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
