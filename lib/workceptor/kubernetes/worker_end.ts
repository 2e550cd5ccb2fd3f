/** Whether a worker has ended, for all those that have to know. */
import type { Clock } from "../../base/clock.ts";
import { ChangeNotifier } from "../change_notifier.ts";
import type { PodState } from "./pod_state.ts";

export class WorkerEnd {
  readonly #changes = new ChangeNotifier();
  #state: (PodState & { is: "ended" | "gone" }) | undefined;

  get state(): (PodState & { is: "ended" | "gone" }) | undefined {
    return this.#state;
  }

  get ended(): boolean {
    return this.#state?.is === "ended";
  }

  /** The pod is not there any more, nor its log. */
  get gone(): boolean {
    return this.#state?.is === "gone";
  }

  tell(state: PodState & { is: "ended" | "gone" }): void {
    if (this.#state !== undefined) return;
    this.#state = state;
    this.#changes.notify();
  }

  /** Resolves when the worker ends, or after `timeoutMs`; at once, after that time, if it has. */
  change(clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<void> {
    return this.#changes.past(this.#changes.version, { clock, timeoutMs, signal });
  }
}
