/** Reads a unit's output from any byte on, while it grows, to the end of the unit. */
import type { Clock } from "../base/clock.ts";
import { ControlError } from "../control/control_error.ts";
import type { UnitLedger } from "./unit_ledger.ts";
import { refusals } from "./work_texts.ts";

/** Enough for most jobs, of which there may be hundreds at once. */
const FIRST_BUFFER_BYTES = 16 * 1024;
const BUFFER_BYTES = 512 * 1024;

/**
 * At the end of the file the next read comes after 2 ms, then each time after twice as long: a job
 * that prints line by line must not cost a read and a write for each line, and one that writes all
 * the time must not be watched. After `MAX_PAUSE_MS` without growth the file is watched instead.
 */
const FIRST_PAUSE_MS = 2;
const MAX_PAUSE_MS = 64;

/** How long growth may go unnoticed if a notification is lost. */
const SAFETY_INTERVAL_MS = 1_000;

export interface OutputSource {
  readonly ledger: UnitLedger;
  /** Whether there must be an output file by now, so that a missing one was removed. */
  readonly outputDue: boolean;
  /** Makes the ledger report growth until disposed of. */
  watchOutput(): Disposable;
}

/**
 * Yields the output from `startPos` on, present and future, and ends when the unit is complete and
 * everything has been read, when it is removed, or when `signal` aborts. Throws a `ControlError` if
 * output was lost. A yielded view is valid until the next one is asked for. Memory use does not
 * depend on how slowly it is read.
 */
export async function* readOutput(
  source: OutputSource,
  startPos: number,
  options: { clock: Clock; signal: AbortSignal },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { ledger } = source;
  const { clock, signal } = options;
  using resources = new DisposableStack();
  let file: Deno.FsFile | undefined;
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  let position = startPos;
  let pauseMs = FIRST_PAUSE_MS;
  let watch: Disposable | undefined;
  resources.defer(() => watch?.[Symbol.dispose]());

  while (!signal.aborted && !ledger.removed) {
    const { version } = ledger.changes;
    // Checked before the read: what a complete unit has written is there by now.
    const { complete } = ledger;
    if (file === undefined) {
      file = await openIfThere(ledger);
      if (file !== undefined) {
        resources.use(file);
        file.seekSync(startPos, Deno.SeekMode.Start);
      }
    }
    const isGone = file === undefined && await isOutputGone(source, position);
    // Most looks at a quiet file find nothing, and to ask for its size takes no other thread.
    const hasMore = file !== undefined && file.statSync().size > position;
    const count = hasMore ? await file!.read(buffer) ?? 0 : 0;
    if (count > 0) {
      watch?.[Symbol.dispose]();
      watch = undefined;
      pauseMs = FIRST_PAUSE_MS;
      position += count;
      yield buffer.subarray(0, count);
      if (count === buffer.length && count < BUFFER_BYTES) buffer = new Uint8Array(BUFFER_BYTES);
      continue;
    }
    // A file that somebody removed can still be read while it is open.
    if (isGone || complete && position < ledger.record.StdoutSize) {
      // A release takes the files away before it is announced.
      await ledger.idle();
      if (ledger.removed) return;
      throw new ControlError(refusals.outputLost(ledger.id));
    }
    if (complete) return;
    if (pauseMs <= MAX_PAUSE_MS) {
      await ledger.changes.past(version, { clock, timeoutMs: pauseMs, signal });
      pauseMs *= 2;
    } else if (watch === undefined && file !== undefined) {
      // Growth before the watch began raises no event, so read once more.
      watch = source.watchOutput();
    } else {
      await ledger.changes.past(version, { clock, timeoutMs: SAFETY_INTERVAL_MS, signal });
    }
  }
}

/** Whether somebody took the file away with the output from `startPos` on. */
export async function isOutputGone(source: OutputSource, startPos: number): Promise<boolean> {
  const { ledger, outputDue } = source;
  const { complete, record } = ledger;
  if (await ledger.store.hasStdout(ledger.id)) return false;
  if (!complete) return outputDue || !await ledger.store.has(ledger.id);
  // What was gone before the unit was complete is not counted.
  return startPos < record.StdoutSize || outputDue && record.StdoutSize === 0;
}

async function openIfThere({ store, id }: UnitLedger): Promise<Deno.FsFile | undefined> {
  try {
    return await store.readStdout(id);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
