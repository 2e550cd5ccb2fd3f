/** The body of an answer as a stream that is read only as fast as its reader wants. */
import type { Exchange } from "./http_client.ts";
import { asKubeError } from "./kube_error.ts";

/** Hundreds of logs may be followed at once, and most of them are silent. */
const MIN_CHUNK_BYTES = 4 * 1024;
const MAX_CHUNK_BYTES = 64 * 1024;

/** Errors with a `KubeError` if the answer is cut, or the signal's reason; see `KubeApi.podLog`. */
export function bodyStream(exchange: Exchange, signal: AbortSignal): ReadableStream<Uint8Array> {
  let buffer = new Uint8Array(MIN_CHUNK_BYTES);
  return new ReadableStream({
    async pull(controller) {
      let count: number | null;
      try {
        count = await exchange.read(buffer);
      } catch (error) {
        throw signal.aborted ? signal.reason : asKubeError(error);
      }
      if (count === null) return controller.close();
      if (count <= buffer.length / 4) return controller.enqueue(buffer.slice(0, count));
      controller.enqueue(buffer.subarray(0, count));
      // Grows as long as there is more than it holds.
      const size = count < buffer.length ? buffer.length : 4 * buffer.length;
      buffer = new Uint8Array(Math.min(size, MAX_CHUNK_BYTES));
    },
    cancel: () => exchange.release(),
  }, { highWaterMark: 0 });
}
