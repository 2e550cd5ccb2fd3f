/** Has every connection that comes in somewhere go on elsewhere. */
import { type ByteConn, closeQuietly } from "../base/byte_conn.ts";
import type { Clock } from "../base/clock.ts";
import { deadline } from "../base/deadline.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import { Shares } from "../base/shares.ts";
import { SourceLog } from "../base/source_log.ts";
import type { Carry, Entrance, Exit, Incoming, Service } from "./service.ts";

/** How long it may take to connect, waiting for others included, in milliseconds. */
const DIAL_TIMEOUT_MS = 30_000;
/**
 * Connections of one service at once. One more takes the place of the oldest of whoever has most,
 * unless that would be its own.
 */
const MAX_CONNECTIONS = 4096;

export interface StreamServiceDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly entrance: Entrance;
  readonly exit: Exit;
}

type Cut = (reason: Error) => void;

export class StreamService implements Service {
  readonly #deps: StreamServiceDeps;
  readonly #name: string;
  readonly #maxConnections: number;
  /** For lines that others can cause. */
  readonly #strangers: SourceLog;
  /** What ends each connection, by its source. */
  readonly #connections = new Shares<Cut>();

  /** `name` is for messages; `maxConnections` is at once. */
  constructor(deps: StreamServiceDeps, name: string, maxConnections = MAX_CONNECTIONS) {
    this.#deps = deps;
    this.#name = name;
    this.#maxConnections = maxConnections;
    this.#strangers = new SourceLog(deps);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { entrance, exit } = this.#deps;
    try {
      await entrance.serve((incoming) => this.#serve(incoming, signal), signal);
    } finally {
      await exit[Symbol.asyncDispose]?.();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deps.entrance[Symbol.asyncDispose]();
    await this.#deps.exit[Symbol.asyncDispose]?.();
  }

  /** Never rejects. */
  async #serve(incoming: Incoming, stop: AbortSignal): Promise<void> {
    const { conn, from, source } = incoming;
    const over = new AbortController();
    const cut: Cut = (reason) => over.abort(reason);
    const onStop = () => cut(stop.reason);
    stop.addEventListener("abort", onStop, { once: true });
    if (stop.aborted) onStop();
    try {
      this.#makeRoom(source);
      this.#connections.put(cut, source, 1);
      await this.#join(incoming, over.signal);
    } catch (error) {
      end(conn);
      if (!stop.aborted) {
        this.#strangers.of(source).error(`${this.#name}: ${from}: ${messageOf(error)}`);
      }
    } finally {
      stop.removeEventListener("abort", onStop);
      this.#connections.delete(cut);
    }
  }

  async #join(incoming: Incoming, signal: AbortSignal): Promise<void> {
    const { log } = this.#deps;
    const { from } = incoming;
    const carry = await this.#open(incoming, signal);
    log.debug(`${this.#name}: connection from ${from}`);
    try {
      await carry(signal);
      log.debug(`${this.#name}: connection from ${from} ended`);
    } catch (error) {
      // Nothing unusual: one of the two ends has gone away.
      log.debug(`${this.#name}: connection from ${from} ended: ${messageOf(error)}`);
    }
  }

  async #open(incoming: Incoming, signal: AbortSignal): Promise<Carry> {
    const { clock, exit } = this.#deps;
    const tooLong = () => new Error(`no connection within ${DIAL_TIMEOUT_MS / 1000} s`);
    using limit = deadline(clock, DIAL_TIMEOUT_MS, tooLong);
    try {
      return await exit.open(incoming, AbortSignal.any([signal, limit.signal]));
    } catch (cause) {
      throw new Error(`${exit.problem}: ${messageOf(cause)}`, { cause });
    }
  }

  #makeRoom(source: string): void {
    if (this.#connections.size < this.#maxConnections) return;
    const { item: cutOldest, shareSize } = this.#connections.oldestOfLargest()!;
    const tooMany = new Error(`there are more than ${this.#maxConnections} connections`);
    if (shareSize <= this.#connections.sizeOf(source) + 1) throw tooMany;
    this.#connections.delete(cutOldest);
    cutOldest(tooMany);
  }
}

/** Whoever is there should not take this for the regular end of a stream. */
function end(conn: ByteConn): void {
  if (conn.abort !== undefined) conn.abort();
  else closeQuietly(conn);
}
