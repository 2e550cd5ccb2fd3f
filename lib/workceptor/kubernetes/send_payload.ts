/** Sends a unit's payload to its worker, whose stdin can be opened only once. */
import { type Clock, sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/error_message.ts";
import type { Log } from "../../base/log.ts";
import type { AttachSession, KubeApi } from "./api/kube_api.ts";
import { isTransient } from "./api/kube_error.ts";
import { WORKER } from "./pod_state.ts";
import { OutputWitness } from "./output_witness.ts";
import type { WorkerEnd } from "./worker_end.ts";

export interface SendPayloadDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SendPayloadOptions {
  readonly namespace: string;
  readonly pod: string;
  readonly payload: ReadableStream<Uint8Array>;
  /** There is nothing in it that could be lost. */
  readonly isEmpty: boolean;
  /** Called once, before the worker can read any of it. */
  readonly onStart: () => Promise<void>;
  /** Called once all of it is on its way. */
  readonly onSent: () => Promise<void>;
}

const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 5_000;

/**
 * How long a connection must hold after the payload if the server does not say that it has passed
 * on all of it.
 */
const ACKNOWLEDGE_MS = 3_000;

/** How long the server may take to say how a broken connection ended. */
const STATEMENT_MS = 1_000;

/**
 * Resolves when the worker has all of the payload, or does not need it any more because it has
 * ended, to a witness of its output, if it was attached to. Rejects if it may have a part of it: then it must not be sent again.
 */
export async function sendPayload(
  deps: SendPayloadDeps,
  options: SendPayloadOptions,
  worker: WorkerEnd,
  signal: AbortSignal,
): Promise<OutputWitness | undefined> {
  const session = await attach(deps, options, worker, signal);
  if (session === undefined) return undefined;
  await using unlessSent = new AsyncDisposableStack();
  const witness = unlessSent.use(new OutputWitness(session));
  const over = new AbortController();
  // A write to a worker that has ended may never settle.
  const watch = endOfWorker(worker, deps.clock, over);
  try {
    await options.onStart();
    await options.payload.pipeTo(session.stdin, {
      signal: AbortSignal.any([signal, over.signal]),
    });
    await options.onSent();
    await acknowledged(session, deps.clock, AbortSignal.any([signal, over.signal]));
  } catch (error) {
    signal.throwIfAborted();
    // A connection that breaks ends the worker's input, too: only the server knows which was first.
    const isUnwanted = worker.ended || worker.gone || options.isEmpty ||
      await isEndedByServer(session, deps.clock, signal);
    if (!isUnwanted) throw error;
  } finally {
    over.abort(new Error("the payload is sent"));
    await watch;
  }
  unlessSent.move();
  return witness;
}

/** Tries until the worker can be attached to; undefined if it ended before. */
async function attach(
  { api, clock, log }: SendPayloadDeps,
  { namespace, pod }: SendPayloadOptions,
  worker: WorkerEnd,
  signal: AbortSignal,
): Promise<AttachSession | undefined> {
  let retryMs = FIRST_RETRY_MS;
  while (true) {
    if (worker.ended || worker.gone) return undefined;
    try {
      const streams = { stdin: true, stdout: true, stderr: true };
      return await api.attach(namespace, pod, { container: WORKER, ...streams }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (worker.ended || worker.gone) return undefined;
      // The server calls a worker that has just ended a bad request before we know of its end.
      log.debug(`Cannot attach to pod ${namespace}/${pod}: ${messageOf(error)}`);
      if (!isTransient(error) && retryMs > MAX_RETRY_MS) throw error;
    }
    await worker.change(clock, Math.min(retryMs, MAX_RETRY_MS), signal);
    retryMs *= 2;
  }
}

/** Rejects if the connection broke before the server had the end of the payload. */
async function acknowledged(
  { done }: AttachSession,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const patience = new AbortController();
  const enough = sleep(clock, ACKNOWLEDGE_MS, {
    signal: AbortSignal.any([signal, patience.signal]),
  }).catch(() => undefined);
  try {
    const end = await Promise.race([done, enough]);
    if (end !== undefined && !end.success) throw new Error(end.message || end.reason);
  } finally {
    patience.abort();
  }
}

/** Whether the server says that the worker takes no more input, as when it has ended. */
async function isEndedByServer(
  { done }: AttachSession,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const waiting = new AbortController();
  const enough = sleep(clock, STATEMENT_MS, { signal: AbortSignal.any([signal, waiting.signal]) })
    .then(() => false, () => false);
  try {
    return await Promise.race([done.then(({ success }) => success, () => false), enough]);
  } finally {
    waiting.abort();
  }
}

async function endOfWorker(
  worker: WorkerEnd,
  clock: Clock,
  over: AbortController,
): Promise<void> {
  while (!over.signal.aborted && !worker.ended && !worker.gone) {
    await worker.change(clock, 60_000, over.signal);
  }
  over.abort(new Error("the worker has ended"));
}
