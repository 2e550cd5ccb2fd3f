/** Accepts streams on a service of this node. */
import { abortable } from "../base/abortable.ts";
import type { Connection } from "../quic/connection.ts";
import type { QuicStream } from "../quic/quic_stream.ts";
import { FIRST_BYTE, FIRST_BYTE_WITH_WINDOW, StreamCode } from "../quic/stream_codes.ts";
import type { Identity, ServerTls } from "../quic/tls.ts";
import type { MeshConn, MeshListener } from "./mesh.ts";
import { describeKey } from "./stream_address.ts";
import { StreamEndpoint, type StreamEndpointDeps } from "./stream_endpoint.ts";

export interface StreamListenerOptions {
  readonly tls: ServerTls | undefined;
  /** Takes the offers of diallers to tell the size of their window. */
  readonly takesWindow: boolean;
  readonly makeConn: (stream: QuicStream, tellsWindow: boolean) => MeshConn;
  readonly onClose: () => void;
}

/** How long a dialler has after its handshake to send the first byte, in milliseconds. */
const FIRST_BYTE_TIMEOUT_MS = 60_000;
/**
 * A connection that is older takes no more streams: the dialler's certificate may no longer be good.
 * Our own diallers stop using theirs after 10 minutes.
 */
const MAX_AGE_MS = 15 * 60_000;
/** Application error code with which the original refuses. */
const REFUSED = 500;

export class StreamListener implements MeshListener {
  readonly service: string;
  readonly #deps: StreamEndpointDeps;
  readonly #options: StreamListenerOptions;
  readonly #endpoint: StreamEndpoint;
  readonly #closed = new AbortController();
  readonly #ready: MeshConn[] = [];
  #wake: (() => void)[] = [];
  #advertisement: Disposable | undefined;

  /** `service` "" stands for a new ephemeral one. Throws if it is too long or taken. */
  constructor(deps: StreamEndpointDeps, service: string, options: StreamListenerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#endpoint = new StreamEndpoint(deps, service, {
      tls: options.tls,
      onConnection: (connection) => void this.#accept(connection),
    });
    this.service = this.#endpoint.service;
  }

  /** An advertisement that ends with the listener. */
  useAdvertisement(advertisement: Disposable): void {
    this.#advertisement = advertisement;
  }

  resume(): void {
    this.#endpoint.resume();
  }

  /** See `Streams`. */
  forgetNode(nodeId: string, sinceMs: number): void {
    this.#endpoint.forgetNode(nodeId, sinceMs);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<MeshConn> {
    for (;;) {
      const conn = this.#ready.shift();
      if (conn !== undefined) yield conn;
      else if (this.#closed.signal.aborted) return;
      else await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** Ends the service and its streams now. May be repeated. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new Error(`service ${this.service} is closed`));
    this.#advertisement?.[Symbol.dispose]();
    this.#endpoint[Symbol.dispose]();
    this.#ready.length = 0;
    this.#wakeAll();
    this.#options.onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** Takes the streams of a new connection; never rejects. */
  async #accept(connection: Connection): Promise<void> {
    if (!connection.manyStreams) {
      await this.#acceptOnly(connection);
      return;
    }
    const shown = this.#options.tls?.identity;
    try {
      for (;;) void this.#answer(connection, await connection.acceptStream(), shown);
    } catch {
      // The connection is over, and with it this service's interest in it.
    }
  }

  async #acceptOnly(connection: Connection): Promise<void> {
    try {
      await this.#withinTime(async (signal) => {
        const stream = await connection.acceptStream({ signal });
        if (await readFirstByte(stream, signal) !== FIRST_BYTE[0]) throw noBeginning();
        this.#offer(stream, false);
      });
    } catch (error) {
      connection.close(REFUSED, this.#logRefusal(connection, error));
    }
  }

  /**
   * Takes one of many streams, and tells the dialler that it is taken. `shown` is the certificate
   * that the dialler was shown for the connection: if it was renewed, the dialler must see the new one.
   */
  async #answer(
    connection: Connection,
    stream: QuicStream,
    shown: Identity | undefined,
  ): Promise<void> {
    const isOld = this.#deps.clock.now() - connection.establishedAt > MAX_AGE_MS;
    if (isOld || this.#options.tls?.identity !== shown) {
      stream.breakOff(StreamCode.connectionTooOld);
      return;
    }
    try {
      await this.#withinTime(async (signal) => {
        const first = await readFirstByte(stream, signal);
        const offers = first === FIRST_BYTE_WITH_WINDOW[0];
        if (!offers && first !== FIRST_BYTE[0]) throw noBeginning();
        const tellsWindow = offers && this.#options.takesWindow;
        await stream.write(tellsWindow ? FIRST_BYTE_WITH_WINDOW : FIRST_BYTE);
        this.#offer(stream, tellsWindow);
      });
    } catch (error) {
      this.#logRefusal(connection, error);
      stream.breakOff(StreamCode.refused);
    }
  }

  async #withinTime(action: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const timeout = new AbortController();
    using _timer = this.#deps.clock.after(
      FIRST_BYTE_TIMEOUT_MS,
      () => timeout.abort(new Error("Accept Timeout")),
    );
    await action(AbortSignal.any([timeout.signal, this.#closed.signal]));
  }

  #offer(stream: QuicStream, tellsWindow: boolean): void {
    this.#ready.push(this.#options.makeConn(stream, tellsWindow));
    this.#wakeAll();
  }

  /** Returns the reason. */
  #logRefusal(connection: Connection, error: unknown): string {
    const { node, service } = describeKey(connection.remote);
    const reason = (error as Error).message;
    this.#deps.log.debug(
      `Stream from ${node}:${service} to service ${this.service} refused: ${reason}`,
    );
    return reason;
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

async function readFirstByte(stream: QuicStream, signal: AbortSignal): Promise<number> {
  const first = new Uint8Array(1);
  if (await abortable(stream.read(first), signal) !== 1) throw noBeginning();
  return first[0]!;
}

function noBeginning(): Error {
  return new Error("stream failed to initialize");
}
