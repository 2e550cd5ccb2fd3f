/** What all listeners on a TCP port share: binding, accepting, and handshakes, which take time. */
import { closeQuietly } from "../base/byte_conn.ts";
import { type Clock, sleep } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import { guardObserver } from "../base/observer.ts";
import { Shares } from "../base/shares.ts";
import { SourceLog } from "../base/source_log.ts";
import { formatHostPort, type HostPort } from "./host_port.ts";
import { listenAddresses, ListenError } from "./listen_address.ts";
import { networkOf } from "./network_of.ts";
import { backendEvents, type BackendObserver } from "./observer.ts";
import { hostPortOf, tuneForLinks } from "./tcp_conn.ts";

/** Wait after a failed accept (such as: out of file descriptors), in milliseconds. */
const ACCEPT_RETRY_MS = 1000;
const second = 1000;
/** How long a handshake (TLS, HTTP) may take, in milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 15 * second;
/**
 * Handshakes under way at once; one more cuts the oldest at the address with the most, so that
 * nobody can block the door.
 */
export const MAX_HANDSHAKES = 512;

export interface ListenerDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly observer?: BackendObserver | undefined;
}

export interface BindOptions {
  /**
   * Local address to bind to; an IPv6 address with or without brackets. `0.0.0.0` and `::` stand
   * for all addresses of both families.
   */
  readonly bindAddress: string;
  /** 0 for any free port. */
  readonly port: number;
}

/**
 * Turns a connection into what is served, such as a session. Rejects if that fails, or is cut off
 * by closing the connection.
 */
export type Open<Opened> = (conn: Deno.TcpConn) => Promise<Opened>;

/** Serves what was opened; resolves when it is over. */
export type Serve<Opened> = (opened: Opened) => Promise<unknown>;

interface Closable {
  close(): void;
}

type Cut = (reason: Error) => void;

/** Bound from the start; `run` or disposing gives the port back. */
export class SocketListener implements Disposable {
  /** Where it listens, with the real port. */
  readonly address: HostPort;
  readonly #listener: Deno.TcpListener;
  readonly #log: Log;
  /** For lines about connections that were accepted. */
  readonly #strangers: SourceLog;
  readonly #clock: Clock;
  readonly #observer: Required<BackendObserver>;
  /** What ends each handshake under way, by where it comes from. */
  readonly #handshakes = new Shares<Cut>();

  private constructor(deps: ListenerDeps, listener: Deno.TcpListener) {
    this.#log = deps.log;
    this.#strangers = new SourceLog(deps);
    this.#clock = deps.clock;
    const { log, observer = {} } = deps;
    this.#observer = guardObserver(observer, backendEvents, { log, what: "backends" });
    this.#listener = listener;
    this.address = hostPortOf(listener.addr);
  }

  /** Throws a `ListenError` if the address is not ours or the port is taken. */
  static bind(deps: ListenerDeps, { bindAddress, port }: BindOptions): SocketListener {
    let failure: unknown;
    for (const hostname of listenAddresses(bindAddress)) {
      try {
        return new SocketListener(deps, Deno.listen({ hostname, port, transport: "tcp" }));
      } catch (cause) {
        failure = cause;
        if (cause instanceof Deno.errors.AddrInUse) break;
      }
    }
    const address = formatHostPort({ host: bindAddress.replace(/^\[(.*)\]$/, "$1"), port });
    throw new ListenError(`cannot listen on TCP ${address}: ${messageOf(failure)}`, {
      cause: failure,
    });
  }

  /** Accepts until `signal` aborts; resolves after the last `serve` has ended. */
  async run<Opened extends Closable>(
    open: Open<Opened>,
    serve: Serve<Opened>,
    signal: AbortSignal,
  ): Promise<void> {
    const sessions = new Set<Promise<unknown>>();
    const stop = () => {
      this[Symbol.dispose]();
      for (const cut of this.#handshakes.items()) cut(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!signal.aborted) {
        const conn = await this.#accept(signal);
        if (conn === undefined) continue;
        const running = this.#serve(conn, open, serve, signal)
          .catch(() => {})
          .finally(() => sessions.delete(running));
        sessions.add(running);
      }
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
      await Promise.allSettled(sessions);
    }
  }

  /** Stops listening; sessions go on. May be repeated. */
  [Symbol.dispose](): void {
    closeQuietly(this.#listener);
  }

  async #serve<Opened extends Closable>(
    conn: Deno.TcpConn,
    open: Open<Opened>,
    serve: Serve<Opened>,
    signal: AbortSignal,
  ): Promise<void> {
    let opened: Opened;
    try {
      opened = await this.#handshake(conn, open);
    } catch (error) {
      closeQuietly(conn);
      if (signal.aborted) return;
      const address = hostPortOf(conn.remoteAddr);
      const remote = formatHostPort(address);
      const reason = messageOf(error);
      this.#strangers.of(networkOf(address.host))
        .warning(`Refused connection from ${remote}: ${reason}`);
      const listener = formatHostPort(this.address);
      this.#observer.connectionRefused({ listener, remote, reason });
      return;
    }
    await serve(opened);
  }

  async #handshake<Opened extends Closable>(
    conn: Deno.TcpConn,
    open: Open<Opened>,
  ): Promise<Opened> {
    let reason: Error | undefined;
    const cut: Cut = (why) => {
      reason = why;
      this.#handshakes.delete(cut);
      closeQuietly(conn);
    };
    this.#handshakes.put(cut, networkOf(hostPortOf(conn.remoteAddr).host), 1);
    if (this.#handshakes.size > MAX_HANDSHAKES) {
      const { item: oldest } = this.#handshakes.oldestOfLargest()!;
      oldest(new Error(`there are ${MAX_HANDSHAKES} newer handshakes`));
    }
    const seconds = HANDSHAKE_TIMEOUT_MS / second;
    using _timer = this.#clock.after(
      HANDSHAKE_TIMEOUT_MS,
      () => cut(new Error(`the handshake took longer than ${seconds} s`)),
    );
    try {
      const opened = await open(conn);
      // Cut off at the very moment it was done.
      if (reason !== undefined) opened.close();
      else return opened;
    } catch (error) {
      throw reason ?? error;
    } finally {
      this.#handshakes.delete(cut);
    }
    throw reason;
  }

  async #accept(signal: AbortSignal): Promise<Deno.TcpConn | undefined> {
    try {
      const conn = await this.#listener.accept();
      tuneForLinks(conn);
      return conn;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof Deno.errors.BadResource) throw error;
      this.#log.error(`Error accepting connection: ${messageOf(error)}`);
      await sleep(this.#clock, ACCEPT_RETRY_MS, { signal }).catch(() => {});
      return undefined;
    }
  }
}
