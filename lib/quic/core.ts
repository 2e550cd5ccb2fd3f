/**
 * The only importer of the QUIC core (`core.wasm`, from the crate in `core/`): types for its
 * exports, the functions that it calls back, and access to its shared memory.
 */
import type { Random } from "../base/random.ts";
import { readBlobs } from "./blobs.ts";
import { HostKeys } from "./host_keys.ts";

/** What happened to a connection since the last poll: bits (`core/src/connection.rs`). */
export const Happened = { connected: 1, lost: 2, streams: 16, drained: 64, news: 512 } as const;

/** What happened to a stream: bits (likewise). */
export const News = {
  readable: 4,
  writable: 8,
  opened: 16,
  finished: 32,
  stopped: 128,
  reset: 256,
} as const;

/** Results of `stream_read` other than a number of bytes. */
export const ReadOutcome = { nothingYet: 0, end: -1, reset: -2, noStream: -3 } as const;

/** Results of `stream_write`. */
export const WriteOutcome = { taken: 0, takenWait: 1, stopped: -1, noStream: -2 } as const;

/**
 * "No connection" or "no stream", as a result of `receive`, `admit`, `connect` and `stream_open` (all
 * bits set, signed).
 */
export const NONE = -1;
/** A handshake that waits for `admit`, as a result of `receive`. */
export const INCOMING = -2;

/** What `admit` does about a new handshake (`core/src/endpoint.rs`). */
export const Verdict = { ignore: 0, retry: 1, accept: 2 } as const;

/** What `statistic` can return. */
export const Statistic = {
  mtu: 0,
  roundTripMs: 1,
  congestionWindowBytes: 2,
  packetsSent: 3,
  packetsLost: 4,
  datagramsReceived: 5,
} as const;

/**
 * The exports, described in `core/src/exports.rs`. `connection` is the core's number for one, `stream`
 * an index on it, `remote` our number for a peer (48 bits). Times are milliseconds of the host's clock.
 */
export interface CoreExports {
  endpoint_new(now: number, length: number): number;
  endpoint_renew(now: number, length: number): number;
  connect(now: number, remote: number, token: number, length: number): number;
  receive(now: number, remote: number, length: number): number;
  admit(now: number, verdict: number): number;
  answer(): number;
  poll(now: number, connection: number): number;
  transmit(now: number, connection: number, most: number): number;
  deadline(connection: number): number;
  expire(now: number, connection: number): void;
  peer_chain(connection: number): void;
  ending(connection: number): number;
  many_streams(connection: number): number;
  stream_open(connection: number): number;
  stream_read(connection: number, stream: number, most: number): number;
  stream_release(connection: number): void;
  stream_write(connection: number, stream: number, length: number): number;
  stream_finish(connection: number, stream: number): number;
  stream_reset(connection: number, stream: number, code: number): void;
  stream_stop(connection: number, stream: number, code: number): void;
  stream_code(connection: number, stream: number): number;
  stream_free(connection: number, stream: number): void;
  close(now: number, connection: number, code: number, length: number): void;
  connection_free(connection: number): void;
  statistic(connection: number, which: number): number;
  check_seal(length: number, header: number): void;
  check_open(length: number, header: number): number;
}

interface SharedExports {
  /** Not shared between threads, so its buffer is a plain one. */
  memory: { readonly buffer: ArrayBuffer };
  argument(length: number): number;
}

interface StartExports {
  start(): void;
  mailbox(): number;
}

/** What the core asks of its owner during a call; the owner must not call into the core then. */
export interface CoreHost {
  readonly random: Random;
  /** The verdict on a peer's chain (leaf first) by check `token`; undefined accepts it. */
  verify(
    token: number,
    chain: readonly Uint8Array[],
  ): { alert: number; reason: string } | undefined;
  /** The core broke: it can no longer be used. */
  coreBroke(error: CoreBroken): void;
}

/** A bug in the core, or a failure of its randomness, has made it unusable. */
export class CoreBroken extends Error {
  override readonly name = "CoreBroken";
}

/** Of the core's `verify` import (`core/src/host.rs`). */
type VerifyArguments = [
  token: number,
  chainAt: number,
  chainLength: number,
  reasonAt: number,
  reasonLength: number,
];

/** Of the core's `sign` import (`core/src/host.rs`). */
type SignArguments = [
  scheme: number,
  keyAt: number,
  keyLength: number,
  messageAt: number,
  messageLength: number,
  signatureAt: number,
  signatureLength: number,
];

const MAILBOX_WORDS = 4;

/** A running core: one WebAssembly instance, for one endpoint. */
export class Core {
  /** The core's functions. A trap inside breaks the core: see `broken`. */
  readonly call: CoreExports;
  readonly #shared: SharedExports;
  readonly #host: CoreHost;
  readonly #mailboxAt: number;
  readonly #keys = new HostKeys();
  #heap = new Uint8Array();
  #mailbox = new Uint32Array();
  #inside = false;
  #panic: string | undefined;
  #broken: CoreBroken | undefined;

  constructor(module: WebAssembly.Module, host: CoreHost) {
    this.#host = host;
    const instance = new WebAssembly.Instance(module, {
      host: {
        random: (at: number, length: number) =>
          void host.random.fill(new Uint8Array(this.#shared.memory.buffer, at, length)),
        verify: (...args: VerifyArguments) => this.#verify(...args),
        sign: (...args: SignArguments) => this.#sign(...args),
        panicked: (at: number, length: number) => {
          this.#panic = new TextDecoder().decode(this.heap().slice(at, at + length));
        },
      },
    });
    const exports = instance.exports as unknown as SharedExports & CoreExports & StartExports;
    this.#shared = {
      memory: exports.memory,
      argument: this.#guard(exports.argument),
    };
    this.call = this.#guarded(exports);
    exports.start();
    this.#mailboxAt = exports.mailbox();
  }

  /** Set once the core is unusable. */
  get broken(): CoreBroken | undefined {
    return this.#broken;
  }

  /** The core's memory; a view is valid until the next call, which may move the memory. */
  heap(): Uint8Array {
    if (this.#heap.buffer !== this.#shared.memory.buffer) {
      this.#heap = new Uint8Array(this.#shared.memory.buffer);
    }
    return this.#heap;
  }

  /** Puts `bytes` where the next call that takes a `length` expects them. Returns the length. */
  pass(bytes: Uint8Array): number {
    const at = this.#shared.argument(bytes.length);
    this.heap().set(bytes, at);
    return bytes.length;
  }

  /** Word `index` of what the last call returned in addition to its result. */
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

  /** A view of the last call's output, valid until the next call. */
  output(): Uint8Array {
    const at = this.word(0);
    return this.heap().subarray(at, at + this.word(1));
  }

  /** The news of streams that the last `poll` found: an index and bits of `News` each. */
  news(): [stream: number, news: number][] {
    const [at, count] = [this.word(0), this.word(1)];
    const words = new Uint32Array(this.heap().buffer, at, 2 * count);
    return Array.from({ length: count }, (_, i) => [words[2 * i]!, words[2 * i + 1]!]);
  }

  outputText(): string {
    return new TextDecoder().decode(this.output().slice());
  }

  #guarded(exports: CoreExports): CoreExports {
    const guard = <Args extends number[], Answer>(action: (...args: Args) => Answer) =>
      this.#guard(action);
    return {
      endpoint_new: guard(exports.endpoint_new),
      endpoint_renew: guard(exports.endpoint_renew),
      connect: guard(exports.connect),
      receive: guard(exports.receive),
      admit: guard(exports.admit),
      answer: guard(exports.answer),
      poll: guard(exports.poll),
      transmit: guard(exports.transmit),
      deadline: guard(exports.deadline),
      expire: guard(exports.expire),
      peer_chain: guard(exports.peer_chain),
      ending: guard(exports.ending),
      many_streams: guard(exports.many_streams),
      stream_open: guard(exports.stream_open),
      stream_read: guard(exports.stream_read),
      stream_release: guard(exports.stream_release),
      stream_write: guard(exports.stream_write),
      stream_finish: guard(exports.stream_finish),
      stream_reset: guard(exports.stream_reset),
      stream_stop: guard(exports.stream_stop),
      stream_code: guard(exports.stream_code),
      stream_free: guard(exports.stream_free),
      close: guard(exports.close),
      connection_free: guard(exports.connection_free),
      statistic: guard(exports.statistic),
      check_seal: guard(exports.check_seal),
      check_open: guard(exports.check_open),
    };
  }

  /**
   * The core function `action`, guarded: it must not run during another call, which the core does
   * not support, and nothing runs after a trap.
   */
  #guard<Args extends number[], Answer>(
    action: (...args: Args) => Answer,
  ): (...args: Args) => Answer {
    return (...args) => {
      if (this.#broken) throw this.#broken;
      if (this.#inside) throw new Error("a callback of the QUIC core may not call into it");
      this.#inside = true;
      try {
        return action(...args);
      } catch (cause) {
        throw this.#breakDown(cause);
      } finally {
        this.#inside = false;
      }
    };
  }

  #breakDown(cause: unknown): CoreBroken {
    const error = new CoreBroken(`the QUIC core broke down: ${this.#panic ?? cause}`, { cause });
    this.#broken = error;
    this.#host.coreBroke(error);
    return error;
  }

  /** Returns 0 to accept, or a set top bit, the alert shifted by 16 and the reason's length. */
  #verify(...[token, chainAt, chainLength, reasonAt, reasonLength]: VerifyArguments): number {
    const chain = readBlobs(this.heap().subarray(chainAt, chainAt + chainLength));
    const verdict = this.#host.verify(token, chain);
    if (!verdict) return 0;
    const reason = new TextEncoder().encode(verdict.reason).subarray(0, reasonLength);
    this.heap().set(reason, reasonAt);
    return (1 << 31 | (verdict.alert & 0xff) << 16 | reason.length) >>> 0;
  }

  /** Returns the length of the signature, 0 for none. */
  #sign(
    ...[scheme, keyAt, keyLength, messageAt, messageLength, signatureAt, signatureLength]:
      SignArguments
  ): number {
    const heap = this.heap();
    const key = heap.subarray(keyAt, keyAt + keyLength);
    const message = heap.subarray(messageAt, messageAt + messageLength);
    const signature = this.#keys.sign(scheme, key, message);
    if (signature === undefined || signature.length > signatureLength) return 0;
    heap.set(signature, signatureAt);
    return signature.length;
  }
}
