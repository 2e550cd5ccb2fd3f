/** Nodes with many remote units that nobody released, as a client that is killed leaves them. */
import { copyUnit } from "./copy_units.ts";
import { ECHO, submitAndRead } from "./jobs.ts";
import { NodeClient } from "./node_client.ts";
import { type Chain, type ChainOptions, startChain } from "./nodes.ts";
import type { Kind } from "./row.ts";

export interface Leftovers extends Chain {
  /** Finished on the far node, known to both. */
  readonly units: readonly string[];
}

export async function startWithLeftovers(
  kind: Kind,
  count: number,
  options: ChainOptions,
  signal: AbortSignal,
): Promise<Leftovers> {
  await using stack = new AsyncDisposableStack();
  const chain = stack.use(
    await startChain(kind, { ...options, atFar: [ECHO, ...(options.atFar ?? [])] }),
  );
  const { near, far } = chain;
  const client = new NodeClient(near, signal);
  const unitId = await submitAndRead(client, { node: "far", workType: "echo" });
  for (const node of [near, far]) await node.waitForUnit(unitId);
  for (const node of [near, far]) await node.stop();
  const copies = await copyUnit(unitId, count - 1, [near, far]);
  for (const node of options.farDials ? [near, far] : [far, near]) await node.restart();
  await Promise.all([near.waitForRoute(far.id), far.waitForRoute(near.id)]);
  const owned = stack.move();
  return {
    ...chain,
    units: [unitId, ...copies],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
