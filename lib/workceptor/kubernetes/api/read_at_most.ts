/** Reads a stream into memory up to a bound. */

export interface ReadBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether the stream had more, which has been thrown away. */
  readonly more: boolean;
}

/** Reads `stream` to its end, or until an abort, and keeps the first `maxBytes`. */
export async function readAtMost(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
  signal: AbortSignal,
): Promise<ReadBytes> {
  const reader = stream.getReader();
  const cancel = () => void reader.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
  try {
    return await readAll(reader, maxBytes);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

async function readAll(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
): Promise<ReadBytes> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let more = false;
  for (;;) {
    const { value: chunk, done } = await reader.read();
    if (done) break;
    const part = chunk.subarray(0, maxBytes - length);
    more ||= part.length < chunk.length;
    if (part.length === 0) continue;
    chunks.push(part);
    length += part.length;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { bytes, more };
}
