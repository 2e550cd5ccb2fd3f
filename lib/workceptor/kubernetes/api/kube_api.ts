/** What work in pods needs of a Kubernetes API server: one small face over HTTP and its upgrades. */
import type { Event, Pod } from "kubernetes-types/core/v1";

export type { Event as KubeEvent, Pod };

/** A change of a pod, in the words of the watch protocol. */
export type PodChange =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: Pod }
  /** Nothing changed up to this version: where to watch on from. */
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export interface PodList {
  readonly items: readonly Pod[];
  /** Of the whole list: where a watch continues. */
  readonly resourceVersion: string;
}

export interface DeletePodOptions {
  /** Seconds that the containers get between SIGTERM and SIGKILL; the pod's own value if absent. */
  readonly gracePeriodSeconds?: number | undefined;
  /** `Background` by default. */
  readonly propagation?: "Background" | "Foreground" | "Orphan" | undefined;
  /** Deletes only the pod with this uid; another one of that name counts as `gone`. */
  readonly uid?: string | undefined;
}

export interface WatchPodsOptions {
  readonly labelSelector: string;
  /** From a list, a change or a bookmark: changes after it are told. */
  readonly resourceVersion: string;
}

export interface PodLogOptions {
  readonly container: string;
  /** Goes on until the container ends. */
  readonly follow: boolean;
  /** Each line begins with the time at which it was written, in RFC 3339 with nanoseconds. */
  readonly timestamps: boolean;
  /** RFC 3339; the server counts in whole seconds, so lines of that second come again. */
  readonly sinceTime?: string | undefined;
}

export interface AttachOptions {
  readonly container: string;
  readonly stdin: boolean;
  readonly stdout?: boolean | undefined;
  readonly stderr?: boolean | undefined;
}

/** How the server says that an attach ended. */
export type AttachEnd =
  | { readonly success: true }
  | { readonly success: false; readonly reason: string; readonly message: string };

/** Streams to and from a running container. Disposing ends the connection at once. */
export interface AttachSession extends AsyncDisposable {
  /**
   * Input of the container; closing it is the end of that input (a half-close). A write settles
   * when the connection has taken the bytes, which is the back-pressure. Aborting it ends the
   * connection.
   */
  readonly stdin: WritableStream<Uint8Array>;
  /**
   * Only what was asked for; both must be read, since one that waits holds up the other. They error
   * when `done` rejects.
   */
  readonly stdout: ReadableStream<Uint8Array> | undefined;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
  /**
   * Resolves to the server's own statement of the end. Rejects with a `KubeError` if the connection
   * ended without one; nobody needs to await it.
   */
  readonly done: Promise<AttachEnd>;
}

/**
 * A client for one API server as one user. Every method rejects with a `KubeError` for whatever
 * went wrong on the way or at the server, and with the signal's reason when that aborts.
 *
 * Requests that only read, and `deletePod`, are repeated a few times if the server is busy (429,
 * 5xx) or the connection breaks; `createPod` only when the server has certainly not taken it.
 */
export interface KubeApi extends AsyncDisposable {
  /** The namespace of the context, or of the service account; `default` if none is named. */
  readonly namespace: string;
  /** Such as `v1.30.14`. */
  serverVersion(signal: AbortSignal): Promise<string>;
  createPod(namespace: string, pod: Pod, signal: AbortSignal): Promise<Pod>;
  /** Undefined if there is no such pod. */
  getPod(namespace: string, name: string, signal: AbortSignal): Promise<Pod | undefined>;
  /** `deleting` if the pod ends only now, `gone` if there is none. */
  deletePod(
    namespace: string,
    name: string,
    options: DeletePodOptions,
    signal: AbortSignal,
  ): Promise<"deleting" | "gone">;
  listPods(
    namespace: string,
    options: { readonly labelSelector: string },
    signal: AbortSignal,
  ): Promise<PodList>;
  /**
   * Changes as they happen. Ends when the server ends the watch, as it does every few minutes, or
   * when the connection has been silent for too long: watch on from the last version seen. Throws
   * a `KubeError` with `code` 410 if that version is too old, after which only a new list helps.
   */
  watchPods(
    namespace: string,
    options: WatchPodsOptions,
    signal: AbortSignal,
  ): AsyncIterable<PodChange>;
  listEvents(
    namespace: string,
    options: { readonly fieldSelector: string },
    signal: AbortSignal,
  ): Promise<readonly Event[]>;
  /**
   * The log as it comes, in chunks of any size: lines are not kept together. The stream errors if
   * the connection breaks, and closes only where the server says that the log ends. A kubelet that
   * follows a log answers only once the container has printed something, so the promise may take as
   * long; the stream can stay silent for as long as the container does, even if the connection is
   * dead meanwhile. `signal` ends the stream as well as the request.
   */
  podLog(
    namespace: string,
    name: string,
    options: PodLogOptions,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>>;
  /**
   * Attaches to a running container, over WebSocket if the server's version of it can half-close
   * stdin and over SPDY otherwise. `signal` bounds the opening only.
   */
  attach(
    namespace: string,
    name: string,
    options: AttachOptions,
    signal: AbortSignal,
  ): Promise<AttachSession>;
}
