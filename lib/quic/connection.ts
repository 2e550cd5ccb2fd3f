/** One QUIC connection: its handshake, its one stream, its end. */
import { readBlobs } from "./blobs.ts";
import { type Core, Happened, Statistic } from "./core.ts";
import { endingError, QuicError } from "./quic_error.ts";
import { QuicStream, type StreamOwner } from "./quic_stream.ts";

/** What a connection needs of its endpoint. */
export interface ConnectionOwner {
  readonly core: Core;
  readonly endpoint: number;
  now(): number;
  /** Pumps the connection before this turn of the event loop ends. */
  touch(connection: Connection): void;
  /** The connection is over, and nobody reads from it any more: its memory can go. */
  release(connection: Connection): void;
  /** The error of our own check behind a refused handshake, once. */
  takeRefusal(connection: Connection): Error | undefined;
}

export interface ConnectionTimes {
  handshakeTimeoutMs: number;
  /** How long a closed stream waits for the peer to take the rest and to close the connection. */
  lingerMs: number;
}

/** What goes with an orderly end (as `pkg/netceptor/conn.go` closes). */
const NORMAL_CODE = 0;
const NORMAL_REASON = "normal close";

export interface ConnectionStatistics {
  /** The largest datagram that the path takes, in bytes. */
  mtu: number;
  roundTripMs: number;
  congestionWindowBytes: number;
  packetsSent: number;
  packetsLost: number;
  datagramsReceived: number;
}

export class Connection {
  /** Resolves when the connection is over, with the error that ended it, if any; never rejects. */
  readonly closed: Promise<Error | undefined>;
  /** The peer's certificates in DER, leaf first; known after the handshake. */
  peerChain: readonly Uint8Array[] = [];
  /** When the endpoint has to call `expire`, by its clock. */
  deadline = Infinity;

  readonly #owner: ConnectionOwner;
  readonly #stream: QuicStream;
  readonly #times: ConnectionTimes;
  #resolveClosed!: (error: Error | undefined) => void;
  #waiting: (() => void)[] = [];
  #established = false;
  /** The stream was handed out: its user ends it. */
  #inUse = false;
  #canOpen = false;
  #opened = false;
  #streamClosed = false;
  /** The peer has all that we wrote, and our end of the stream. */
  #finished = false;
  /** The peer wants none of what we write. */
  #peerStopped = false;
  /** The peer ended its direction. */
  #peerEnded = false;
  #readingEnded = false;
  #ended: QuicError | undefined;
  #drained = false;
  #released = false;
  /** Our own deadline: of the handshake first, of lingering at the end. */
  #ownDeadline: number;

  constructor(
    owner: ConnectionOwner,
    /** The core's number for it. */
    readonly id: number,
    /** "node:service" at the other end. */
    readonly remote: string,
    /** Whether we dialled. */
    readonly dialled: boolean,
    times: ConnectionTimes,
  ) {
    this.#owner = owner;
    this.#times = times;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#ownDeadline = owner.now() + times.handshakeTimeoutMs;
    this.#stream = new QuicStream(this.#streamOwner());
  }

  /** Whether the handshake is complete. */
  get established(): boolean {
    return this.#established;
  }

  /** Why the connection is over, if it is. */
  get ended(): QuicError | undefined {
    return this.#ended;
  }

  /** Opens the one stream that the dialling side may open. */
  async openStream(options: { signal?: AbortSignal | undefined } = {}): Promise<QuicStream> {
    if (!this.dialled) throw new Error("only the dialling side opens the stream");
    this.#claimStream();
    const { core, endpoint } = this.#owner;
    await this.#until(() => {
      if (!this.#opened) this.#opened = core.call.stream_open(endpoint, this.id) !== 0;
      return this.#opened;
    }, options.signal);
    return this.#stream;
  }

  /** The one stream that the dialling side opens, when its first byte is here. */
  async acceptStream(options: { signal?: AbortSignal | undefined } = {}): Promise<QuicStream> {
    if (this.dialled) throw new Error("only the accepting side accepts the stream");
    this.#claimStream();
    await this.#until(() => this.#canOpen, options.signal);
    return this.#stream;
  }

  /** Closes the connection now: what is still on its way may be lost. */
  close(code: number = NORMAL_CODE, reason: string = NORMAL_REASON): void {
    this.#closeAs(new QuicError(`closed: ${reason} (code ${code})`, "closed", code), reason);
  }

  /** For tests and measurements, while the connection lives. */
  statistics(): ConnectionStatistics {
    if (this.#ended) throw this.#ended;
    const { core, endpoint } = this.#owner;
    const value = (which: number) => core.call.statistic(endpoint, this.id, which);
    return {
      mtu: value(Statistic.mtu),
      roundTripMs: value(Statistic.roundTripMs),
      congestionWindowBytes: value(Statistic.congestionWindowBytes),
      packetsSent: value(Statistic.packetsSent),
      packetsLost: value(Statistic.packetsLost),
      datagramsReceived: value(Statistic.datagramsReceived),
    };
  }

  /** For the endpoint: waits for the handshake. Rejects with why there is none. */
  async handshake(signal: AbortSignal | undefined): Promise<void> {
    await this.#until(() => this.#established, signal);
  }

  /** For the endpoint: acts on what the core says happened (bits of `Happened`). */
  handle(happened: number): void {
    if (happened & Happened.connected) {
      this.#established = true;
      this.#ownDeadline = Infinity;
      this.peerChain = this.#readPeerChain();
    }
    if (happened & Happened.stream) this.#canOpen = true;
    if (happened & Happened.lost) this.#end(this.#readEnding());
    if (happened & Happened.finished) this.#finished = true;
    if (happened & Happened.stopped) this.#peerStopped = true;
    if (happened & Happened.drained) this.#drained = true;
    this.#stream.changed((happened & Happened.writable) !== 0);
    this.#wake();
    this.#closeWhenDone();
    this.#releaseWhenDone();
  }

  /** For the endpoint: the deadline of the core and ours, whichever is first. */
  updateDeadline(): void {
    const { core, endpoint } = this.#owner;
    const deadline = core.call.deadline(endpoint, this.id);
    this.deadline = Math.min(Number.isNaN(deadline) ? Infinity : deadline, this.#ownDeadline);
  }

  /** For the endpoint: `deadline` has passed. */
  expire(now: number): void {
    const { core, endpoint } = this.#owner;
    core.call.expire(endpoint, now, this.id);
    if (now < this.#ownDeadline) return;
    this.#ownDeadline = Infinity;
    if (this.#established) this.close();
    else this.#failHandshake();
  }

  /** For the endpoint: ends it with no word to the peer. */
  abandon(error: QuicError): void {
    this.#drained = true;
    this.#readingEnded = true;
    this.#end(error);
    this.#releaseWhenDone();
  }

  #streamOwner(): StreamOwner {
    // deno-lint-ignore no-this-alias -- the getters below are another object's.
    const connection = this;
    return {
      core: this.#owner.core,
      endpoint: this.#owner.endpoint,
      id: this.id,
      get ended() {
        return connection.#ended;
      },
      touch: () => this.#owner.touch(this),
      streamClosed: () => {
        this.#streamClosed = true;
        this.#readingEnded = true;
        if (!this.#ended) this.#ownDeadline = this.#owner.now() + this.#times.lingerMs;
        this.#closeWhenDone();
        this.#releaseWhenDone();
        if (!this.#drained) this.#owner.touch(this);
      },
      readingEnded: (byPeer) => {
        this.#readingEnded = true;
        if (byPeer) this.#peerEnded = true;
        this.#closeWhenDone();
        this.#releaseWhenDone();
      },
      writingEnded: () => {
        this.#finished = true;
        this.#closeWhenDone();
      },
    };
  }

  #claimStream(): void {
    if (this.#inUse) throw new Error("the connection's one stream is in use");
    this.#inUse = true;
  }

  /**
   * Closes the connection when that costs the peer nothing. A Go peer loses what it has received but
   * not yet read, so: the dialler closes when the peer, which has ended its direction, has all; the
   * accepting side leaves it to the dialler, unless that reads no more. Otherwise there is the linger
   * time.
   */
  #closeWhenDone(): void {
    if (!this.#streamClosed || !this.#peerEnded) return;
    if (this.dialled ? this.#finished : this.#peerStopped) this.close();
  }

  #releaseWhenDone(): void {
    if (this.#released || !this.#drained || !this.#ended) return;
    if (this.#inUse && !this.#readingEnded) return;
    this.#released = true;
    this.#stream.detach(this.#ended);
    this.#owner.release(this);
  }

  #failHandshake(): void {
    const seconds = this.#times.handshakeTimeoutMs / 1000;
    const problem = `timed out: no handshake with ${this.remote} within ${seconds} s`;
    this.#closeAs(new QuicError(problem, "timed-out"), "handshake timed out");
  }

  #closeAs(error: QuicError, reason: string): void {
    if (this.#ended) return;
    const { core, endpoint } = this.#owner;
    const length = core.pass(new TextEncoder().encode(reason));
    core.call.close(endpoint, this.#owner.now(), this.id, error.code, length);
    this.#readingEnded = true;
    this.#end(error);
    this.#owner.touch(this);
  }

  #end(error: QuicError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#ownDeadline = Infinity;
    this.#resolveClosed(error.isNormalClose ? undefined : error);
    this.#stream.changed(false);
    this.#wake();
  }

  #readEnding(): QuicError {
    const { core, endpoint } = this.#owner;
    const kind = core.call.ending(endpoint, this.id);
    const words = core.outputText();
    const code = core.word(2) + core.word(3) * 2 ** 32;
    return endingError(kind, code, words, this.#owner.takeRefusal(this));
  }

  #readPeerChain(): Uint8Array[] {
    const { core, endpoint } = this.#owner;
    core.call.peer_chain(endpoint, this.id);
    return readBlobs(core.output());
  }

  async #until(condition: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#ended) throw this.#ended;
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
