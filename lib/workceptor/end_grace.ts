/**
 * A job that has written its last line takes a moment to end. A client that recognizes the last
 * line, such as AWX with ansible-runner's output, asks for the state at once and expects the final
 * one. The Go daemon delivers output late, so it has it by then. We deliver output at once, so we
 * delay the state instead.
 */
import type { Clock } from "../base/clock.ts";
import type { UnitLedger } from "./unit_ledger.ts";

/**
 * How long after the last read of a unit's output: enough for a Python program to exit on a busy
 * machine.
 */
const END_GRACE_MS = 500;

export class EndGrace implements Disposable {
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  /** When output of a unit was last read. */
  readonly #reads = new WeakMap<UnitLedger, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Passes `output` on and notes when it is read. */
  async *follow(
    ledger: UnitLedger,
    output: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    for await (const bytes of output) {
      this.#reads.set(ledger, this.#clock.now());
      yield bytes;
    }
  }

  /** Resolves when the unit is complete, or once its output has not been read for a moment. */
  async end(ledger: UnitLedger): Promise<void> {
    const read = this.#reads.get(ledger);
    if (read === undefined) return;
    const until = read + END_GRACE_MS;
    const { signal } = this.#ending;
    while (!ledger.complete && !ledger.removed && !signal.aborted) {
      const { version } = ledger.changes;
      const timeoutMs = until - this.#clock.now();
      if (timeoutMs <= 0) return;
      await ledger.changes.past(version, { clock: this.#clock, timeoutMs, signal });
    }
  }

  [Symbol.dispose](): void {
    this.#ending.abort(new Error("the node is shutting down"));
  }
}
