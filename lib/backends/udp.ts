/**
 * Links over UDP: `udp-listener` and `udp-peer`. Nothing shows that a neighbour has gone away: a
 * session lasts until the mesh finds that it has been silent for too long, and closes it.
 */
import { abortable } from "../base/abortable.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import { Shares } from "../base/shares.ts";
import type { Backend, OnSession, Session } from "./backend.ts";
import { bindUdp } from "./bind_udp.ts";
import { formatHostPort, type HostPort, parseDialAddress } from "./host_port.ts";
import { networkOf } from "./network_of.ts";
import { type DiallerDeps, runDialler } from "./redial.ts";
import type { BindOptions, ListenerDeps } from "./socket_listener.ts";
import { UdpSession } from "./udp_session.ts";
import { resolveHost, UdpSocket } from "./udp_socket.ts";

/**
 * Most sessions of one listener at once. Anybody can send datagrams from any number of addresses: a
 * new neighbour takes the place of the oldest that sent only one, else of the oldest at the address
 * with the most sessions; it is turned away only if that is its own address.
 */
const MAX_SESSIONS = 4096;

/** Accepts links on a UDP port. Bound from the start; `run` or disposing gives the port back. */
export class UdpListener implements Backend, AsyncDisposable {
  readonly description: string;
  /** Where it listens, with the real port. */
  readonly address: HostPort;
  readonly #socket: UdpSocket;
  readonly #log: Log;
  readonly #maxSessions: number;
  /** By remote address. */
  readonly #sessions = new Map<string, UdpSession>();
  /** Keys of those that have sent only one datagram so far, oldest first. */
  readonly #unproven = new Set<string>();
  /** Keys by the address they are at. */
  readonly #shares = new Shares<string>();
  #turnedAway = 0;

  private constructor({ log }: ListenerDeps, socket: UdpSocket, maxSessions: number) {
    this.#log = log;
    this.#socket = socket;
    this.#maxSessions = maxSessions;
    this.address = socket.address;
    this.description = `udp-listener ${formatHostPort(this.address)}`;
  }

  /**
   * Rejects with a `ListenError` if the address is not ours or the port is taken. `maxSessions` is
   * for tests.
   */
  static async bind(
    deps: ListenerDeps,
    options: BindOptions,
    maxSessions = MAX_SESSIONS,
  ): Promise<UdpListener> {
    const socket = await bindUdp(options);
    const listener = new UdpListener(deps, socket, maxSessions);
    deps.log.debug(`Listening on UDP ${formatHostPort(listener.address)}`);
    return listener;
  }

  async run(onSession: OnSession, signal: AbortSignal): Promise<void> {
    const running = new Set<Promise<unknown>>();
    this.#socket.start({
      onDatagram: (datagram, from) => {
        const session = this.#sessionOf(from, (opened) => {
          const over = onSession(opened)
            .catch(() => {})
            .finally(() => {
              opened.close();
              running.delete(over);
            });
          running.add(over);
        }, signal);
        session?.put(datagram);
      },
      onError: (error) => this.#log.warning(`${this.description}: ${error.message}`),
    });
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    // The sessions use the port as long as there are any.
    await Promise.allSettled(running);
    await this[Symbol.asyncDispose]();
  }

  /** Ends all sessions and gives the port back. May be repeated. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions.values()) session.close();
    await this.#socket[Symbol.asyncDispose]();
  }

  /** The session with a neighbour, a new one if need be; undefined if there is no room. */
  #sessionOf(
    remote: HostPort,
    open: (session: UdpSession) => void,
    signal: AbortSignal,
  ): UdpSession | undefined {
    const key = `${remote.host} ${remote.port}`;
    const known = this.#sessions.get(key);
    if (known !== undefined) {
      if (known.received === 1) this.#unproven.delete(key);
      return known;
    }
    if (signal.aborted || !this.#makeRoom(remote.host)) return undefined;
    const session = new UdpSession({
      socket: this.#socket,
      remote,
      log: this.#log,
      accepted: true,
      onClose: () => {
        this.#sessions.delete(key);
        this.#unproven.delete(key);
        this.#shares.delete(key);
      },
    });
    this.#sessions.set(key, session);
    this.#unproven.add(key);
    this.#shares.put(key, networkOf(remote.host), 1);
    open(session);
    return session;
  }

  #makeRoom(host: string): boolean {
    if (this.#sessions.size < this.#maxSessions) return true;
    const largest = this.#shares.oldestOfLargest()!;
    const isLarger = largest.shareSize > this.#shares.sizeOf(networkOf(host)) + 1;
    const [oldest = isLarger ? largest.item : undefined] = this.#unproven;
    if (oldest === undefined) {
      if (this.#turnedAway++ === 0) {
        this.#log.warning(`${this.description}: no room for more than ${this.#maxSessions} links`);
      }
      return false;
    }
    this.#sessions.get(oldest)!.close();
    return true;
  }
}

export interface UdpPeerOptions {
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string;
  /** Dial again after a failure or the end of a link. */
  readonly redial: boolean;
}

/** Keeps up a link to one UDP address. */
export class UdpPeer implements Backend {
  readonly description: string;
  readonly #deps: DiallerDeps;
  readonly #address: HostPort;
  readonly #redial: boolean;
  readonly #resolveHost: typeof resolveHost;
  /** Which of the host's addresses to use: the next one after each that did not answer. */
  #turn = 0;

  /** Throws a `SyntaxError` if `address` is not an address. `resolve` is for tests. */
  constructor(deps: DiallerDeps, { address, redial }: UdpPeerOptions, resolve = resolveHost) {
    this.#deps = deps;
    this.#resolveHost = resolve;
    this.#address = parseDialAddress(address);
    this.#redial = redial;
    this.description = `udp-peer ${address}`;
  }

  async run(onSession: OnSession, signal: AbortSignal): Promise<void> {
    this.#deps.log.debug(`Running UDP peer connection ${formatHostPort(this.#address)}`);
    const dial = (dialSignal: AbortSignal) => this.#dial(dialSignal);
    await runDialler(this.#deps, { dial, redial: this.#redial }, onSession, signal);
  }

  async #dial(signal: AbortSignal): Promise<Session> {
    const remote = { host: await this.#resolve(signal), port: this.#address.port };
    const anyAddress = remote.host.includes(":") ? "::" : "0.0.0.0";
    const socket = await UdpSocket.bind({ host: anyAddress, port: 0 });
    const session = new UdpSession({
      socket,
      remote,
      log: this.#deps.log,
      onClose: () => {
        if (session.received === 0) this.#turn++;
        void socket[Symbol.asyncDispose]();
      },
    });
    // The zone is only needed for sending.
    const host = remote.host.replace(/%.*$/, "");
    socket.start({
      onDatagram: (datagram, from) => {
        if (from.port === remote.port && from.host === host) session.put(datagram);
      },
      onError: (error) => this.#deps.log.warning(`${session.description}: ${error.message}`),
    });
    return session;
  }

  async #resolve(signal: AbortSignal): Promise<string> {
    const { host } = this.#address;
    try {
      const addresses = await abortable(this.#resolveHost(host), signal);
      return addresses[this.#turn % addresses.length]!;
    } catch (cause) {
      const shown = formatHostPort(this.#address);
      throw new Error(`cannot connect to UDP ${shown}: ${messageOf(cause)}`, { cause });
    }
  }
}
