/**
 * Begins a stream to another node's service. On a connection with others the listener says that it has
 * taken the stream, which shows that a connection which was idle still lives.
 */
import { abortable } from "../base/abortable.ts";
import type { Clock } from "../base/clock.ts";
import type { ConnectionPool, PooledStream, PoolTarget } from "../quic/connection_pool.ts";
import { QuicError } from "../quic/quic_error.ts";
import type { QuicStream } from "../quic/quic_stream.ts";
import { FIRST_BYTE, FIRST_BYTE_WITH_WINDOW, StreamCode } from "../quic/stream_codes.ts";

export interface StreamOpeningDeps {
  readonly clock: Clock;
  readonly pool: ConnectionPool;
}

export interface OpenStreamOptions {
  /** Offers to tell the size of a window. */
  readonly offersWindow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OpenedStream {
  readonly stream: QuicStream;
  /** The listener takes the offer. */
  readonly tellsWindow: boolean;
}

/** How long the peer of a connection that was idle may be silent before it is taken for dead. */
const SIGN_OF_LIFE_MS = 1_000;
/** How long a listener may take to answer: as long as a handshake. */
const ANSWER_TIMEOUT_MS = 15_000;

/**
 * A stream to `target`, which has been taken by the listener if that is one of ours. When a connection
 * that was there turns out to be dead, or too old for the listener, a new one is tried: nothing but
 * the first byte was sent, so nothing can be done twice. Rejects as `Endpoint.connect` does.
 */
export async function openStream(
  deps: StreamOpeningDeps,
  target: PoolTarget,
  options: OpenStreamOptions = {},
): Promise<OpenedStream> {
  const { signal } = options;
  const opened = await deps.pool.open(target, { signal });
  try {
    return await begin(deps, opened, options);
  } catch (error) {
    const { connection, stream, warm } = opened;
    stream.abort();
    signal?.throwIfAborted();
    if (!warm || isRefusal(error)) throw error;
    deps.pool.retire(connection);
  }
  const fresh = await deps.pool.open(target, { signal, fresh: true });
  try {
    return await begin(deps, { ...fresh, warm: false }, options);
  } catch (error) {
    fresh.stream.abort();
    throw error;
  }
}

/** The listener lives and does not want the stream, on whatever connection. */
function isRefusal(error: unknown): boolean {
  return error instanceof QuicError && error.ending === "closed-by-peer" &&
    (error.code === StreamCode.tooMany || error.code === StreamCode.refused);
}

async function begin(
  { clock }: StreamOpeningDeps,
  { connection, stream, warm }: PooledStream,
  { offersWindow = false, signal }: OpenStreamOptions,
): Promise<OpenedStream> {
  const heard = connection.statistics().datagramsReceived;
  const offers = offersWindow && connection.manyStreams;
  await stream.write(offers ? FIRST_BYTE_WITH_WINDOW : FIRST_BYTE);
  if (!connection.manyStreams) return { stream, tellsWindow: false };
  const given = new AbortController();
  const { remote } = connection;
  using _answer = clock.after(ANSWER_TIMEOUT_MS, () => {
    const seconds = ANSWER_TIMEOUT_MS / 1000;
    given.abort(
      new QuicError(`timed out: no answer from ${remote} within ${seconds} s`, "timed-out"),
    );
  });
  using _life = clock.after(warm ? SIGN_OF_LIFE_MS : ANSWER_TIMEOUT_MS, () => {
    if (connection.ended || connection.statistics().datagramsReceived > heard) return;
    given.abort(new QuicError(`timed out: ${remote} is silent`, "timed-out"));
  });
  const either = signal === undefined ? given.signal : AbortSignal.any([signal, given.signal]);
  return { stream, tellsWindow: await readAnswer(stream, offers, either) };
}

/** Resolves to whether the listener has taken the offer. */
async function readAnswer(
  stream: QuicStream,
  offers: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = new Uint8Array(1);
  const count = await abortable(stream.read(answer), signal);
  const takes = offers && answer[0] === FIRST_BYTE_WITH_WINDOW[0];
  if (count !== 1 || !takes && answer[0] !== FIRST_BYTE[0]) {
    throw new Error("the listener did not take the stream");
  }
  return takes;
}
