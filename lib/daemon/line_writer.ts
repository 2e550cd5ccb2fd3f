/**
 * Writes log lines at once, so that the last lines before an exit are not lost. A failing output
 * costs lines and nothing else.
 */

/** What a line writer needs of an output, such as `Deno.stdout`. */
export interface SyncOutput {
  writeSync(bytes: Uint8Array): number;
}

/** How many pauses one line waits for a full pipe that somebody has made non-blocking. */
const MAX_PAUSES = 50;
const PAUSE_MS = 1;

/**
 * A closed pipe is not tried again. A pipe that stays full, or a full disk, then gets one try per
 * line. Once there is room again it gets complete lines, since an unfinished line is finished
 * first.
 */
export class LineWriter {
  readonly #output: SyncOutput;
  readonly #pause: (ms: number) => void;
  readonly #encoder = new TextEncoder();
  #closed = false;
  #stalled = false;
  #restOfLine: Uint8Array = new Uint8Array();

  constructor(output: SyncOutput, pause: (ms: number) => void = sleepSync) {
    this.#output = output;
    this.#pause = pause;
  }

  /** Writes a line, which ends with its line feed. Never throws. */
  write(line: string): void {
    if (!this.finish()) return;
    const bytes = this.#encoder.encode(line);
    const rest = this.#write(bytes);
    if (rest.length < bytes.length) this.#restOfLine = rest;
  }

  /** Tries to finish an unfinished line; returns whether the output is ready for the next one. */
  finish(): boolean {
    if (this.#closed) return false;
    this.#restOfLine = this.#write(this.#restOfLine);
    return this.#restOfLine.length === 0;
  }

  /** Returns what could not be written. */
  #write(bytes: Uint8Array): Uint8Array {
    let written = 0;
    let pauses = 0;
    while (written < bytes.length) {
      try {
        written += this.#output.writeSync(bytes.subarray(written));
        this.#stalled = false;
      } catch (error) {
        if (
          error instanceof Deno.errors.WouldBlock && !this.#stalled && pauses < MAX_PAUSES
        ) {
          pauses++;
          this.#pause(PAUSE_MS);
          continue;
        }
        this.#closed = error instanceof Deno.errors.BrokenPipe;
        this.#stalled = true;
        break;
      }
    }
    return bytes.subarray(written);
  }
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
