/** Appends what a results stream brings to the local copy of the output. */
import { writeFully } from "../../base/durable_file.ts";
import type { ResultsStream } from "../../control/client.ts";

/** Enough for most jobs, of which there may be hundreds at once. */
const FIRST_BUFFER_BYTES = 16 * 1024;
const BUFFER_BYTES = 256 * 1024;

/**
 * Resolves at the stream's clean end, rejects if it breaks or `signal` aborts; what arrived is in
 * the file in either case. Closes the stream. `onGrowth` is called after each write.
 */
export async function fetchOutput(
  results: ResultsStream,
  file: Deno.FsFile,
  signal: AbortSignal,
  onGrowth: () => void,
): Promise<void> {
  const close = () => results.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
    for (let count; (count = await results.read(buffer)) !== null;) {
      await writeFully(file, buffer.subarray(0, count));
      onGrowth();
      if (count === buffer.length && count < BUFFER_BYTES) buffer = new Uint8Array(BUFFER_BYTES);
    }
    // A stream that we closed ourselves may look as if it had ended.
    signal.throwIfAborted();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}
