/** Links over TCP, plain or secured by TLS: `tcp-listener` and `tcp-peer`. */
import type { Backend, OnSession, Session } from "./backend.ts";
import { FramedSession } from "./framed_session.ts";
import { formatHostPort, type HostPort, parseDialAddress } from "./host_port.ts";
import { type DiallerDeps, runDialler } from "./redial.ts";
import { type BindOptions, type ListenerDeps, SocketListener } from "./socket_listener.ts";
import { connectTcp, hostPortOf } from "./tcp_conn.ts";
import type { LinkClientTls, LinkServerTls } from "./tls.ts";

export interface TcpListenerOptions extends BindOptions {
  /** Serves TLS with this profile; without it, plain TCP. */
  readonly tls?: LinkServerTls | undefined;
}

/** Accepts links on a TCP port. Bound from the start; `run` or disposing gives the port back. */
export class TcpListener implements Backend, Disposable {
  readonly description: string;
  /** Where it listens, with the real port. */
  readonly address: HostPort;
  readonly #listener: SocketListener;
  readonly #tls: LinkServerTls | undefined;

  private constructor(listener: SocketListener, tls: LinkServerTls | undefined) {
    this.#listener = listener;
    this.#tls = tls;
    this.address = listener.address;
    this.description = `tcp-listener ${formatHostPort(this.address)}`;
  }

  /** Throws if the address is not ours or the port is taken. */
  static bind(deps: ListenerDeps, options: TcpListenerOptions): TcpListener {
    const backend = new TcpListener(SocketListener.bind(deps, options), options.tls);
    deps.log.debug(`Listening on TCP ${formatHostPort(backend.address)}`);
    return backend;
  }

  async run(onSession: OnSession, signal: AbortSignal): Promise<void> {
    await this.#listener.run((conn) => this.#open(conn), onSession, signal);
  }

  /** Stops listening; sessions go on. May be repeated. */
  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]();
  }

  async #open(conn: Deno.TcpConn): Promise<Session> {
    const { host: acceptedFrom, port } = hostPortOf(conn.remoteAddr);
    const shown = formatHostPort({ host: acceptedFrom, port });
    if (this.#tls === undefined) return new FramedSession(conn, `tcp ${shown}`, { acceptedFrom });
    // The runtime's TLS takes longer to load than the rest of the node put together.
    const { acceptTls } = await import("./tls.ts");
    const secured = await acceptTls(conn, this.#tls, { from: `tcp ${shown}` });
    const { certifiedNodes } = secured;
    return new FramedSession(secured.conn, `tls ${shown}`, { acceptedFrom, certifiedNodes });
  }
}

export interface TcpPeerOptions {
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string;
  /** Dial again after a failure or the end of a link. */
  readonly redial: boolean;
  /** Uses TLS with this profile, and requires a certificate for the host; without it, plain TCP. */
  readonly tls?: LinkClientTls | undefined;
}

/** Keeps up a link to one TCP address. */
export class TcpPeer implements Backend {
  readonly description: string;
  readonly #deps: DiallerDeps;
  readonly #address: HostPort;
  readonly #redial: boolean;
  readonly #tls: LinkClientTls | undefined;

  /** Throws a `SyntaxError` if `address` is not an address. */
  constructor(deps: DiallerDeps, { address, redial, tls }: TcpPeerOptions) {
    this.#deps = deps;
    this.#address = parseDialAddress(address);
    this.#redial = redial;
    this.#tls = tls;
    this.description = `tcp-peer ${address}`;
  }

  async run(onSession: OnSession, signal: AbortSignal): Promise<void> {
    this.#deps.log.debug(`Running TCP peer connection ${formatHostPort(this.#address)}`);
    const dial = (dialSignal: AbortSignal) => this.#dial(dialSignal);
    await runDialler(this.#deps, { dial, redial: this.#redial }, onSession, signal);
  }

  async #dial(signal: AbortSignal): Promise<Session> {
    const conn = await connectTcp(this.#address, signal);
    const remote = formatHostPort(hostPortOf(conn.remoteAddr));
    if (this.#tls === undefined) return new FramedSession(conn, `tcp ${remote}`);
    const { host } = this.#address;
    const from = `tcp ${formatHostPort(this.#address)}`;
    const { connectTls } = await import("./tls.ts");
    const secured = await connectTls(conn, this.#tls, { host, from, signal });
    const { certifiedNodes } = secured;
    return new FramedSession(secured.conn, `tls ${remote}`, { certifiedNodes });
  }
}
