/**
 * Tells when another node has really restarted. Anybody in the mesh can write a higher epoch in its
 * name; a node that is still there objects as soon as it hears of that, which takes it back. So a
 * higher epoch counts once it has stood for a while.
 */
import type { Clock } from "../base/clock.ts";
import { RESTART_STANDS_MS } from "./limits.ts";

export interface RestartWatchDeps {
  readonly clock: Clock;
  /** The epoch that counts for a node now. */
  readonly epochOf: (nodeId: string) => bigint | undefined;
  /** `sinceMs` is when the node was first heard of with its new epoch, by the clock. */
  readonly onRestarted: (nodeId: string, sinceMs: number) => void;
}

export class RestartWatch implements Disposable {
  readonly #deps: RestartWatchDeps;
  /** Timers by node; no more than there are nodes in the table of link states. */
  readonly #waiting = new Map<string, Disposable>();

  constructor(deps: RestartWatchDeps) {
    this.#deps = deps;
  }

  /** `nodeId` was heard of with a higher epoch than before. */
  heard(nodeId: string, epoch: bigint): void {
    const { clock, epochOf, onRestarted } = this.#deps;
    this.forget(nodeId);
    const sinceMs = clock.now();
    const timer = clock.after(RESTART_STANDS_MS, () => {
      this.#waiting.delete(nodeId);
      if (epochOf(nodeId) === epoch) onRestarted(nodeId, sinceMs);
    });
    this.#waiting.set(nodeId, timer);
  }

  /** The node is no longer in the table. */
  forget(nodeId: string): void {
    this.#waiting.get(nodeId)?.[Symbol.dispose]();
    this.#waiting.delete(nodeId);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#waiting.values()) timer[Symbol.dispose]();
    this.#waiting.clear();
  }
}
