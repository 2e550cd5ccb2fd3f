/** What the benchmarks share: pairs of nodes to measure, and the figures of all rounds. */
import type { NodeKind } from "../tests/support/peers.ts";
import { freePort } from "../tests/support/ports.ts";
import { type Action, TestNode } from "../tests/support/test_node.ts";

/** Who is measured; `empty` is a Deno program that does nothing, as the lower bound for ours. */
export type Subject = "go" | "ours" | "empty";

/** One thing that is measured. */
export interface Bench {
  name: string;
  unit: "ms" | "MB/s" | "MB";
  /** Which numbers are good, for the table. */
  better: "lower" | "higher";
  /** Values of all rounds, for one subject; `undefined` if it makes no sense for that subject. */
  measure(subject: Subject, options: BenchOptions): Promise<number[]> | undefined;
}

export interface BenchOptions {
  rounds: number;
  /** Output of the unit whose results are timed, in bytes. */
  resultBytes: number;
}

/** The value below which `share` of all values lie. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("No values to take a percentile of");
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Two nodes of one kind, directly linked over TCP. */
export interface Pair extends AsyncDisposable {
  near: TestNode;
  far: TestNode;
}

/** Starts a pair; resolves once each has a route to the other. */
export async function startPair(kind: NodeKind, work: readonly Action[] = []): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const port = freePort();
  const start = async (id: string, actions: readonly Action[]) =>
    stack.use(await TestNode.start({ kind, id, actions, logLevel: "warning" }));
  const far = await start("far", [
    { "tcp-listener": { bindaddr: "127.0.0.1", port } },
    ...work,
  ]);
  const near = await start("near", [{ "tcp-peer": { address: `127.0.0.1:${port}` } }]);
  await Promise.all([near.waitForRoute("far"), far.waitForRoute("near")]);
  const owned = stack.move();
  return { near, far, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
