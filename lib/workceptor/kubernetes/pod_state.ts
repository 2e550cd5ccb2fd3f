/**
 * What a pod's own report means for the job in it: pure. All texts are made from the words of the
 * pod's conditions and container states, which say best what an administrator has to change.
 */
import type { ContainerStatus } from "kubernetes-types/core/v1";
import type { Pod } from "./api/kube_api.ts";

/** The container that gets the payload, and whose output is the unit's. */
export const WORKER = "worker";

export type PodState =
  /** The worker has not started yet. */
  | {
    readonly is: "pending";
    /** What stands in the way, as far as the pod says. */
    readonly obstacle: string | undefined;
    /** Time alone does not remove it. */
    readonly hopeless: boolean;
    /** The image could not be pulled and the kubelet waits before it tries again. */
    readonly pullBackOff: boolean;
  }
  | { readonly is: "running"; readonly trouble: string | undefined }
  /** The worker has ended; undefined `failure`: as it should. */
  | { readonly is: "ended"; readonly failure: string | undefined }
  /** Somebody deleted the pod, or nobody knows what became of it. */
  | { readonly is: "gone"; readonly reason: string };

/** Waiting reasons that do not go away by themselves. */
const HOPELESS = new Set(["ErrImageNeverPull", "InvalidImageName", "CreateContainerError"]);

/** Waiting reasons of a healthy start. */
const ORDINARY = new Set(["ContainerCreating", "PodInitializing"]);

export function podState(pod: Pod): PodState {
  const { status = {}, metadata = {} } = pod;
  const worker = status.containerStatuses?.find(({ name }) => name === WORKER);
  const terminated = worker?.state?.terminated;
  const podReason = joined(status.reason, status.message);
  if (terminated !== undefined) {
    const { exitCode, reason, message, signal } = terminated;
    if (reason === "ContainerStatusUnknown") {
      return { is: "gone", reason: podReason ?? joined(reason, message) ?? reason };
    }
    if (exitCode === 0 && status.reason !== "Evicted") return { is: "ended", failure: undefined };
    const how = signal ? `signal ${signal}` : `exit code ${exitCode}`;
    const why = joined(reason === "Error" ? undefined : reason, message);
    return {
      is: "ended",
      failure: [`container failed with ${how}`, why, podReason]
        .filter((part) => part !== undefined).join(": "),
    };
  }
  if (metadata.deletionTimestamp !== undefined && worker?.state?.running === undefined) {
    return { is: "gone", reason: podReason ?? "the pod was deleted" };
  }
  if (status.phase === "Failed" || status.phase === "Succeeded") {
    // Evicted or refused by the kubelet before, or without a report of, the worker.
    return {
      is: "gone",
      reason: podReason ?? initFailure(status.initContainerStatuses) ??
        "the pod has ended without a report of its worker",
    };
  }
  if (worker?.state?.running !== undefined) return { is: "running", trouble: nodeTrouble(pod) };
  const init = initFailure(status.initContainerStatuses);
  const waiting = [...status.initContainerStatuses ?? [], ...status.containerStatuses ?? []]
    .map(({ name, state }) => ({ name, waiting: state?.waiting }))
    .find(({ waiting }) => waiting?.reason !== undefined && !ORDINARY.has(waiting.reason));
  const reason = waiting?.waiting?.reason;
  return {
    is: "pending",
    obstacle: init ??
      (waiting && withName(waiting.name, joined(reason, waiting.waiting?.message))) ??
      unscheduled(pod) ?? nodeTrouble(pod),
    hopeless: reason !== undefined && HOPELESS.has(reason),
    pullBackOff: reason === "ImagePullBackOff",
  };
}

/** Whether this is the state in which the kubelet is still busy with the pod's first steps. */
function unscheduled({ status }: Pod): string | undefined {
  const condition = status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (condition?.status !== "False") return undefined;
  return joined(condition.reason, condition.message);
}

/** A node that does not report any more leaves the pod as it was, and says so here. */
function nodeTrouble({ status }: Pod): string | undefined {
  if (status?.reason === "NodeLost") return joined(status.reason, status.message);
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.reason !== "NodeLost" && ready?.status !== "Unknown") return undefined;
  return joined(ready?.reason ?? "NodeLost", ready?.message);
}

function initFailure(statuses: readonly ContainerStatus[] | undefined): string | undefined {
  for (const { name, state } of statuses ?? []) {
    const ended = state?.terminated;
    if (ended === undefined || ended.exitCode === 0) continue;
    const why = joined(ended.reason === "Error" ? undefined : ended.reason, ended.message);
    return `init container ${name} failed with exit code ${ended.exitCode}` +
      (why === undefined ? "" : `: ${why}`);
  }
  return undefined;
}

function withName(name: string, text: string | undefined): string | undefined {
  if (text === undefined || name === WORKER) return text;
  return `container ${name}: ${text}`;
}

function joined(reason: string | undefined, message: string | undefined): string | undefined {
  const parts = [reason, message].filter((part) => part !== undefined && part !== "");
  return parts.length === 0 ? undefined : parts.join(": ").trim();
}
