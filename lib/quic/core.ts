/**
 * The one importer of the QUIC core (`core.wasm`, from the crate in `core/`): types for its
 * exports, the functions that it calls back, and what it shares of its memory.
 */
import type { Random } from "../base/random.ts";
import { readBlobs } from "./blobs.ts";

/** What happened to a connection since the last poll: bits (`core/src/connection.rs`). */
export const Happened = {
  connected: 1,
  lost: 2,
  readable: 4,
  writable: 8,
  stream: 16,
  finished: 32,
  drained: 64,
  stopped: 128,
} as const;

/** Answers of `stream_read` besides a count of bytes. */
export const ReadOutcome = { nothingYet: 0, end: -1, reset: -2, noStream: -3 } as const;

/** Answers of `stream_write`. */
export const WriteOutcome = { taken: 0, takenWait: 1, stopped: -1, noStream: -2 } as const;

/** "No connection", as an answer of `receive` and `connect` (all bits set, read as signed). */
export const NONE = -1;

/** What `statistic` can tell. */
export const Statistic = {
  mtu: 0,
  roundTripMs: 1,
  congestionWindowBytes: 2,
  packetsSent: 3,
  packetsLost: 4,
  datagramsReceived: 5,
} as const;

/**
 * The exports, described in `core/src/lib.rs`. `endpoint`, `connection` and `remote` are numbers:
 * the first and last ours, the second the endpoint's. Times are milliseconds of the host's clock.
 */
export interface CoreExports {
  endpoint_new(endpoint: number, now: number, length: number): number;
  endpoint_renew(endpoint: number, now: number, length: number): number;
  endpoint_free(endpoint: number): void;
  connect(endpoint: number, now: number, remote: number, token: number, length: number): number;
  receive(endpoint: number, now: number, remote: number, length: number): number;
  answer(endpoint: number): number;
  poll(endpoint: number, now: number, connection: number): number;
  transmit(endpoint: number, now: number, connection: number, most: number): number;
  deadline(endpoint: number, connection: number): number;
  expire(endpoint: number, now: number, connection: number): void;
  peer_chain(endpoint: number, connection: number): void;
  ending(endpoint: number, connection: number): number;
  stream_open(endpoint: number, connection: number): number;
  stream_read(endpoint: number, connection: number, most: number): number;
  stream_release(endpoint: number, connection: number): void;
  stream_write(endpoint: number, connection: number, length: number): number;
  stream_finish(endpoint: number, connection: number): number;
  stream_stop(endpoint: number, connection: number): void;
  close(endpoint: number, now: number, connection: number, code: number, length: number): void;
  connection_free(endpoint: number, connection: number): void;
  statistic(endpoint: number, connection: number, which: number): number;
  check_seal(length: number, header: number): void;
  check_open(length: number, header: number): number;
}

interface SharedExports {
  /** Not shared between threads: its buffer is a plain one. */
  memory: { readonly buffer: ArrayBuffer };
  start(): void;
  mailbox(): number;
  argument(length: number): number;
}

/** An endpoint as the core sees it: where its calls back go. */
export interface CoreHost {
  readonly random: Random;
  /** The verdict on a peer's chain (leaf first) by check `token`; undefined accepts it. */
  verify(
    token: number,
    remote: number,
    chain: readonly Uint8Array[],
  ): { alert: number; reason: string } | undefined;
  /** The core broke (a bug in it): nothing of it can be used any more. */
  coreBroke(error: Error): void;
}

/** Of the core's `verify` import (`core/src/host.rs`). */
type VerifyArguments = [
  endpoint: number,
  token: number,
  remote: number,
  chainAt: number,
  chainLength: number,
  reasonAt: number,
  reasonLength: number,
];

const MAILBOX_WORDS = 4;

/** A running core: one WebAssembly instance that all endpoints of a realm share. */
export class Core {
  /** The core's functions. A trap inside breaks the core: see `broken`. */
  readonly call: CoreExports;
  readonly #shared: SharedExports;
  readonly #hosts: (CoreHost | undefined)[] = [];
  readonly #mailboxAt: number;
  #heap = new Uint8Array();
  #mailbox = new Uint32Array();
  #panic: string | undefined;
  #broken: Error | undefined;

  constructor(module: WebAssembly.Module) {
    const instance = new WebAssembly.Instance(module, {
      host: {
        random: (endpoint: number, at: number, length: number) =>
          this.#random(endpoint, at, length),
        verify: (...args: VerifyArguments) => this.#verify(...args),
        panicked: (at: number, length: number) => {
          this.#panic = new TextDecoder().decode(this.heap().slice(at, at + length));
        },
      },
    });
    const exports = instance.exports as unknown as SharedExports & CoreExports;
    this.#shared = exports;
    this.call = this.#guarded(exports);
    exports.start();
    this.#mailboxAt = exports.mailbox();
  }

  /** Set once a bug in the core made it unusable. */
  get broken(): Error | undefined {
    return this.#broken;
  }

  /** Registers an endpoint; its number is free again after `removeHost`. */
  addHost(host: CoreHost): number {
    const vacant = this.#hosts.indexOf(undefined);
    const endpoint = vacant === -1 ? this.#hosts.length : vacant;
    this.#hosts[endpoint] = host;
    return endpoint;
  }

  removeHost(endpoint: number): void {
    this.#hosts[endpoint] = undefined;
  }

  /** The core's memory; a view is good until the next call, which may move the memory. */
  heap(): Uint8Array {
    if (this.#heap.buffer !== this.#shared.memory.buffer) {
      this.#heap = new Uint8Array(this.#shared.memory.buffer);
    }
    return this.#heap;
  }

  /** Puts `bytes` where the next call that takes a `length` looks for them. Returns the length. */
  pass(bytes: Uint8Array): number {
    const at = this.#shared.argument(bytes.length);
    this.heap().set(bytes, at);
    return bytes.length;
  }

  /** Word `index` of what the last call answered besides its result. */
  word(index: number): number {
    if (this.#mailbox.buffer !== this.#shared.memory.buffer) {
      this.#mailbox = new Uint32Array(
        this.#shared.memory.buffer,
        this.#mailboxAt,
        MAILBOX_WORDS,
      );
    }
    return this.#mailbox[index]!;
  }

  /** A view of the last call's output, good until the next call. */
  output(): Uint8Array {
    const at = this.word(0);
    return this.heap().subarray(at, at + this.word(1));
  }

  outputText(): string {
    return new TextDecoder().decode(this.output().slice());
  }

  #guarded(exports: CoreExports): CoreExports {
    const guard = <Args extends number[], Answer>(action: (...args: Args) => Answer) =>
    (
      ...args: Args
    ): Answer => {
      if (this.#broken) throw this.#broken;
      try {
        return action(...args);
      } catch (cause) {
        throw this.#breakDown(cause);
      }
    };
    return {
      endpoint_new: guard(exports.endpoint_new),
      endpoint_renew: guard(exports.endpoint_renew),
      endpoint_free: guard(exports.endpoint_free),
      connect: guard(exports.connect),
      receive: guard(exports.receive),
      answer: guard(exports.answer),
      poll: guard(exports.poll),
      transmit: guard(exports.transmit),
      deadline: guard(exports.deadline),
      expire: guard(exports.expire),
      peer_chain: guard(exports.peer_chain),
      ending: guard(exports.ending),
      stream_open: guard(exports.stream_open),
      stream_read: guard(exports.stream_read),
      stream_release: guard(exports.stream_release),
      stream_write: guard(exports.stream_write),
      stream_finish: guard(exports.stream_finish),
      stream_stop: guard(exports.stream_stop),
      close: guard(exports.close),
      connection_free: guard(exports.connection_free),
      statistic: guard(exports.statistic),
      check_seal: guard(exports.check_seal),
      check_open: guard(exports.check_open),
    };
  }

  #breakDown(cause: unknown): Error {
    const error = new Error(`the QUIC core broke down: ${this.#panic ?? cause}`, { cause });
    this.#broken = error;
    for (const host of this.#hosts) host?.coreBroke(error);
    return error;
  }

  #random(endpoint: number, at: number, length: number): void {
    const host = this.#hosts[endpoint];
    if (!host) throw new Error(`no endpoint ${endpoint} to draw randomness from`);
    host.random.fill(new Uint8Array(this.#shared.memory.buffer, at, length));
  }

  /** Answers 0 to accept, or a set top bit, the alert shifted by 16 and the reason's length. */
  #verify(
    ...[endpoint, token, remote, chainAt, chainLength, reasonAt, reasonLength]: VerifyArguments
  ): number {
    const host = this.#hosts[endpoint];
    if (!host) throw new Error(`no endpoint ${endpoint} to judge a certificate`);
    const chain = readBlobs(this.heap().subarray(chainAt, chainAt + chainLength));
    const verdict = host.verify(token, remote, chain);
    if (!verdict) return 0;
    const reason = new TextEncoder().encode(verdict.reason).subarray(0, reasonLength);
    this.heap().set(reason, reasonAt);
    return (1 << 31 | (verdict.alert & 0xff) << 16 | reason.length) >>> 0;
  }
}
