/** Ping and traceroute: is a node there, how far away, and who is in between. */
import type { Clock } from "../base/clock.ts";
import { MAX_HOPS } from "../wire/data_packet.ts";
import { Problem } from "../wire/unreachable.ts";
import type { DatagramHandler, DatagramPort } from "./datagram_port.ts";
import { PING_RETRY_MS, PING_TIMEOUT_MS } from "./limits.ts";
import type { PingReply } from "./mesh.ts";
import { PING_SERVICE } from "./packet_switch.ts";
import { PeriodicTask } from "./periodic_task.ts";

/** What a ping needs from its node. */
export interface PingDeps {
  readonly nodeId: string;
  readonly clock: Clock;
  /** Aborts when the node shuts down. */
  readonly shutdown: AbortSignal;
  readonly openPort: (handler: DatagramHandler) => DatagramPort;
}

export interface PingOptions {
  /** How often the ping may be forwarded. */
  readonly hops?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const NS_PER_MS = 1e6;
const NO_PAYLOAD = new Uint8Array(0);

/**
 * Asks one node whether it is there. A failure is in the reply's `error`, in the original's words,
 * with the node that reported it ("" if none did). Rejects only with the reason of `signal`.
 */
export async function ping(
  deps: PingDeps,
  node: string,
  { hops = MAX_HOPS, signal }: PingOptions = {},
): Promise<PingReply> {
  signal?.throwIfAborted();
  const { clock, shutdown } = deps;
  const start = clock.now();
  const outcome = Promise.withResolvers<PingReply>();
  const finish = (from: string, error: string) => {
    const timeNs = Math.round((clock.now() - start) * NS_PER_MS);
    outcome.resolve({ from, timeNs, error });
  };
  const onShutdown = () => finish("", "netceptor shutdown");
  const onAbort = () => outcome.reject(signal!.reason);
  using port = deps.openPort({
    datagram: ({ fromNode }) => finish(fromNode, ""),
    unreachable: ({ problem }, reporter) => finish(reporter, problem),
  });
  using retries = new PeriodicTask(
    clock,
    { intervalMs: PING_RETRY_MS, minGapMs: PING_RETRY_MS },
    () => send(),
  );
  const send = () => {
    try {
      port.send(node, PING_SERVICE, NO_PAYLOAD, hops);
    } catch (error) {
      finish(deps.nodeId, (error as Error).message);
    }
  };
  using _timeout = clock.after(PING_TIMEOUT_MS, () => finish("", "timeout"));
  shutdown.addEventListener("abort", onShutdown);
  signal?.addEventListener("abort", onAbort);
  if (shutdown.aborted) onShutdown();
  send();
  retries.begin();
  try {
    return await outcome.promise;
  } finally {
    shutdown.removeEventListener("abort", onShutdown);
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * The nodes on the way to `node`, this one first, found by pings that may go one hop further each
 * time. Ends with the answer of `node` or with an error other than running out of hops.
 */
export async function* traceroute(
  deps: PingDeps,
  node: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<PingReply> {
  for (let hops = 0; hops <= MAX_HOPS; hops++) {
    const reply = await ping(deps, node, { hops, signal });
    const expired = reply.error === Problem.ExpiredInTransit;
    yield expired ? { ...reply, error: "" } : reply;
    if (!expired) return;
  }
}
