/**
 * Connections that carry many streams, kept warm so that the next stream to the same service costs no
 * handshake. Which one a stream goes to is decided in `pool_rules.ts`.
 */
import { abortable } from "../base/abortable.ts";
import type { Clock } from "../base/clock.ts";
import type { Connection } from "./connection.ts";
import {
  choose,
  DEFAULT_POOL_LIMITS,
  fate,
  isStale,
  type Pooled,
  type PoolLimits,
} from "./pool_rules.ts";
import type { QuicStream } from "./quic_stream.ts";
import type { ClientTls, Identity } from "./tls.ts";

export interface PoolDeps {
  readonly clock: Clock;
  /** Makes a new connection to the service of `target`. */
  dial(target: PoolTarget, signal: AbortSignal): Promise<Connection>;
}

/** Where a stream shall go. */
export interface PoolTarget {
  /** "node:service". */
  readonly remote: string;
  readonly node: string;
  /** By this object connections are told apart: streams of different configs never share one. */
  readonly tls: ClientTls;
}

/** A stream with its connection. */
export interface PooledStream {
  readonly connection: Connection;
  readonly stream: QuicStream;
  /** Whether the connection was there before. */
  readonly warm: boolean;
}

/** Services known to speak only the original's protocol; beyond, this is learnt anew. */
const MOST_SINGLES = 4096;

export class ConnectionPool implements Disposable {
  readonly #deps: PoolDeps;
  readonly #limits: PoolLimits;
  readonly #entries = new Map<string, Set<Entry>>();
  /**
   * Remotes whose connections carry one stream each, so that nobody waits for another's handshake in
   * vain. A node that has been replaced by one of ours is found out by the dial that nobody shares.
   */
  readonly #singles = new Set<string>();

  constructor(deps: PoolDeps, limits: Partial<PoolLimits> = {}) {
    this.#deps = deps;
    this.#limits = { ...DEFAULT_POOL_LIMITS, ...limits };
  }

  /**
   * A new stream, on a connection that is there, or after a handshake, which streams that are wanted at
   * the same time share. `fresh` passes over connections that are there. Rejects as
   * `Endpoint.connect` does.
   */
  async open(
    target: PoolTarget,
    options: { readonly signal?: AbortSignal | undefined; readonly fresh?: boolean } = {},
  ): Promise<PooledStream> {
    const { signal, fresh = false } = options;
    /** Those on which the peer takes no more streams for now. */
    const full = new Set<Entry>();
    for (;;) {
      signal?.throwIfAborted();
      const entries = this.#entriesOf(target);
      const { identity } = target.tls;
      this.#retireStale(entries, identity);
      const wanted = { now: this.#deps.clock.now(), identity, fresh };
      const choice = choose(entries.filter((entry) => !full.has(entry)), wanted, this.#limits);
      if (choice !== "dial" && "take" in choice) {
        const stream = choice.take.open();
        if (stream !== undefined) return { ...stream, warm: true };
        full.add(choice.take);
        continue;
      }
      const alone = this.#singles.has(target.remote);
      const joined = choice !== "dial" && "join" in choice && !alone;
      const entry = joined ? choice.join : this.#begin(target, identity);
      const only = await entry.connected(signal);
      if (only !== undefined) return { ...await openOnly(only, signal), warm: false };
      const stream = entry.open();
      if (stream !== undefined) return { ...stream, warm: false };
    }
  }

  /** The connection takes no more streams, and closes with its last one. */
  retire(connection: Connection): void {
    for (const entries of this.#entries.values()) {
      for (const entry of entries) if (entry.connection === connection) entry.retire();
    }
  }

  /** For tests: connections that are there or under way. */
  get size(): number {
    let size = 0;
    for (const entries of this.#entries.values()) size += entries.size;
    return size;
  }

  /** Forgets all connections; whoever made them closes them. */
  [Symbol.dispose](): void {
    for (const entries of this.#entries.values()) {
      for (const entry of entries) entry[Symbol.dispose]();
    }
    this.#entries.clear();
  }

  /** Those with the same TLS config. */
  #entriesOf({ remote, tls }: PoolTarget): Entry[] {
    return [...this.#entries.get(remote) ?? []].filter((entry) => entry.tls === tls);
  }

  #retireStale(entries: readonly Entry[], identity: Identity | undefined): void {
    const now = this.#deps.clock.now();
    for (const entry of entries) {
      if (isStale(entry, now, identity, this.#limits)) entry.retire();
    }
  }

  #begin(target: PoolTarget, identity: Identity | undefined): Entry {
    const { remote } = target;
    const gone = () => {
      const entries = this.#entries.get(remote);
      entries?.delete(entry);
      if (entries?.size === 0) this.#entries.delete(remote);
    };
    const entry = new Entry({ ...this.#deps, gone }, { target, identity, limits: this.#limits });
    let entries = this.#entries.get(remote);
    if (entries === undefined) this.#entries.set(remote, entries = new Set());
    entries.add(entry);
    entry.ready.then(({ manyStreams }) => this.#learn(remote, manyStreams), () => {});
    return entry;
  }

  #learn(remote: string, manyStreams: boolean): void {
    if (manyStreams) this.#singles.delete(remote);
    else if (this.#singles.size < MOST_SINGLES) this.#singles.add(remote);
  }
}

interface EntryDeps extends PoolDeps {
  /** The entry is of no more use to the pool. */
  gone(): void;
}

interface EntryOptions {
  readonly target: PoolTarget;
  readonly identity: Identity | undefined;
  readonly limits: PoolLimits;
}

/** One connection of the pool, from the first wish for it. */
class Entry implements Disposable {
  /** Resolves after the handshake. */
  readonly ready: Promise<Connection>;
  readonly tls: ClientTls;
  readonly identity: Identity | undefined;
  connection: Connection | undefined;
  /** Streams that wait for the handshake. */
  waiting = 0;
  since = NaN;
  readonly #deps: EntryDeps;
  readonly #options: EntryOptions;
  readonly #givenUp = new AbortController();
  #retired = false;
  #taken = false;
  #idleTimer: Disposable | undefined;

  constructor(deps: EntryDeps, options: EntryOptions) {
    this.#deps = deps;
    this.#options = options;
    this.tls = options.target.tls;
    this.identity = options.identity;
    this.ready = this.#connect();
  }

  get phase(): Pooled["phase"] {
    if (this.#retired) return "retired";
    return this.connection === undefined ? "dialling" : "warm";
  }

  /** Streams that are not over. */
  get streams(): number {
    return this.connection?.streamCount ?? 0;
  }

  /**
   * Waits for the handshake, which ends when nobody waits for it any more. Resolves to the connection
   * if it is for one stream, and that is the caller's.
   */
  async connected(signal: AbortSignal | undefined): Promise<Connection | undefined> {
    this.waiting += 1;
    try {
      const connection = await abortable(this.ready, signal);
      if (connection.manyStreams || this.#taken) return undefined;
      this.#taken = true;
      return connection;
    } catch (error) {
      if (this.waiting === 1) this.#giveUp(error);
      throw error;
    } finally {
      this.waiting -= 1;
    }
  }

  /** A stream on the connection, if it has room for one. */
  open(): Omit<PooledStream, "warm"> | undefined {
    const { connection } = this;
    if (connection === undefined || !connection.manyStreams || connection.ended) return undefined;
    if (this.streams >= this.#options.limits.maxStreams) return undefined;
    const stream = connection.tryOpenStream();
    if (stream === undefined) return undefined;
    this.#stopIdleTimer();
    return { connection, stream };
  }

  retire(): void {
    if (this.#retired || this.connection === undefined) return;
    this.#retired = true;
    this.#review();
  }

  [Symbol.dispose](): void {
    this.#stopIdleTimer();
    this.#givenUp.abort(new Error("the pool is closed"));
  }

  async #connect(): Promise<Connection> {
    const { target } = this.#options;
    let connection;
    try {
      connection = await this.#deps.dial(target, this.#givenUp.signal);
    } catch (error) {
      this.#deps.gone();
      throw error;
    }
    if (!connection.manyStreams) {
      // It is for one of those who wait, and nobody else's concern.
      this.#deps.gone();
      return connection;
    }
    this.connection = connection;
    this.since = this.#deps.clock.now();
    connection.onStreamEnd = () => this.#review();
    void connection.closed.then(() => {
      this.#stopIdleTimer();
      this.#deps.gone();
    });
    // Those that wait open their streams before this timer counts for anything.
    this.#review();
    return connection;
  }

  /** Nobody wants the connection that is being made. */
  #giveUp(reason: unknown): void {
    if (this.connection !== undefined) return;
    this.#deps.gone();
    this.#givenUp.abort(reason);
    this.ready.then((connection) => {
      if (!this.#taken) connection.close();
    }, () => {});
  }

  #review(): void {
    const { connection } = this;
    if (connection === undefined) return;
    const { limits } = this.#options;
    switch (fate(this as Pooled, this.#deps.clock.now(), this.tls.identity, limits)) {
      case "close":
        this.#stopIdleTimer();
        connection.close();
        break;
      case "wait":
        this.#stopIdleTimer();
        this.#idleTimer = this.#deps.clock.after(limits.idleMs, () => {
          this.retire();
        });
    }
  }

  #stopIdleTimer(): void {
    this.#idleTimer?.[Symbol.dispose]();
    this.#idleTimer = undefined;
  }
}

async function openOnly(
  connection: Connection,
  signal: AbortSignal | undefined,
): Promise<{ connection: Connection; stream: QuicStream }> {
  try {
    return { connection, stream: await connection.openStream({ signal }) };
  } catch (error) {
    connection.close();
    throw error;
  }
}
