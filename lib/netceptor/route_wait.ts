/** Waiting for a route that may be on its way. */
import type { Clock } from "../base/clock.ts";
import type { Mesh } from "./mesh.ts";

export interface RouteWaitDeps {
  readonly clock: Pick<Clock, "after">;
  readonly mesh: Pick<Mesh, "hasRoute" | "onRoutesChanged">;
}

/**
 * Resolves as soon as there is a route to `node`, or after `timeoutMs` or when one of `signals`
 * aborts in any case. Never rejects.
 */
export async function waitForRoute(
  { clock, mesh }: RouteWaitDeps,
  node: string,
  { timeoutMs, signals }: {
    readonly timeoutMs: number;
    readonly signals: readonly (AbortSignal | undefined)[];
  },
): Promise<void> {
  if (timeoutMs <= 0 || mesh.hasRoute(node)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  using _timer = clock.after(timeoutMs, resolve);
  using _routes = mesh.onRoutesChanged(() => {
    if (mesh.hasRoute(node)) resolve();
  });
  const over = AbortSignal.any(signals.filter((signal) => signal !== undefined));
  const onAbort = () => resolve();
  over.addEventListener("abort", onAbort);
  if (over.aborted) resolve();
  await promise;
  over.removeEventListener("abort", onAbort);
}
