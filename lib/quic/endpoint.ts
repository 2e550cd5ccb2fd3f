/**
 * A QUIC endpoint on mesh datagrams: feeds the core with what arrives, tells users what happened,
 * and sends what the core has to send, once per turn of the event loop.
 */
import { messageOf } from "../base/error_message.ts";
import { Connection, type ConnectionEnds, type ConnectionOwner } from "./connection.ts";
import { ConnectionPlaces } from "./connection_places.ts";
import { Core, CoreBroken, type CoreHost, INCOMING, NONE, Verdict } from "./core.ts";
import {
  DEFAULT_LIMITS,
  type EndpointLimits,
  type EndpointOptions,
  identityArgument,
  optionsArgument,
  RESET_KEY_BYTES,
  serverKind,
} from "./endpoint_options.ts";
import { loadCore } from "./load_core.ts";
import { PeerChecks } from "./peer_checks.ts";
import { QuicError } from "./quic_error.ts";
import { nodeOf, Remotes } from "./remotes.ts";
import { CertificateRefused, type ClientTls, type Identity } from "./tls.ts";

/** Datagrams to take from the core at once before asking the link again whether it has room. */
const MOST_DATAGRAMS = 8;
/**
 * Most answers, to datagrams that belong to no connection, that wait for the pump; more are
 * dropped. Such answers are to datagrams of 1,200 bytes or more, of which a turn brings fewer than
 * this.
 */
const MOST_ANSWERS = 1024;

/** A core and what its connections need. */
interface Running {
  readonly core: Core;
  readonly owner: ConnectionOwner;
}

export class Endpoint implements Disposable {
  readonly #options: EndpointOptions;
  readonly #limits: EndpointLimits;
  readonly #module: WebAssembly.Module;
  /** The same for each core, so that peers learn that the connections of a broken one are gone. */
  readonly #resetKey: Uint8Array;
  readonly #remotes: Remotes;
  readonly #checks = new PeerChecks();
  readonly #places: ConnectionPlaces;
  /** Undefined while there is none: after one broke, until the next is needed. */
  #running: Running | undefined;
  /** The identity that the core uses for new handshakes, as the server. */
  #identity: Identity | undefined;
  /** The server's identity when last checked, usable or not. */
  #lastIdentity: Identity | undefined;
  readonly #connections = new Map<number, Connection>();
  /** Whose datagram the core is processing, for checks of certificates. */
  #receivingFrom = "";
  readonly #touched = new Set<Connection>();
  /** Connections that wait for room on the link. */
  readonly #stalled = new Set<Connection>();
  #answers: { remote: string; local: string; datagram: Uint8Array }[] = [];
  #pumpQueued = false;
  /** The time of this turn of the event loop; NaN between turns. */
  #turn = NaN;
  #timer: Disposable | undefined;
  #timerAt = Infinity;
  #closed = false;

  /**
   * An endpoint on a core, which is loaded now unless it already was. Rejects with a `TypeError` if
   * the server's certificate and key are not usable.
   */
  static async create(options: EndpointOptions): Promise<Endpoint> {
    return new Endpoint(options, options.core ?? await loadCore());
  }

  private constructor(options: EndpointOptions, module: WebAssembly.Module) {
    this.#options = options;
    this.#module = module;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { random, server } = options;
    this.#resetKey = random.fill(new Uint8Array(RESET_KEY_BYTES));
    this.#remotes = new Remotes(random);
    this.#places = new ConnectionPlaces(this.#limits, (remote, reason) => {
      this.#attempt("telling of a refusal", () => options.onRefused?.(remote, reason));
    }, options.neighbourOf);
    if (server?.verifyClient) {
      const { verifyClient } = server;
      this.#checks.useForClients((chain, remote) => {
        try {
          verifyClient(chain, nodeOf(remote));
        } catch (error) {
          if (!(error instanceof CertificateRefused)) {
            const problem = `checking the certificate of ${remote} failed: ${messageOf(error)}`;
            this.#report(new Error(problem, { cause: error }));
          }
          throw error;
        }
      });
    }
    this.#identity = this.#lastIdentity = server?.identity;
    this.#running = this.#start();
  }

  /**
   * Takes one datagram from `remote`, and copies what it needs of it. `local` is where it arrived,
   * if connections are dialled from several places.
   */
  receive(remote: string, datagram: Uint8Array, local = ""): void {
    if (this.#closed || datagram.length === 0) return;
    this.#unlessBroken(() => {
      if (!this.#running) {
        this.#attempt("starting the QUIC core", () => this.#running = this.#start());
      }
      const running = this.#running;
      if (!running) return;
      if (isInitial(datagram)) this.#renewIdentity(running.core);
      const connection = this.#deliver(running, remote, datagram);
      if (connection) this.#touch(connection);
      else this.#keepAnswer(running.core, remote, local);
    });
  }

  /**
   * Dials `remote` and resolves after the handshake. `remoteNode` is what the peer's certificate is
   * checked against. Rejects with a `QuicError`, with a `TypeError` if our own certificate and key
   * are not usable, or with the signal's reason. `local` tells where it is dialled from, if that
   * matters to whoever sends.
   */
  async connect(
    remote: string,
    tls: ClientTls,
    remoteNode: string,
    options: { signal?: AbortSignal | undefined; local?: string } = {},
  ): Promise<Connection> {
    options.signal?.throwIfAborted();
    if (this.#closed) throw new Error("the QUIC endpoint is closed");
    using check = this.#checks.addForServer((chain) => tls.verifyServer(chain, remoteNode));
    const { local = "" } = options;
    const connection = this.#dial({ remote, local }, check.token, tls.identity);
    try {
      await connection.handshake(options.signal);
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  /**
   * Ends the dials from `local` to `remote` at once: the mesh says that nobody is there. Anybody
   * who knows these could say so, so connections with a completed handshake are not affected.
   */
  unreachable(remote: string, problem: string, local = ""): void {
    for (const connection of [...this.#connections.values()]) {
      if (connection.remote !== remote || connection.local !== local) continue;
      if (!connection.dialled || !connection.handshaking) continue;
      connection.abandon(new QuicError(`${remote} is unreachable: ${problem}`, "unreachable"));
    }
  }

  /**
   * Ends the connections that `node` had before `sinceMs`, by the endpoint's clock: it restarted
   * then and knows none of them. Those that were not complete by then are with the new one.
   */
  forgetNode(node: string, sinceMs: number): void {
    for (const connection of [...this.#connections.values()]) {
      if (nodeOf(connection.remote) !== node || !(connection.establishedAt < sinceMs)) continue;
      connection.abandon(new QuicError(`${node} has restarted`, "reset"));
    }
  }

  /** The link has room again. */
  resume(): void {
    for (const connection of this.#stalled) this.#touch(connection);
    this.#stalled.clear();
  }

  /**
   * Closes all connections ("normal close"), tells the peers once, and frees what the endpoint
   * holds. What was written and is still on its way may be lost: if that matters, close the stream
   * and wait for its connection's `closed` first.
   */
  close(): void {
    if (this.#closed) return;
    this.#unlessBroken(() => {
      for (const connection of this.#connections.values()) connection.close();
      this.#pump();
    });
    this.#closed = true;
    this.#endAll(new QuicError("the QUIC endpoint is closed", "closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Whether a connection that was dialled from `local` is not forgotten yet. */
  has(local: string): boolean {
    return this.#connections.values().some((connection) =>
      connection.dialled && connection.local === local
    );
  }

  /** Connections that take up memory: those that are over do so for a few more round trips. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** For tests: how large the core's memory is, which never shrinks. */
  get memoryBytes(): number {
    return this.#running?.core.heap().length ?? 0;
  }

  /** Throws a `TypeError` when the server's certificate and key are not usable. */
  #start(): Running {
    const core = new Core(this.#module, this.#host());
    const { server, maxDatagramBytes } = this.#options;
    const argument = optionsArgument(this.#limits, {
      maxDatagramBytes,
      server: serverKind(server),
      resetKey: this.#resetKey,
      identity: this.#identity,
    });
    if (!core.call.endpoint_new(this.#now(), core.pass(argument))) {
      throw new TypeError(core.outputText());
    }
    const owner: ConnectionOwner = {
      core,
      now: () => this.#now(),
      touch: (connection) => this.#touch(connection),
      release: (connection) => this.#release(core, connection),
      takeRefusal: (connection) => this.#checks.takeRefusal(connection.remote),
      admitStream: (connection, stream) => this.#places.admitStream(connection, stream),
      streamGone: (connection, stream) => this.#places.streamGone(connection, stream),
    };
    return { core, owner };
  }

  /** The connection that a datagram was for, or that it began. */
  #deliver(running: Running, remote: string, datagram: Uint8Array): Connection | undefined {
    const { core } = running;
    const number = this.#remotes.number(remote);
    this.#receivingFrom = remote;
    const id = core.call.receive(this.#now(), number, core.pass(datagram));
    if (id === INCOMING) return this.#admit(running, remote, core.word(0) !== 0);
    return this.#connections.get(id);
  }

  /** Decides whether a new handshake gets a place; `proven` if it brought proof of its address. */
  #admit(running: Running, remote: string, proven: boolean): Connection | undefined {
    const { core } = running;
    const judgement = this.#places.judge(remote, proven);
    const id = core.call.admit(this.#now(), Verdict[judgement.verdict]);
    if (id === NONE || judgement.verdict !== "accept") return undefined;
    const connection = this.#add(running, id, { remote, dialled: false, local: "" });
    this.#places.begin(connection, judgement.place);
    return connection;
  }

  #dial(
    { remote, local }: { remote: string; local: string },
    token: number,
    identity: Identity | undefined,
  ): Connection {
    const running = this.#running ??= this.#start();
    const { core } = running;
    const number = this.#remotes.number(remote);
    const id = core.call.connect(this.#now(), number, token, core.pass(identityArgument(identity)));
    if (id === NONE) throw new TypeError(core.outputText());
    const connection = this.#add(running, id, { remote, dialled: true, local });
    this.#touch(connection);
    return connection;
  }

  #add({ owner }: Running, id: number, ends: ConnectionEnds): Connection {
    const connection = new Connection(owner, id, ends, this.#limits);
    this.#connections.set(id, connection);
    this.#remotes.retain(ends.remote);
    return connection;
  }

  #release(core: Core, connection: Connection): void {
    if (this.#connections.get(connection.id) !== connection) return;
    const { id, remote } = connection;
    this.#connections.delete(id);
    this.#touched.delete(connection);
    this.#stalled.delete(connection);
    this.#places.forget(connection);
    this.#checks.takeRefusal(remote);
    this.#remotes.release(remote);
    if (!core.broken) core.call.connection_free(id);
    if (connection.dialled) {
      this.#attempt("forgetting a dial", () => this.#options.onDialOver?.(connection.local));
    }
    if (this.#connections.size === 0) this.#setTimer(Infinity);
  }

  #keepAnswer(core: Core, remote: string, local: string): void {
    if (!core.call.answer() || this.#answers.length >= MOST_ANSWERS) return;
    this.#answers.push({ remote, local, datagram: core.output().slice() });
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

  /** Handles and sends everything that the touched connections have, and sets the timer. */
  #pump(): void {
    if (Number.isNaN(this.#turn)) this.#turn = this.#options.clock.now();
    const now = this.#turn;
    try {
      for (const { remote, local, datagram } of this.#answers.splice(0)) {
        this.#attempt(`sending to ${remote}`, () => this.#options.send(remote, datagram, local));
      }
      for (const connection of this.#touched) {
        // If it is touched again while being handled, it is handled once more.
        this.#touched.delete(connection);
        this.#attemptFor(connection, () => this.#serve(connection, now));
        if (connection.deadline < this.#timerAt) this.#setTimer(connection.deadline);
      }
    } finally {
      this.#turn = NaN;
    }
  }

  #serve(connection: Connection, now: number): void {
    // Once a connection is released, its number may belong to another one.
    const isHere = () => this.#connections.get(connection.id) === connection;
    if (isHere()) this.#handle(connection, now);
    if (isHere() && connection.ended) this.#places.retire(connection);
    if (isHere()) this.#transmit(connection, now);
    if (isHere()) connection.updateDeadline();
  }

  #handle(connection: Connection, now: number): void {
    const happened = this.#running!.core.call.poll(now, connection.id);
    if (happened === 0) return;
    const wasHandshaking = connection.handshaking;
    connection.handle(happened);
    if (connection.dialled || !wasHandshaking || connection.handshaking || connection.ended) return;
    if (this.#places.establish(connection)) this.#options.onConnection?.(connection);
  }

  #transmit(connection: Connection, now: number): void {
    const { core } = this.#running!;
    const { send, writable } = this.#options;
    const { remote, local } = connection;
    for (;;) {
      if (writable && !writable.call(this.#options, remote, local)) {
        this.#stalled.add(connection);
        return;
      }
      const size = core.call.transmit(now, connection.id, MOST_DATAGRAMS);
      if (size === 0) return;
      const end = core.word(0) + core.word(1);
      for (let at = end - core.word(1); at < end; at += size) {
        const datagram = core.heap().subarray(at, Math.min(at + size, end));
        send.call(this.#options, remote, datagram, local);
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
      verify: (token, chain) => this.#checks.run(token, chain, this.#receivingFrom),
      coreBroke: (error) => {
        this.#running = undefined;
        this.#endAll(new QuicError(error.message, "other", 0, { cause: error }));
        this.#report(error);
      },
    };
  }

  /** The certificate may have been renewed since the last handshake. */
  #renewIdentity(core: Core): void {
    this.#attempt("renewing the server's certificate", () => {
      const identity = this.#options.server?.identity;
      if (identity === this.#lastIdentity) return;
      this.#lastIdentity = identity;
      const length = core.pass(identityArgument(identity));
      if (core.call.endpoint_renew(this.#now(), length)) this.#identity = identity;
      else this.#options.onIdentityRefused?.(new TypeError(core.outputText()));
    });
  }

  /** Ends all connections without telling their peers. */
  #endAll(error: QuicError): void {
    this.#setTimer(Infinity);
    for (const connection of [...this.#connections.values()]) connection.abandon(error);
    this.#touched.clear();
    this.#answers = [];
  }

  /**
   * Runs an action that may call a user's function; its errors are reported and harm nothing else.
   */
  #attempt(what: string, action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      if (error instanceof CoreBroken) throw error;
      this.#report(new Error(`${what} failed: ${messageOf(error)}`, { cause: error }));
      return false;
    }
  }

  /** The same for a connection, which ends if the action fails. */
  #attemptFor(connection: Connection, action: () => void): void {
    if (this.#attempt(`the connection with ${connection.remote}`, action)) return;
    connection.fail();
  }

  #report(error: Error): void {
    try {
      this.#options.onError(error);
    } catch {
      // There is nobody else to report it to.
    }
  }

  /** Ignores the error of a core that broke, which by then has ended everything. */
  #unlessBroken(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof CoreBroken)) throw error;
    }
  }
}

/** Whether a datagram may begin a handshake: an Initial packet of QUIC version 1 (RFC 9000, 17.2). */
function isInitial(datagram: Uint8Array): boolean {
  return (datagram[0]! & 0xf0) === 0xc0;
}
