/** What to do next for a unit whose pod is known: pure. All texts for users are made here. */
import { UnitState } from "../../control/work_service.ts";
import type { UnitRecord } from "../unit_record.ts";
import type { PayloadProgress } from "./kube_record.ts";
import type { PodState } from "./pod_state.ts";

/** How often the image may be found not to be there, as in the original. */
const MAX_PULL_BACK_OFFS = 3;

export interface PodFacts {
  readonly pod: PodState;
  /** As it was when this daemon took over. */
  readonly payload: PayloadProgress;
  /** How often the pod was seen to wait between two attempts to pull the image. */
  readonly pullBackOffs: number;
  /** The time for a pod to start is over. */
  readonly overdue: boolean;
}

export interface KubeEnd extends Pick<UnitRecord, "State" | "Detail"> {
  /** Whether the pod is of no use to anybody, and would only hold resources. */
  readonly deletePod: boolean;
}

export type KubeStep =
  | { readonly do: "wait"; readonly detail: string }
  /** Send the payload and take the output. */
  | { readonly do: "attach" }
  /** Take the output. */
  | { readonly do: "follow" }
  | { readonly do: "end"; readonly end: KubeEnd };

export function nextStep({ pod, payload, pullBackOffs, overdue }: PodFacts): KubeStep {
  switch (pod.is) {
    case "pending": {
      const { obstacle } = pod;
      const because = obstacle === undefined ? "" : `: ${obstacle}`;
      if (pod.hopeless || pullBackOffs > MAX_PULL_BACK_OFFS) {
        return failedToCreate(`container failed to start, ${obstacle}`);
      }
      if (overdue) {
        return failedToCreate(`the pod did not run within its pod_pending_timeout${because}`);
      }
      return { do: "wait", detail: `Pod created${because}` };
    }
    case "running":
      if (payload === "sending") return failed(kubeDetails.payloadInterrupted);
      return payload === "unsent" ? { do: "attach" } : { do: "follow" };
    case "ended":
      if (payload === "sending") return failed(kubeDetails.payloadInterrupted);
      // It did not want the payload.
      return { do: "follow" };
    case "gone":
      return payload === "unsent"
        ? failedToCreate(pod.reason)
        : failed(kubeDetails.gone(pod.reason));
  }
}

/** The end of a unit whose worker has ended and whose output was read. */
export function endOf(
  state: PodState & { is: "ended" | "gone" },
  { lost, problem }: { lost: string | undefined; problem: string | undefined },
): KubeEnd {
  const problems = state.is === "gone"
    ? [kubeDetails.gone(state.reason)]
    : state.failure !== undefined
    ? [state.failure]
    : problem !== undefined
    ? [problem]
    : [];
  if (lost !== undefined) problems.push(lost);
  return problems.length === 0
    ? { State: UnitState.Succeeded, Detail: "Finished", deletePod: false }
    : { State: UnitState.Failed, Detail: problems.join("; "), deletePod: false };
}

export function failedToCreate(reason: string): KubeStep & { do: "end" } {
  return failed(`Error creating pod: ${reason}`);
}

export function failed(Detail: string): KubeStep & { do: "end" } {
  return { do: "end", end: { State: UnitState.Failed, Detail, deletePod: true } };
}

export const kubeDetails = {
  // The original's.
  connecting: "Connecting to Kubernetes",
  created: "Pod created",
  sending: "Sending stdin to pod",
  running: "Pod Running",

  unreachable: (problem: string) => `Connecting to Kubernetes: ${problem}; trying again`,
  gone: (reason: string) => `Job lost: its pod is gone: ${reason}`,
  payloadInterrupted:
    "Error streaming stdin to pod: the node restarted in the middle of it. The job may have read " +
    "a part of its input, and a pod takes its input only once",
  payloadCut: (pod: string, problem: string) =>
    `Error streaming stdin to pod ${pod}. Error: ${problem}`,
  logShort: (bytes: number) =>
    `at least ${bytes} bytes of its output are lost: they were printed, but are not in the pod's log, which ` +
    "the kubelet rotates when it grows quickly",
  tcpRestart: "Job lost: restart not implemented for streammethod tcp",
} as const;
