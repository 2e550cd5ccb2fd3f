/** HTTP/1.1 connections to one server, kept for further requests. */
import type { Clock } from "../../../base/clock.ts";
import type { ByteConn } from "../../../base/byte_conn.ts";
import { deadline } from "../../../base/deadline.ts";
import { DialQueue } from "../../../base/dial_queue.ts";
import { type HttpAnswer, HttpConn, type HttpRequest } from "./http_conn.ts";

export interface HttpClientDeps {
  readonly clock: Clock;
  readonly dial: (signal: AbortSignal) => Promise<ByteConn>;
}

/** Connections that wait for a request at most, and for how long: less than servers keep them. */
const MAX_IDLE = 8;
const MAX_IDLE_MS = 30_000;
/** For TCP, a proxy, credentials and TLS together; a plug-in that makes credentials may be slow. */
const MAX_DIAL_MS = 150_000;

/**
 * A request failed on a connection that had served others before: as likely as not the server had
 * closed it meanwhile, so that the same on a new connection may succeed at once.
 */
export class StaleConnectionError extends Error {
  override readonly name = "StaleConnectionError";
}

/** A request could not be sent at all, so that the server knows nothing of it. */
export class DialError extends Error {
  override readonly name = "DialError";
}

interface IdleConn {
  readonly conn: HttpConn;
  /** Ends the watch for the server's end of it. */
  readonly watch: AbortController;
  readonly timer: Disposable;
}

export class HttpClient implements Disposable {
  readonly #deps: HttpClientDeps;
  readonly #dials = new DialQueue();
  readonly #idle: IdleConn[] = [];
  readonly #active = new Set<HttpConn>();
  readonly #ending = new AbortController();

  constructor(deps: HttpClientDeps) {
    this.#deps = deps;
  }

  /**
   * Makes one request; the exchange must be ended by reading to its end, `release` or `detach`.
   * `signal` ends the exchange at any time until then, and rejects with its reason. Rejects with a
   * `DialError` or `StaleConnectionError`, or with whatever else went wrong.
   */
  async exchange(request: HttpRequest, signal: AbortSignal): Promise<Exchange> {
    signal.throwIfAborted();
    this.#ending.signal.throwIfAborted();
    const kept = this.#takeIdle();
    const conn = kept ?? await this.#dial(signal);
    this.#active.add(conn);
    const exchange = new Exchange(conn, signal, (reusable) => this.#giveBack(conn, reusable));
    try {
      await exchange.begin(request);
      return exchange;
    } catch (cause) {
      exchange.release();
      if (signal.aborted) throw signal.reason;
      if (kept === undefined) throw cause;
      throw new StaleConnectionError((cause as Error).message, { cause });
    }
  }

  /** Whether it has been disposed, so that no request can succeed any more. */
  get closed(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Closes the connections that wait for a request: new ones show new credentials. */
  closeIdle(): void {
    for (const { conn } of [...this.#idle]) this.#forget(conn)?.close();
  }

  [Symbol.dispose](): void {
    this.#ending.abort(new Error("the client has been closed"));
    this.closeIdle();
    for (const conn of this.#active) conn.close();
  }

  async #dial(signal: AbortSignal): Promise<HttpConn> {
    const stop = AbortSignal.any([signal, this.#ending.signal]);
    try {
      const conn = await this.#dials.dial("server", () => this.#dialInTime(stop), { signal: stop });
      return new HttpConn(conn);
    } catch (cause) {
      stop.throwIfAborted();
      throw new DialError((cause as Error).message, { cause });
    }
  }

  async #dialInTime(stop: AbortSignal): Promise<ByteConn> {
    const { clock, dial } = this.#deps;
    const tooLate = () => new Error(`no connection to the server within ${MAX_DIAL_MS / 1000} s`);
    using limit = deadline(clock, MAX_DIAL_MS, tooLate);
    return await dial(AbortSignal.any([stop, limit.signal]));
  }

  #takeIdle(): HttpConn | undefined {
    // The newest is the least likely to be closed by the server in this moment.
    const last = this.#idle.at(-1);
    return last && this.#forget(last.conn);
  }

  #giveBack(conn: HttpConn, reusable: boolean): void {
    this.#active.delete(conn);
    if (!reusable || this.closed || this.#idle.length >= MAX_IDLE) {
      return conn.close();
    }
    const watch = new AbortController();
    const drop = () => this.#forget(conn)?.close();
    const timer = this.#deps.clock.after(MAX_IDLE_MS, drop);
    this.#idle.push({ conn, watch, timer });
    void conn.whenStale(watch.signal).then(() => watch.signal.aborted || drop());
  }

  /** Takes it out of the idle ones; undefined if it is none of them. */
  #forget(conn: HttpConn): HttpConn | undefined {
    const at = this.#idle.findIndex((idle) => idle.conn === conn);
    if (at === -1) return undefined;
    const [{ watch, timer }] = this.#idle.splice(at, 1) as [IdleConn];
    watch.abort();
    timer[Symbol.dispose]();
    return conn;
  }
}

/** One request and its answer. */
export class Exchange {
  readonly #conn: HttpConn;
  readonly #signal: AbortSignal;
  readonly #giveBack: (reusable: boolean) => void;
  #answer: HttpAnswer | undefined;
  #ended = false;

  constructor(conn: HttpConn, signal: AbortSignal, giveBack: (reusable: boolean) => void) {
    this.#conn = conn;
    this.#signal = signal;
    this.#giveBack = giveBack;
    signal.addEventListener("abort", this.release, { once: true });
  }

  get answer(): HttpAnswer {
    return this.#answer!;
  }

  /** Called once, by the client. */
  async begin(request: HttpRequest): Promise<void> {
    this.#answer = await this.#conn.exchange(request);
    this.#signal.throwIfAborted();
  }

  /** As `ByteConn.read`, of the answer's body. */
  async read(into: Uint8Array): Promise<number | null> {
    this.#signal.throwIfAborted();
    try {
      const count = await this.answer.body.read(into);
      this.#signal.throwIfAborted();
      if (count === null) this.release();
      return count;
    } catch (error) {
      this.release();
      throw this.#signal.aborted ? this.#signal.reason : error;
    }
  }

  /** Ends the exchange; closes the connection unless all has been read. May be repeated. */
  readonly release = (): void => {
    if (this.#ended) return;
    this.#end();
    this.#giveBack(this.#answer?.body.reusable ?? false);
  };

  /** The connection, after an answer that switched to another protocol; the caller closes it. */
  detach(): ByteConn {
    this.#end();
    const conn = this.#conn.upgraded();
    return {
      read: (into) => conn.read(into),
      write: (bytes) => conn.write(bytes),
      closeWrite: () => conn.closeWrite(),
      close: () => this.#giveBack(false),
    };
  }

  #end(): void {
    this.#ended = true;
    this.#signal.removeEventListener("abort", this.release);
  }
}
