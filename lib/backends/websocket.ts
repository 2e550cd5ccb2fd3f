/** Links over WebSocket, plain or secured by TLS: `ws-listener` and `ws-peer`. */
import { type ByteConn, closeQuietly } from "../base/byte_conn.ts";
import type { Environment } from "../base/default_socket.ts";
import { messageOf } from "../base/error_message.ts";
import type { Random } from "../base/random.ts";
import type { Backend, OnSession, Session } from "./backend.ts";
import { formatHostPort, type HostPort } from "./host_port.ts";
import { splitHeader } from "./http_head.ts";
import { proxyFor } from "./proxy_environment.ts";
import { connectThroughProxy } from "./proxy_tunnel.ts";
import { type DiallerDeps, runDialler } from "./redial.ts";
import { type BindOptions, type ListenerDeps, SocketListener } from "./socket_listener.ts";
import { connectTcp, hostPortOf } from "./tcp_conn.ts";
import type { LinkClientTls, LinkServerTls } from "./tls.ts";
import {
  acceptUpgrade,
  mayBeExtraHeader,
  requestUpgrade,
  type UpgradeRequest,
} from "./websocket_handshake.ts";
import { WebSocketSession } from "./websocket_session.ts";

export interface WebSocketListenerOptions extends BindOptions {
  /** The path to serve, and everything below it if it ends in a slash. `/` by default. */
  readonly path?: string | undefined;
  /** Serves TLS with this profile; without it, plain TCP. */
  readonly tls?: LinkServerTls | undefined;
}

/** Accepts links on a TCP port. Bound from the start; `run` or disposing gives the port back. */
export class WebSocketListener implements Backend, Disposable {
  readonly description: string;
  /** Where it listens, with the real port. */
  readonly address: HostPort;
  readonly #listener: SocketListener;
  readonly #path: string;
  readonly #tls: LinkServerTls | undefined;

  private constructor(
    listener: SocketListener,
    { path, tls }: { path: string; tls: LinkServerTls | undefined },
  ) {
    this.#listener = listener;
    this.#path = path;
    this.#tls = tls;
    this.address = listener.address;
    this.description = `ws-listener ${formatHostPort(this.address)}`;
  }

  /**
   * Throws a `ListenError` if the address is not ours or the port is taken, and a `SyntaxError` if
   * the path is not a path.
   */
  static bind(deps: ListenerDeps, options: WebSocketListenerOptions): WebSocketListener {
    const { path = "/", tls } = options;
    checkServedPath(path);
    const listener = new WebSocketListener(SocketListener.bind(deps, options), { path, tls });
    deps.log.debug(`Listening on Websocket ${formatHostPort(listener.address)} path ${path}`);
    return listener;
  }

  async run(onSession: OnSession, signal: AbortSignal): Promise<void> {
    await this.#listener.run((conn) => this.#open(conn), onSession, signal);
  }

  /** Stops listening; sessions go on. May be repeated. */
  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]();
  }

  async #open(conn: Deno.TcpConn): Promise<Session> {
    const { host, port } = hostPortOf(conn.remoteAddr);
    const remote = formatHostPort({ host, port });
    let stream: ByteConn = conn;
    let certifiedNodes: Session["certifiedNodes"];
    if (this.#tls !== undefined) {
      // The runtime's TLS takes long to load.
      const { acceptTls } = await import("./tls.ts");
      const secured = await acceptTls(conn, this.#tls, { from: `tcp ${remote}` });
      ({ conn: stream, certifiedNodes } = secured);
    }
    try {
      const upgraded = await acceptUpgrade(stream, this.#path);
      const carrier = this.#tls === undefined ? "ws" : "wss";
      const description = `${carrier} ${remote}`;
      return new WebSocketSession(upgraded, { description, acceptedFrom: host, certifiedNodes });
    } catch (error) {
      closeQuietly(stream);
      throw error;
    }
  }
}

/** Throws a `SyntaxError` if a `WebSocketListener` cannot serve `path`. */
export function checkServedPath(path: string): void {
  const url = `http://localhost${path}`;
  if (path.startsWith("/") && URL.canParse(url) && new URL(url).pathname === path) return;
  throw new SyntaxError(
    `${JSON.stringify(path)} is not a path: expected one that begins with a slash, ` +
      "percent-encoded where needed",
  );
}

export interface WebSocketPeerOptions {
  /** A `ws:` or `wss:` URL. */
  readonly address: string;
  /** Dial again after a failure or the end of a link. */
  readonly redial: boolean;
  /** An extra header of the request, `Name: value`. */
  readonly extraHeader?: string | undefined;
  /** Required for `wss:`, unused for `ws:`. */
  readonly tls?: LinkClientTls | undefined;
}

export interface WebSocketPeerDeps extends DiallerDeps {
  readonly random: Random;
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY are read from here at each dial. */
  readonly environment: Environment;
}

/** Keeps up a link to one URL. */
export class WebSocketPeer implements Backend {
  readonly description: string;
  readonly #deps: WebSocketPeerDeps;
  readonly #request: UpgradeRequest;
  readonly #redial: boolean;
  readonly #tls: LinkClientTls | undefined;

  /** Throws a `SyntaxError` if the URL or the header is malformed, or TLS is missing for `wss:`. */
  constructor(deps: WebSocketPeerDeps, options: WebSocketPeerOptions) {
    const { address, redial, extraHeader, tls } = options;
    this.#deps = deps;
    const url = parseUrl(address);
    this.#request = { url, extraHeader: parseExtraHeader(extraHeader) };
    this.#redial = redial;
    if (url.protocol === "wss:" && tls === undefined) {
      throw new SyntaxError(`${address} needs a TLS client configuration`);
    }
    this.#tls = url.protocol === "wss:" ? tls : undefined;
    this.description = `ws-peer ${address}`;
  }

  async run(onSession: OnSession, signal: AbortSignal): Promise<void> {
    this.#deps.log.debug(`Running Websocket peer connection ${this.#request.url.href}`);
    const dial = (dialSignal: AbortSignal) => this.#dial(dialSignal);
    await runDialler(this.#deps, { dial, redial: this.#redial }, onSession, signal);
  }

  async #dial(signal: AbortSignal): Promise<Session> {
    const { random } = this.#deps;
    const { url } = this.#request;
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    const port = Number(url.port || (this.#tls === undefined ? 80 : 443));
    let stream = await this.#connect({ host, port }, signal);
    let certifiedNodes: Session["certifiedNodes"];
    if (this.#tls !== undefined) {
      const { connectTls } = await import("./tls.ts");
      const from = `tcp ${formatHostPort({ host, port })}`;
      const secured = await connectTls(stream, this.#tls, { host, from, signal });
      ({ conn: stream, certifiedNodes } = secured);
    }
    const abort = () => closeQuietly(stream);
    signal.addEventListener("abort", abort, { once: true });
    try {
      signal.throwIfAborted();
      const upgraded = await requestUpgrade(stream, this.#request, random);
      const carrier = this.#tls === undefined ? "ws" : "wss";
      const description = `${carrier} ${formatHostPort({ host, port })}`;
      return new WebSocketSession(upgraded, { description, masks: random, certifiedNodes });
    } catch (error) {
      closeQuietly(stream);
      const cause = signal.aborted ? signal.reason : error;
      throw new Error(`cannot connect to ${url.href}: ${messageOf(cause)}`, { cause });
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #connect(target: HostPort, signal: AbortSignal): Promise<ByteConn> {
    const secure = this.#tls !== undefined;
    const proxy = proxyFor({ ...target, secure }, this.#deps.environment);
    return proxy === undefined
      ? connectTcp(target, signal)
      : connectThroughProxy(proxy, target, signal);
  }
}

function parseUrl(address: string): URL {
  // Without a host it is this machine, as in `parseDialAddress`; a URL has no notation for that.
  const complete = address.replace(/^(wss?:\/\/)(?=:\d)/i, "$1localhost");
  const url = URL.canParse(complete) ? new URL(complete) : undefined;
  const known = url?.protocol === "ws:" || url?.protocol === "wss:";
  if (url === undefined || !known || url.username !== "" || url.password !== "") {
    // With a user name, it may contain a password.
    const shown = address.includes("@") ? "this" : JSON.stringify(address);
    throw new SyntaxError(
      `${shown} is not an address: expected ws://host:port/path or wss://host:port/path, ` +
        "without a user name",
    );
  }
  return url;
}

function parseExtraHeader(header: string | undefined): UpgradeRequest["extraHeader"] {
  if (header === undefined || header === "") return undefined;
  let parsed: [string, string];
  try {
    parsed = splitHeader(header);
  } catch {
    // Its value is often a secret.
    throw new SyntaxError("extra header must be in the form Name: value");
  }
  if (!mayBeExtraHeader(parsed[0])) {
    throw new SyntaxError(`the header ${parsed[0]} is set by the handshake itself`);
  }
  return parsed;
}
