/**
 * A QUIC endpoint on mesh datagrams: feeds the core with what came, tells users what happened, and
 * sends what the core has to send, once for each turn of the event loop.
 */
import { Connection, type ConnectionOwner } from "./connection.ts";
import { type Core, type CoreHost, Happened, NONE } from "./core.ts";
import {
  DEFAULT_LIMITS,
  type EndpointLimits,
  type EndpointOptions,
  identityArgument,
  optionsArgument,
} from "./endpoint_options.ts";
import { loadCore } from "./load_core.ts";
import { QuicError } from "./quic_error.ts";
import { Remotes } from "./remotes.ts";
import { CertificateRefused, type ClientTls, type Identity } from "./tls.ts";

/** Datagrams taken from the core at once, before the link is asked again whether it has room. */
const MOST_DATAGRAMS = 8;
/** Answers to datagrams of no connection that wait for the pump; more are dropped. */
const MOST_ANSWERS = 64;
/** The core's number for the check of client certificates. */
const SERVER_TOKEN = 0;
/** TLS alert 80, internal_error: our check failed, not the certificate. */
const ALERT_INTERNAL_ERROR = 80;

/** A check of the core's numbering, and the last error that it made. */
interface Check {
  run(chain: readonly Uint8Array[], remote: string): void;
}

export class Endpoint implements Disposable {
  readonly #options: EndpointOptions;
  /** What the core makes new handshakes with, as the server. */
  #identity: Identity | undefined;
  readonly #limits: EndpointLimits;
  readonly #core: Core;
  readonly #id: number;
  readonly #owner: ConnectionOwner;
  readonly #remotes = new Remotes();
  readonly #connections = new Map<number, Connection>();
  readonly #checks = new Map<number, Check>();
  /** What our checks said against the peers of handshakes under way, by remote. */
  readonly #refusals = new Map<string, Error>();
  #lastToken = SERVER_TOKEN;
  /** Whose datagram the core works on, for checks of client certificates. */
  #receivingFrom = "";
  readonly #touched = new Set<Connection>();
  /** Connections that wait for the link to take more. */
  readonly #stalled = new Set<Connection>();
  #answers: { remote: string; datagram: Uint8Array }[] = [];
  #pumpQueued = false;
  /** The time of this turn of the event loop; NaN between turns. */
  #turn = NaN;
  #timer: Disposable | undefined;
  #timerAt = Infinity;
  #closed = false;

  /**
   * An endpoint on a core that is loaded now if it was not. Rejects with a `TypeError` when the
   * server's certificate and key are not usable.
   */
  static async create(options: EndpointOptions): Promise<Endpoint> {
    return new Endpoint(options, options.core ?? await loadCore());
  }

  private constructor(options: EndpointOptions, core: Core) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#core = core;
    this.#id = core.addHost(this.#host());
    this.#owner = {
      core,
      endpoint: this.#id,
      now: () => this.#now(),
      touch: (connection) => this.#touch(connection),
      release: (connection) => this.#release(connection),
      takeRefusal: (connection) => this.#takeRefusal(connection),
    };
    const { server } = options;
    this.#identity = server?.identity;
    if (server?.verifyClient) {
      const { verifyClient } = server;
      // A mesh node's remote is "node:service".
      const run: Check["run"] = (chain, remote) => verifyClient(chain, nodeOf(remote));
      this.#checks.set(SERVER_TOKEN, { run });
    }
    const length = core.pass(optionsArgument(options, this.#limits));
    if (!core.call.endpoint_new(this.#id, this.#now(), length)) {
      const problem = core.outputText();
      core.removeHost(this.#id);
      throw new TypeError(problem);
    }
  }

  /** Takes one datagram from `remote`, and copies what it needs of it. */
  receive(remote: string, datagram: Uint8Array): void {
    if (this.#closed || datagram.length === 0) return;
    this.#unlessBroken(() => {
      const core = this.#core;
      if (isInitial(datagram)) this.#renewIdentity();
      const length = core.pass(datagram);
      this.#receivingFrom = remote;
      const id = core.call.receive(this.#id, this.#now(), this.#remotes.number(remote), length);
      if (id === NONE) {
        this.#keepAnswer(remote);
        this.#remotes.discardUnused(remote);
        return;
      }
      const connection = this.#connections.get(id) ?? this.#add(id, remote, false);
      // The core goes by connection ids, and drops what comes from elsewhere.
      if (connection.remote !== remote) this.#remotes.discardUnused(remote);
      this.#touch(connection);
    });
  }

  /**
   * Dials `remote` and resolves after the handshake. `remoteNode` is what the peer's certificate is
   * checked against. Rejects with a `QuicError`, with a `TypeError` when our own certificate and
   * key are not usable, or with the signal's reason.
   */
  async connect(
    remote: string,
    tls: ClientTls,
    remoteNode: string,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<Connection> {
    options.signal?.throwIfAborted();
    if (this.#closed) throw new Error("the QUIC endpoint is closed");
    const token = ++this.#lastToken;
    this.#checks.set(token, { run: (chain) => tls.verifyServer(chain, remoteNode) });
    try {
      const connection = this.#dial(remote, token, tls.identity);
      try {
        await connection.handshake(options.signal);
      } catch (error) {
        connection.close();
        throw error;
      }
      return connection;
    } finally {
      this.#checks.delete(token);
    }
  }

  /** Ends the connections to `remote` at once: the mesh says that nobody is there. */
  unreachable(remote: string, problem: string): void {
    for (const connection of [...this.#connections.values()]) {
      if (connection.remote !== remote) continue;
      connection.abandon(new QuicError(`${remote} is unreachable: ${problem}`, "unreachable"));
    }
  }

  /** Ends the connections with `node` at once: it has started anew, and knows none of them. */
  forgetNode(node: string): void {
    for (const connection of [...this.#connections.values()]) {
      if (nodeOf(connection.remote) !== node) continue;
      connection.abandon(new QuicError(`${node} has restarted`, "reset"));
    }
  }

  /** The link takes more again. */
  resume(): void {
    for (const connection of this.#stalled) this.#touch(connection);
    this.#stalled.clear();
  }

  /**
   * Closes all connections ("normal close"), of which the peers are told once, and frees what the
   * endpoint holds. What was written and is still on its way may be lost: wait for `closed` of a
   * connection whose stream is closed if that matters.
   */
  close(): void {
    if (this.#closed) return;
    this.#unlessBroken(() => {
      for (const connection of this.#connections.values()) connection.close();
      this.#pump();
    });
    this.#shutDown(new QuicError("the QUIC endpoint is closed", "closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Connections that take up memory: those that are over do so for some round trips more. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Connections that are not over. */
  get liveConnectionCount(): number {
    let count = 0;
    for (const { ended } of this.#connections.values()) if (ended === undefined) count++;
    return count;
  }

  #dial(remote: string, token: number, identity: Identity | undefined): Connection {
    const core = this.#core;
    const number = this.#remotes.number(remote);
    const length = core.pass(identityArgument(identity));
    const id = core.call.connect(this.#id, this.#now(), number, token, length);
    if (id === NONE) {
      this.#remotes.discardUnused(remote);
      throw new TypeError(core.outputText());
    }
    const connection = this.#add(id, remote, true);
    this.#touch(connection);
    return connection;
  }

  #add(id: number, remote: string, dialled: boolean): Connection {
    const connection = new Connection(this.#owner, id, remote, dialled, this.#limits);
    this.#connections.set(id, connection);
    this.#remotes.retain(remote);
    return connection;
  }

  #release(connection: Connection): void {
    if (!this.#connections.delete(connection.id)) return;
    this.#touched.delete(connection);
    this.#stalled.delete(connection);
    this.#refusals.delete(connection.remote);
    this.#remotes.release(connection.remote);
    if (!this.#core.broken) this.#core.call.connection_free(this.#id, connection.id);
    if (this.#connections.size === 0) this.#setTimer(Infinity);
  }

  #keepAnswer(remote: string): void {
    if (!this.#core.call.answer(this.#id) || this.#answers.length >= MOST_ANSWERS) return;
    this.#answers.push({ remote, datagram: this.#core.output().slice() });
    this.#queuePump();
  }

  #now(): number {
    if (Number.isNaN(this.#turn)) {
      this.#turn = this.#options.clock.now();
      this.#queuePump();
    }
    return this.#turn;
  }

  #touch(connection: Connection): void {
    if (this.#closed) return;
    this.#touched.add(connection);
    this.#queuePump();
  }

  #queuePump(): void {
    if (this.#pumpQueued) return;
    this.#pumpQueued = true;
    queueMicrotask(() => {
      this.#pumpQueued = false;
      if (!this.#closed) this.#unlessBroken(() => this.#pump());
    });
  }

  /** Handles and sends all that the touched connections have, and sets the timer. */
  #pump(): void {
    if (Number.isNaN(this.#turn)) this.#turn = this.#options.clock.now();
    const now = this.#turn;
    for (const { remote, datagram } of this.#answers) this.#options.send(remote, datagram);
    this.#answers = [];
    for (const connection of this.#touched) {
      // Touched again while it is handled, it comes round once more.
      this.#touched.delete(connection);
      this.#handle(connection, now);
      if (this.#connections.get(connection.id) !== connection) continue;
      this.#transmit(connection, now);
      connection.updateDeadline();
      if (connection.deadline < this.#timerAt) this.#setTimer(connection.deadline);
    }
    this.#turn = NaN;
  }

  #handle(connection: Connection, now: number): void {
    const happened = this.#core.call.poll(this.#id, now, connection.id);
    if (happened === 0) return;
    const wasHandshaking = connection.handshaking;
    connection.handle(happened);
    if (wasHandshaking && happened & Happened.connected && !connection.dialled) {
      this.#options.onConnection?.(connection);
    }
  }

  #transmit(connection: Connection, now: number): void {
    const core = this.#core;
    const { send, writable } = this.#options;
    const { remote } = connection;
    for (;;) {
      if (writable && !writable.call(this.#options, remote)) {
        this.#stalled.add(connection);
        return;
      }
      const size = core.call.transmit(this.#id, now, connection.id, MOST_DATAGRAMS);
      if (size === 0) return;
      const end = core.word(0) + core.word(1);
      for (let at = end - core.word(1); at < end; at += size) {
        send.call(this.#options, remote, core.heap().subarray(at, Math.min(at + size, end)));
      }
    }
  }

  #setTimer(at: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Infinity) return;
    const delayMs = Math.max(0, at - this.#options.clock.now());
    this.#timer = this.#options.clock.after(
      delayMs,
      () => this.#unlessBroken(() => this.#expire()),
    );
  }

  #expire(): void {
    this.#timerAt = Infinity;
    const now = this.#now();
    let next = Infinity;
    for (const connection of this.#connections.values()) {
      if (connection.deadline <= now) {
        connection.expire(now);
        this.#touched.add(connection);
      } else {
        next = Math.min(next, connection.deadline);
      }
    }
    this.#setTimer(next);
    this.#pump();
  }

  #host(): CoreHost {
    return {
      random: this.#options.random,
      verify: (token, _remote, chain) => this.#verify(token, chain),
      coreBroke: (error) =>
        this.#shutDown(new QuicError(error.message, "other", 0, { cause: error })),
    };
  }

  #verify(token: number, chain: readonly Uint8Array[]) {
    const remote = this.#receivingFrom;
    try {
      this.#checks.get(token)!.run(chain, remote);
      return undefined;
    } catch (error) {
      const refusal = error instanceof Error ? error : new Error(String(error), { cause: error });
      this.#refusals.set(remote, refusal);
      const alert = error instanceof CertificateRefused ? error.alert : ALERT_INTERNAL_ERROR;
      return { alert, reason: refusal.message };
    }
  }

  /** The certificate may have been renewed since the last handshake. */
  #renewIdentity(): void {
    const identity = this.#options.server?.identity;
    if (identity === this.#identity) return;
    this.#identity = identity;
    const core = this.#core;
    const length = core.pass(identityArgument(identity));
    if (core.call.endpoint_renew(this.#id, this.#now(), length)) return;
    this.#options.onIdentityRefused?.(new TypeError(core.outputText()));
  }

  #takeRefusal(connection: Connection): Error | undefined {
    const refusal = this.#refusals.get(connection.remote);
    this.#refusals.delete(connection.remote);
    return refusal;
  }

  #shutDown(error: QuicError): void {
    this.#closed = true;
    this.#setTimer(Infinity);
    for (const connection of [...this.#connections.values()]) connection.abandon(error);
    this.#touched.clear();
    this.#answers = [];
    if (!this.#core.broken) this.#core.call.endpoint_free(this.#id);
    this.#core.removeHost(this.#id);
  }

  /** A broken core has ended everything by the time that its error comes here. */
  #unlessBroken(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error !== this.#core.broken) throw error;
    }
  }
}

/** The node of a remote key "node:service"; the service has no colon. */
function nodeOf(remote: string): string {
  const colon = remote.lastIndexOf(":");
  return colon === -1 ? remote : remote.slice(0, colon);
}

/** Whether a datagram may begin a handshake: an Initial packet of QUIC version 1 (RFC 9000, 17.2). */
function isInitial(datagram: Uint8Array): boolean {
  return (datagram[0]! & 0xf0) === 0xc0;
}
