/**
 * Writes log lines at once, so that the last words before an exit are not lost. An output that
 * fails loses lines and nothing else.
 */

/** What a line writer needs of an output, such as `Deno.stdout`. */
export interface SyncOutput {
  writeSync(bytes: Uint8Array): number;
}

/** How long one line waits for a full pipe that somebody has made non-blocking. */
const MAX_PAUSES = 50;
const PAUSE_MS = 1;

/**
 * A closed pipe is not tried again. A pipe that stays full gets one try a line from then on, and a
 * full disk as well: whichever has room again gets whole lines, as a line that was begun is
 * finished first.
 */
export function lineWriter(
  output: SyncOutput,
  pause: (ms: number) => void = sleepSync,
): (line: string) => void {
  const encoder = new TextEncoder();
  let closed = false;
  let stalled = false;
  let restOfLine: Uint8Array = new Uint8Array();

  /** Returns what could not be written. */
  const write = (bytes: Uint8Array): Uint8Array => {
    let written = 0;
    let pauses = 0;
    while (written < bytes.length) {
      try {
        written += output.writeSync(bytes.subarray(written));
        stalled = false;
      } catch (error) {
        if (error instanceof Deno.errors.WouldBlock && !stalled && pauses < MAX_PAUSES) {
          pauses++;
          pause(PAUSE_MS);
          continue;
        }
        closed = error instanceof Deno.errors.BrokenPipe;
        stalled = true;
        break;
      }
    }
    return bytes.subarray(written);
  };

  return (line) => {
    if (closed) return;
    restOfLine = write(restOfLine);
    if (closed || restOfLine.length > 0) return;
    const bytes = encoder.encode(line);
    const rest = write(bytes);
    if (rest.length < bytes.length) restOfLine = rest;
  };
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
