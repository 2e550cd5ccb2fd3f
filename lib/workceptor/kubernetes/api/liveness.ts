/** Notices that the peer of a connection has gone silent, for connections that may idle for hours. */
import type { ByteConn } from "../../../base/byte_conn.ts";
import type { Clock } from "../../../base/clock.ts";

/** How often the peer is asked for a sign of life: kubectl does it every 5 s. */
const PING_MS = 10_000;
/** Without any for so long, the connection is taken for dead. */
const MAX_SILENCE_MS = 60_000;

export interface LivenessOptions {
  /** Asks for a sign of life. May reject. */
  readonly ping: () => Promise<void>;
  /** The peer is taken for dead, after so many milliseconds. */
  readonly onSilence: (afterMs: number) => void;
}

/** Watches one connection until it is disposed. */
export class Liveness implements Disposable {
  readonly #clock: Clock;
  #heardAt: number;
  #timer: Disposable | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#heardAt = clock.now();
  }

  /** `conn`, whose reads count as signs of life. */
  listening(conn: ByteConn): ByteConn {
    return {
      read: async (into) => {
        const count = await conn.read(into);
        this.#heardAt = this.#clock.now();
        return count;
      },
      write: (bytes) => conn.write(bytes),
      closeWrite: () => conn.closeWrite(),
      close: () => conn.close(),
    };
  }

  /** While the reader itself does not read, nothing can be heard. */
  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  start(options: LivenessOptions): void {
    this.#timer = this.#clock.after(PING_MS, () => {
      if (this.#clock.now() - this.#heardAt >= MAX_SILENCE_MS) {
        return options.onSilence(MAX_SILENCE_MS);
      }
      options.ping().catch(() => {});
      this.start(options);
    });
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}
