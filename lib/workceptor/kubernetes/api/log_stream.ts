/** The body of an answer as a stream that is read only as fast as its reader wants. */
import type { Exchange } from "./http_client.ts";
import { asKubeError } from "./kube_error.ts";

const CHUNK_BYTES = 64 * 1024;
/** Less than this is copied out of the buffer, which then serves the next read. */
const SMALL_CHUNK_BYTES = CHUNK_BYTES / 4;

/** Errors with a `KubeError` if the answer is cut, or the signal's reason; see `KubeApi.podLog`. */
export function bodyStream(exchange: Exchange, signal: AbortSignal): ReadableStream<Uint8Array> {
  let buffer = new Uint8Array(CHUNK_BYTES);
  return new ReadableStream({
    async pull(controller) {
      let count: number | null;
      try {
        count = await exchange.read(buffer);
      } catch (error) {
        throw signal.aborted ? signal.reason : asKubeError(error);
      }
      if (count === null) return controller.close();
      if (count <= SMALL_CHUNK_BYTES) return controller.enqueue(buffer.slice(0, count));
      controller.enqueue(buffer.subarray(0, count));
      buffer = new Uint8Array(CHUNK_BYTES);
    },
    cancel: () => exchange.release(),
  }, { highWaterMark: 0 });
}
