/**
 * Knows the pods of one namespace that are ours: one list and one watch, however many units there
 * are. Runs while somebody is interested in a pod.
 */
import { type Clock, sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/error_message.ts";
import type { Log } from "../../base/log.ts";
import { ChangeNotifier } from "../change_notifier.ts";
import type { KubeApi, Pod, PodChange } from "./api/kube_api.ts";
import { KubeError } from "./api/kube_error.ts";
import { UNIT_LABEL } from "./worker_pod.ts";

export interface PodInformerDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly log: Log;
  /** A pod of ours that nobody is interested in, such as that of a unit whose folder is gone. */
  readonly onStray: (pod: Pod) => void;
}

export interface PodInformerOptions {
  readonly namespace: string;
  /** Selects the pods that are ours. */
  readonly labelSelector: string;
}

/** How long after an error to ask again. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** Watches are begun no more often than this, however soon they end. */
const MIN_WATCH_MS = 1_000;

/** One unit's pod, as far as is known. */
export interface PodWatch extends Disposable {
  readonly changes: ChangeNotifier;
  readonly pod: Pod | undefined;
  /** It was there, or should have been, and is not there any more. */
  readonly deleted: boolean;
  /** From now on this pod is meant, by the server's answer to a request of one's own. */
  expect(pod: Pod): void;
  /** The pod as a request of one's own has found it; undefined if it is gone. */
  tell(pod: Pod | undefined): void;
}

class Interest implements PodWatch {
  readonly changes = new ChangeNotifier();
  pod: Pod | undefined;
  deleted = false;
  readonly #end: () => void;

  constructor(end: () => void) {
    this.#end = end;
  }

  expect(pod: Pod): void {
    // The watch may have been quicker, and then knows more.
    if (this.pod?.metadata?.name === pod.metadata?.name) return;
    this.pod = pod;
    this.deleted = false;
  }

  tell(pod: Pod | undefined): void {
    if (pod === undefined && this.pod === undefined) return;
    this.deleted = pod === undefined;
    this.pod = pod ?? this.pod;
    this.changes.notify();
  }

  [Symbol.dispose](): void {
    this.#end();
  }
}

export class PodInformer implements AsyncDisposable {
  readonly #deps: PodInformerDeps;
  readonly #options: PodInformerOptions;
  readonly #interests = new Map<string, Interest>();
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(deps: PodInformerDeps, options: PodInformerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Follows the pod with this unit label. One watch for each, and begun before the pod is made or
   * asked for: what happens before the watch is not told.
   */
  watch(unitLabel: string): PodWatch {
    const interest = new Interest(() => {
      if (this.#interests.get(unitLabel) === interest) this.#interests.delete(unitLabel);
      if (this.#interests.size > 0) return;
      this.#running?.stop.abort(new Error("no pod to watch"));
      this.#running = undefined;
    });
    this.#interests.set(unitLabel, interest);
    if (this.#running === undefined) {
      const stop = new AbortController();
      this.#running = { stop, ended: this.#run(stop.signal) };
    }
    return interest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running?.stop.abort(new Error("the node is shutting down"));
    await this.#running?.ended;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        await this.#listAndWatch(signal, () => retryMs = FIRST_RETRY_MS);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof KubeError && error.code === 410) continue;
        const { namespace } = this.#options;
        log.debug(`Cannot watch pods in ${namespace}, will try again: ${messageOf(error)}`);
        await sleep(clock, retryMs, { signal }).catch(() => {});
        retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
      }
    }
  }

  /** Rejects when only a new list helps. */
  async #listAndWatch(signal: AbortSignal, onAnswer: () => void): Promise<void> {
    const { api, clock } = this.#deps;
    const { namespace, labelSelector } = this.#options;
    // What is watched from now on may be younger than the list.
    const known = [...this.#interests];
    const list = await api.listPods(namespace, { labelSelector }, signal);
    onAnswer();
    const listed = new Set(list.items.map(unitOf));
    for (const pod of list.items) this.#tell(pod);
    for (const [unit, interest] of known) {
      // One without labels is in no list.
      const isLabelled = interest.pod !== undefined && unitOf(interest.pod) === unit;
      if (isLabelled && !listed.has(unit)) interest.tell(undefined);
    }
    let { resourceVersion } = list;
    while (!signal.aborted) {
      const options = { labelSelector, resourceVersion };
      const begun = clock.now();
      for await (const change of api.watchPods(namespace, options, signal)) {
        onAnswer();
        resourceVersion = versionOf(change) ?? resourceVersion;
        if (change.type === "BOOKMARK") continue;
        if (change.type === "DELETED") {
          this.#interestIn(change.object)?.tell(undefined);
        } else this.#tell(change.object);
      }
      // A proxy on the way may end each watch at once.
      const restMs = begun + MIN_WATCH_MS - clock.now();
      if (restMs > 0) await sleep(clock, restMs, { signal });
    }
  }

  #tell(pod: Pod): void {
    const interest = this.#interestIn(pod);
    if (interest !== undefined) interest.tell(pod);
    else this.#deps.onStray(pod);
  }

  /** A unit may leave one pod for another: only that which it has now counts. */
  #interestIn(pod: Pod): Interest | undefined {
    const interest = this.#interests.get(unitOf(pod));
    const name = interest?.pod?.metadata?.name;
    return name === undefined || name === pod.metadata?.name ? interest : undefined;
  }
}

function unitOf(pod: Pod): string {
  return pod.metadata?.labels?.[UNIT_LABEL] ?? "";
}

function versionOf(change: PodChange): string | undefined {
  return change.type === "BOOKMARK"
    ? change.resourceVersion
    : change.object.metadata?.resourceVersion;
}
