/** The Kubernetes API over HTTP, WebSocket and SPDY. */
import type { Clock } from "../../../base/clock.ts";
import type { Random } from "../../../base/random.ts";
import { Attacher } from "./attach.ts";
import type { HttpClient } from "./http_client.ts";
import type {
  AttachOptions,
  AttachSession,
  DeletePodOptions,
  KubeApi,
  KubeEvent,
  Pod,
  PodChange,
  PodList,
  PodLogOptions,
  WatchPodsOptions,
} from "./kube_api.ts";
import { KubeError } from "./kube_error.ts";
import { ANSWER_LIMIT_MS, type KubeHttp, type KubeRequest } from "./kube_http.ts";
import { bodyStream } from "./log_stream.ts";
import { changesIn } from "./watch_stream.ts";

export interface KubeClientDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly http: KubeHttp;
  /** What `http` uses; the client closes it. */
  readonly connections: HttpClient;
}

/** Objects in one answer to a list, so that an answer stays small. */
const PAGE = 500;
/** More pages than this are a server that does not come to an end. */
const MAX_PAGES = 1000;

/** A list of objects, of which one page may be here. */
interface ListPage<T> {
  readonly items?: readonly T[] | null;
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
}

export class KubeClient implements KubeApi {
  readonly namespace: string;
  readonly #deps: KubeClientDeps;
  readonly #attacher: Attacher;

  constructor(deps: KubeClientDeps, namespace: string) {
    this.#deps = deps;
    this.#attacher = new Attacher(deps);
    this.namespace = namespace;
  }

  async serverVersion(signal: AbortSignal): Promise<string> {
    const request = { ...repeatable, method: "GET", path: "/version" } as const;
    const { gitVersion } = await this.#deps.http.json<{ gitVersion?: unknown }>(request, signal);
    return String(gitVersion);
  }

  async createPod(namespace: string, pod: Pod, signal: AbortSignal): Promise<Pod> {
    const body = { apiVersion: "v1", kind: "Pod", ...pod };
    return await this.#deps.http.json({
      ...repeatable,
      kind: "once",
      method: "POST",
      path: podsPath(namespace),
      body,
    }, signal);
  }

  async getPod(namespace: string, name: string, signal: AbortSignal): Promise<Pod | undefined> {
    return await orIfNotFound(
      this.#deps.http.json<Pod>(
        { ...repeatable, method: "GET", path: podPath(namespace, name) },
        signal,
      ),
    );
  }

  async deletePod(
    namespace: string,
    name: string,
    { gracePeriodSeconds, propagation = "Background", uid }: DeletePodOptions,
    signal: AbortSignal,
  ): Promise<"deleting" | "gone"> {
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      gracePeriodSeconds,
      propagationPolicy: propagation,
      preconditions: uid === undefined ? undefined : { uid },
    };
    const request = { ...repeatable, method: "DELETE", path: podPath(namespace, name), body };
    try {
      const answer = await orIfNotFound(this.#deps.http.json(request as KubeRequest, signal));
      return answer === undefined ? "gone" : "deleting";
    } catch (error) {
      if (uid !== undefined && error instanceof KubeError && error.reason === "Conflict") {
        return "gone";
      }
      throw error;
    }
  }

  async listPods(
    namespace: string,
    { labelSelector }: { readonly labelSelector: string },
    signal: AbortSignal,
  ): Promise<PodList> {
    return await this.#list<Pod>(podsPath(namespace), { labelSelector }, signal);
  }

  async *watchPods(
    namespace: string,
    { labelSelector, resourceVersion }: WatchPodsOptions,
    signal: AbortSignal,
  ): AsyncGenerator<PodChange> {
    const exchange = await this.#deps.http.stream({
      ...repeatable,
      method: "GET",
      path: podsPath(namespace),
      query: { watch: true, labelSelector, resourceVersion, allowWatchBookmarks: true },
    }, signal);
    yield* changesIn(exchange, this.#deps.clock, signal);
  }

  async listEvents(
    namespace: string,
    { fieldSelector }: { readonly fieldSelector: string },
    signal: AbortSignal,
  ): Promise<readonly KubeEvent[]> {
    const path = `${namespacePath(namespace)}/events`;
    return (await this.#list<KubeEvent>(path, { fieldSelector }, signal)).items;
  }

  async podLog(
    namespace: string,
    name: string,
    { container, follow, timestamps, sinceTime }: PodLogOptions,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    const exchange = await this.#deps.http.stream({
      method: "GET",
      path: `${podPath(namespace, name)}/log`,
      query: { container, follow, timestamps, sinceTime },
      kind: "repeatable",
      // Servers answer only when there is something to tell.
      headLimitMs: follow ? undefined : ANSWER_LIMIT_MS,
    }, signal);
    return bodyStream(exchange, signal);
  }

  async attach(
    namespace: string,
    name: string,
    options: AttachOptions,
    signal: AbortSignal,
  ): Promise<AttachSession> {
    return await this.#attacher.open(`${podPath(namespace, name)}/attach`, options, signal);
  }

  /** Ends everything that is under way; sessions that are open, too. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#deps.connections[Symbol.dispose]();
    return Promise.resolve();
  }

  async #list<T>(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ items: T[]; resourceVersion: string }> {
    const items: T[] = [];
    let next: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const request = {
        ...repeatable,
        method: "GET",
        path,
        query: { ...query, limit: PAGE, continue: next },
      } as const;
      const answer = await this.#deps.http.json<ListPage<T>>(request, signal);
      items.push(...answer.items ?? []);
      next = answer.metadata?.continue || undefined;
      if (next === undefined) {
        return { items, resourceVersion: answer.metadata?.resourceVersion ?? "" };
      }
    }
    throw new KubeError(`the server's list has more than ${MAX_PAGES * PAGE} objects`);
  }
}

const repeatable = { kind: "repeatable", headLimitMs: ANSWER_LIMIT_MS } as const;

function namespacePath(namespace: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
}

function podsPath(namespace: string): string {
  return `${namespacePath(namespace)}/pods`;
}

function podPath(namespace: string, name: string): string {
  return `${podsPath(namespace)}/${encodeURIComponent(name)}`;
}

/** Undefined if the API server itself says so; a proxy's own 404 is an error like others. */
async function orIfNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof KubeError && error.code === 404 && error.reason === "NotFound") {
      return undefined;
    }
    throw error;
  }
}
