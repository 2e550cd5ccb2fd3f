/** Reads the body of an answer into memory. */
import type { Exchange } from "./http_client.ts";
import type { ReadBytes } from "./read_at_most.ts";

const INITIAL_BYTES = 16 * 1024;

/** Reads up to `maxBytes`; an answer that has more is cut there, and its connection closed. */
export async function readExchange(exchange: Exchange, maxBytes: number): Promise<ReadBytes> {
  let buffer = new Uint8Array(INITIAL_BYTES);
  let length = 0;
  try {
    for (;;) {
      if (length === buffer.length) {
        const grown = new Uint8Array(2 * length);
        grown.set(buffer);
        buffer = grown;
      }
      const count = await exchange.read(buffer.subarray(length));
      if (count === null) return { bytes: buffer.subarray(0, length), more: false };
      length += count;
      if (length > maxBytes) return { bytes: buffer.subarray(0, maxBytes), more: true };
    }
  } finally {
    exchange.release();
  }
}
