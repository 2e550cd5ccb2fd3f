/** Links over TCP: `tcp-listener` and `tcp-peer`. */
import { type Clock, sleep } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Backend, Session } from "./backend.ts";
import { FramedSession } from "./framed_session.ts";
import { formatHostPort, type HostPort, parseHostPort } from "./host_port.ts";
import { type DiallerDeps, runDialler } from "./redial.ts";

/** Wait after a failed accept (such as: out of file descriptors), in milliseconds. */
const ACCEPT_RETRY_MS = 1000;

export interface TcpListenerOptions {
  /** Local address to bind to; an IPv6 address with or without brackets. */
  readonly bindAddress: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** Accepts links on a TCP port. Bound from the start; `run` or disposing gives the port back. */
export class TcpListener implements Backend, Disposable {
  readonly description: string;
  /** Where it listens, with the real port. */
  readonly address: HostPort;
  readonly #listener: Deno.TcpListener;
  readonly #log: Log;
  readonly #clock: Clock;

  private constructor(deps: TcpListenerDeps, listener: Deno.TcpListener) {
    this.#log = deps.log;
    this.#clock = deps.clock;
    this.#listener = listener;
    this.address = hostPortOf(listener.addr);
    this.description = `tcp-listener ${formatHostPort(this.address)}`;
  }

  /** Throws when the address is not ours or the port is taken. */
  static bind(deps: TcpListenerDeps, options: TcpListenerOptions): TcpListener {
    const { bindAddress, port } = options;
    const host = bindAddress.replace(/^\[(.*)\]$/, "$1");
    let listener: Deno.TcpListener;
    try {
      listener = Deno.listen({ hostname: host, port, transport: "tcp" });
    } catch (cause) {
      const address = formatHostPort({ host, port });
      throw new Error(`cannot listen on TCP ${address}: ${messageOf(cause)}`, { cause });
    }
    const backend = new TcpListener(deps, listener);
    deps.log.debug(`Listening on TCP ${formatHostPort(backend.address)}`);
    return backend;
  }

  async run(onSession: OnSession, signal: AbortSignal): Promise<void> {
    const sessions = new Set<Promise<unknown>>();
    const close = () => this[Symbol.dispose]();
    signal.addEventListener("abort", close, { once: true });
    try {
      while (!signal.aborted) {
        const conn = await this.#accept(signal);
        if (conn === undefined) continue;
        const session = onSession(sessionOver(conn));
        sessions.add(session);
        session.catch(() => {}).finally(() => sessions.delete(session));
      }
    } finally {
      signal.removeEventListener("abort", close);
      close();
      await Promise.allSettled(sessions);
    }
  }

  /** Stops listening; sessions go on. May be repeated. */
  [Symbol.dispose](): void {
    try {
      this.#listener.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #accept(signal: AbortSignal): Promise<Deno.TcpConn | undefined> {
    try {
      return await this.#listener.accept();
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof Deno.errors.BadResource) throw error;
      this.#log.error(`Error accepting connection: ${messageOf(error)}`);
      await sleep(this.#clock, ACCEPT_RETRY_MS, { signal }).catch(() => {});
      return undefined;
    }
  }
}

export interface TcpPeerOptions {
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string;
  /** Dial again after a failure or the end of a link. */
  readonly redial: boolean;
}

/** Keeps up a link to one TCP address. */
export class TcpPeer implements Backend {
  readonly description: string;
  readonly #deps: DiallerDeps;
  readonly #address: HostPort;
  readonly #redial: boolean;

  /** Throws a `SyntaxError` when the address is none. */
  constructor(deps: DiallerDeps, { address, redial }: TcpPeerOptions) {
    this.#deps = deps;
    this.#address = parseHostPort(address);
    this.#redial = redial;
    this.description = `tcp-peer ${address}`;
  }

  async run(onSession: OnSession, signal: AbortSignal): Promise<void> {
    this.#deps.log.debug(`Running TCP peer connection ${formatHostPort(this.#address)}`);
    const dial = (dialSignal: AbortSignal) => dialTcp(this.#address, dialSignal);
    await runDialler(this.#deps, { dial, redial: this.#redial }, onSession, signal);
  }
}

type TcpListenerDeps = DiallerDeps;
type OnSession = Parameters<Backend["run"]>[0];

async function dialTcp(address: HostPort, signal: AbortSignal): Promise<Session> {
  try {
    const options = { hostname: address.host, port: address.port, signal };
    return sessionOver(await Deno.connect(options));
  } catch (cause) {
    const reason = signal.aborted ? signal.reason : cause;
    throw new Error(
      `cannot connect to TCP ${formatHostPort(address)}: ${messageOf(reason)}`,
      { cause: reason },
    );
  }
}

function sessionOver(conn: Deno.TcpConn): Session {
  try {
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
  } catch {
    // The neighbour hung up already: the first read tells.
  }
  return new FramedSession(conn, `tcp ${formatHostPort(hostPortOf(conn.remoteAddr))}`);
}

function hostPortOf({ hostname, port }: Deno.NetAddr): HostPort {
  return { host: hostname, port };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
