/**
 * The API servers that the units of this node use, each with one client and one informer for each
 * namespace, and the pods that still have to be deleted there.
 */
import { type Clock, sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/error_message.ts";
import type { Log } from "../../base/log.ts";
import type { KubeApi, Pod } from "./api/kube_api.ts";
import { KubeError } from "./api/kube_error.ts";
import type { KubeSource } from "./api/kube_source.ts";
import { PodInformer } from "./pod_informer.ts";
import type { DoomedPod, PodsFolder } from "./pods_folder.ts";
import { OWNER_LABEL, UNIT_LABEL } from "./worker_pod.ts";

export interface ClustersDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly folder: PodsFolder;
  /** Makes a client; rejects if the configuration is not usable. */
  readonly connect: (source: KubeSource) => Promise<KubeApi>;
  /** Whether there is a unit, running or not, for the pod with a unit label. */
  readonly unitExists: (unitLabel: string) => Promise<boolean>;
}

/** An API server in use by a unit, until it is disposed of. */
export interface Cluster extends Disposable {
  readonly api: KubeApi;
  informer(namespace: string): PodInformer;
}

interface Connection {
  readonly api: KubeApi;
  readonly informers: Map<string, PodInformer>;
}

/** Between looks whether a deleted pod is gone. */
const FIRST_LOOK_MS = 250;
const MAX_LOOK_MS = 15_000;

/** How long a pod may take to appear whose creation was under way when it was given up. */
const LATE_POD_MS = 10_000;

export class Clusters implements AsyncDisposable {
  readonly #deps: ClustersDeps;
  readonly #connections = new Map<string, { users: number; made: Promise<Connection> }>();
  readonly #removals = new Map<string, Promise<void>>();
  readonly #closing = new Set<Promise<void>>();
  readonly #ending = new AbortController();

  constructor(deps: ClustersDeps) {
    this.#deps = deps;
  }

  owner(): Promise<string> {
    return this.#deps.folder.owner();
  }

  /** Goes on deleting what earlier daemons have left. */
  async resume(): Promise<void> {
    for (const pod of await this.#deps.folder.doomed()) this.#remove(pod);
  }

  /** Rejects if the configuration is not usable; the server is not asked yet. */
  async use(source: KubeSource): Promise<Cluster> {
    const key = JSON.stringify(source);
    let entry = this.#connections.get(key);
    if (entry === undefined) {
      entry = { users: 0, made: this.#connect(source) };
      this.#connections.set(key, entry);
    }
    const used = entry;
    used.users++;
    let inUse = true;
    const leave = () => {
      if (!inUse) return;
      inUse = false;
      if (--used.users > 0) return;
      this.#connections.delete(key);
      const closed: Promise<void> = used.made.then(close, () => {})
        .finally(() => this.#closing.delete(closed));
      this.#closing.add(closed);
    };
    try {
      const { api, informers } = await used.made;
      const labelSelector = `${OWNER_LABEL}=${await this.owner()}`;
      return {
        api,
        informer: (namespace) => {
          let informer = informers.get(namespace);
          if (informer === undefined) {
            const { clock, log } = this.#deps;
            const onStray = (pod: Pod) => void this.#removeStray(pod, source);
            informer = new PodInformer({ api, clock, log, onStray }, { namespace, labelSelector });
            informers.set(namespace, informer);
          }
          return informer;
        },
        [Symbol.dispose]: leave,
      };
    } catch (error) {
      leave();
      throw error;
    }
  }

  /**
   * Deletes a pod in the background, until it is gone, be it by a later daemon. Resolves when that
   * is certain to happen.
   */
  async remove(pod: DoomedPod): Promise<void> {
    await this.#deps.folder.doom(pod);
    this.#remove(pod);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error("the node is shutting down"));
    await Promise.all(this.#removals.values());
    for (const { made } of this.#connections.values()) await made.then(close, () => {});
    this.#connections.clear();
    await Promise.all(this.#closing);
  }

  async #connect(source: KubeSource): Promise<Connection> {
    return { api: await this.#deps.connect(source), informers: new Map() };
  }

  async #removeStray(pod: Pod, source: KubeSource): Promise<void> {
    const { name, namespace, labels } = pod.metadata ?? {};
    const unitLabel = labels?.[UNIT_LABEL];
    if (unitLabel === undefined || name === undefined || namespace === undefined) return;
    if (this.#removals.has(unitLabel)) return;
    try {
      if (await this.#deps.unitExists(unitLabel)) return;
      this.#deps.log.info(`Deleting pod ${namespace}/${name}: its work unit is gone`);
      await this.remove({ unitLabel, namespace, name, source });
    } catch (error) {
      this.#deps.log.warning(`Pod ${namespace}/${name} is left: ${messageOf(error)}`);
    }
  }

  #remove(pod: DoomedPod): void {
    const { unitLabel } = pod;
    if (this.#ending.signal.aborted) return;
    const before = this.#removals.get(unitLabel) ?? Promise.resolve();
    const removal: Promise<void> = before.then(() => this.#untilGone(pod)).catch((error) => {
      if (this.#ending.signal.aborted) return;
      const what = `${pod.namespace}/${pod.name ?? unitLabel}`;
      this.#deps.log.error(`Error deleting pod ${what}: ${messageOf(error)}`);
    }).finally(() => {
      if (this.#removals.get(unitLabel) === removal) this.#removals.delete(unitLabel);
    });
    this.#removals.set(unitLabel, removal);
  }

  async #untilGone(pod: DoomedPod): Promise<void> {
    const { clock, log, folder } = this.#deps;
    const { signal } = this.#ending;
    let pauseMs = FIRST_LOOK_MS;
    let told = false;
    const lookUntil = clock.now() + (pod.name === undefined ? LATE_POD_MS : 0);
    using cluster = await this.use(pod.source);
    while (true) {
      try {
        const gone = await this.#deleteOnce(cluster.api, pod, signal);
        if (gone && clock.now() >= lookUntil) return await folder.forget(pod);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof KubeError && error.code === 404) return await folder.forget(pod);
        if (!told) {
          const what = `${pod.namespace}/${pod.name ?? pod.unitLabel}`;
          log.warning(`Pod ${what} could not be deleted, will try again: ${messageOf(error)}`);
        }
        told = true;
      }
      await sleep(clock, pauseMs, { signal });
      pauseMs = Math.min(2 * pauseMs, MAX_LOOK_MS);
    }
  }

  /** Resolves to whether there is none left. */
  async #deleteOnce(api: KubeApi, pod: DoomedPod, signal: AbortSignal): Promise<boolean> {
    const { namespace, name, unitLabel } = pod;
    const labelSelector = `${OWNER_LABEL}=${await this.owner()},${UNIT_LABEL}=${unitLabel}`;
    const { items } = await api.listPods(namespace, { labelSelector }, signal);
    const names = new Set(items.map((item) => item.metadata?.name));
    // Pods that the Go daemon made have no labels.
    if (name !== undefined) names.add(name);
    let gone = true;
    for (const each of names) {
      if (each === undefined) continue;
      if (await api.deletePod(namespace, each, {}, signal) !== "gone") gone = false;
    }
    return gone;
  }
}

async function close({ api, informers }: Connection): Promise<void> {
  for (const informer of informers.values()) await informer[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
}
