/** One QUIC connection: its handshake, its one stream, its end. */
import { readBlobs } from "./blobs.ts";
import {
  type ConnectionEvent,
  type ConnectionState,
  deadlineOf,
  decide,
  endOf,
  initialState,
  transition,
} from "./connection_state.ts";
import { type Core, Happened, Statistic } from "./core.ts";
import { endingError, QuicError } from "./quic_error.ts";
import { QuicStream, type StreamOwner } from "./quic_stream.ts";

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
  #state: ConnectionState;
  #resolveClosed!: (error: Error | undefined) => void;
  #waiting: (() => void)[] = [];

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
    this.#state = initialState(dialled, owner.now() + times.handshakeTimeoutMs);
    this.#stream = new QuicStream(this.#streamOwner());
  }

  /** Whether the handshake is still under way. */
  get handshaking(): boolean {
    return this.#state.life.phase === "handshaking";
  }

  /** Why the connection is over, if it is. */
  get ended(): QuicError | undefined {
    return endOf(this.#state);
  }

  /** Opens the one stream that the dialling side may open. */
  async openStream(options: { signal?: AbortSignal | undefined } = {}): Promise<QuicStream> {
    if (!this.dialled) throw new Error("only the dialling side opens the stream");
    const { core } = this.#owner;
    const opened = () => core.call.stream_open(this.id) !== 0;
    return await this.#claimStream(opened, options.signal);
  }

  /** The one stream that the dialling side opens, once its first byte is here. */
  async acceptStream(options: { signal?: AbortSignal | undefined } = {}): Promise<QuicStream> {
    if (this.dialled) throw new Error("only the accepting side accepts the stream");
    return await this.#claimStream(() => this.#state.reading !== "awaited", options.signal);
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

  /** For the endpoint: acts on what the core reports (bits of `Happened`). */
  handle(happened: number): void {
    if (happened & Happened.connected) {
      this.peerChain = this.#readPeerChain();
      this.#apply({ type: "connected" });
    }
    if (happened & Happened.stream) this.#apply({ type: "stream-available" });
    if (happened & Happened.lost) this.#apply({ type: "lost", error: this.#readEnding() });
    if (happened & Happened.finished) this.#apply({ type: "delivered" });
    if (happened & Happened.stopped) this.#apply({ type: "stopped" });
    if (happened & Happened.drained) this.#apply({ type: "drained" });
    this.#stream.changed((happened & Happened.writable) !== 0);
    this.#wake();
    this.#actWhenDone();
  }

  /** For the endpoint: takes the core's deadline or ours, whichever is earlier. */
  updateDeadline(): void {
    const { core } = this.#owner;
    const deadline = core.call.deadline(this.id);
    const ours = deadlineOf(this.#state);
    this.deadline = Math.min(Number.isNaN(deadline) ? Infinity : deadline, ours);
  }

  /** For the endpoint: `deadline` has passed. */
  expire(now: number): void {
    const { core } = this.#owner;
    core.call.expire(now, this.id);
    if (now < deadlineOf(this.#state)) return;
    if (this.handshaking) this.#failHandshake();
    else this.close();
  }

  /** For the endpoint: ends it without telling the peer. */
  abandon(error: QuicError): void {
    this.#apply({ type: "abandoned", error });
    this.#actWhenDone();
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

  #streamOwner(): StreamOwner {
    // deno-lint-ignore no-this-alias -- the getters below are another object's.
    const connection = this;
    return {
      core: this.#owner.core,
      id: this.id,
      get ended() {
        return connection.ended;
      },
      touch: () => this.#owner.touch(this),
      streamClosed: () => {
        const lingerUntil = this.#owner.now() + this.#times.lingerMs;
        this.#apply({ type: "stream-closed", lingerUntil });
        this.#actWhenDone();
        if (!this.#drained) this.#owner.touch(this);
      },
      readingEnded: (byPeer) => {
        this.#apply({ type: "reading-ended", byPeer });
        this.#actWhenDone();
      },
      writingEnded: () => {
        this.#apply({ type: "delivered" });
        this.#actWhenDone();
      },
    };
  }

  /** Whether the core is done with the connection: nothing is left to send or wait for. */
  get #drained(): boolean {
    const { phase } = this.#state.life;
    return phase === "drained" || phase === "released";
  }

  /** Hands out the one stream as soon as it is there. */
  async #claimStream(
    isThere: () => boolean,
    signal: AbortSignal | undefined,
  ): Promise<QuicStream> {
    if (this.#state.holder !== "none") throw new Error("the connection's one stream is in use");
    this.#apply({ type: "stream-claimed" });
    try {
      await this.#until(isThere, signal);
      return this.#stream;
    } catch (error) {
      this.#apply({ type: "claim-failed" });
      this.#actWhenDone();
      throw error;
    }
  }

  #apply(event: ConnectionEvent): void {
    const before = this.#state;
    this.#state = transition(before, event);
    const error = endOf(this.#state);
    if (error === undefined || endOf(before) !== undefined) return;
    this.#resolveClosed(error.isNormalClose ? undefined : error);
    this.#stream.changed(false);
    this.#wake();
  }

  #actWhenDone(): void {
    switch (decide(this.#state)) {
      case "close":
        this.close();
        break;
      case "release":
        this.#apply({ type: "released" });
        this.#stream.detach(this.ended!);
        this.#owner.release(this);
    }
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
