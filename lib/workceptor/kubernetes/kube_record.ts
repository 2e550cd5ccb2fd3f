/** What a `work-kubernetes` action configures, and what a unit of it keeps on record. */
import type { UnitRecord } from "../unit_record.ts";

/** What a `work-kubernetes` action says. */
export interface KubernetesWorkType {
  /** Its name, with which names of pods begin. */
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  readonly command: string;
  readonly params: string;
  readonly authMethod: "kubeconfig" | "incluster" | "runtime";
  /** A kubeconfig file; if empty, those that kubectl would use. */
  readonly kubeconfig: string;
  /** A file with a pod definition. */
  readonly pod: string;
  readonly allowRuntimeAuth: boolean;
  readonly allowRuntimeCommand: boolean;
  readonly allowRuntimeParams: boolean;
  readonly allowRuntimePod: boolean;
  readonly deletePodOnRestart: boolean;
  readonly streamMethod: "logger" | "tcp";
  readonly verifySignature: boolean;
}

/** How far the payload has got. A pod's stdin can be opened once only. */
export type PayloadProgress = "unsent" | "sending" | "sent";

/**
 * `ExtraData` on disk: the original's members first, and then ours, which it ignores. As in the
 * original, what the submitter gave as a secret is in this file, which is the node's user's alone:
 * without it, a later daemon could neither follow nor delete the pod.
 */
export interface KubeExtraData {
  readonly Image: string;
  readonly Command: string;
  readonly Params: string;
  readonly KubeNamespace: string;
  /** The submitter's kubeconfig. */
  readonly KubeConfig: string;
  /** The pod definition; kept until the payload is being sent. */
  readonly KubePod: string;
  readonly PodName: string;
  /** How long a pod may take until it runs: milliseconds; 0: as long as it likes. */
  readonly PendingTimeoutMs: number;
  /** Seconds since 1970 at which the pod must be running; 0: at no time. */
  readonly PendingUntil: number;
  readonly Payload: PayloadProgress;
}

const PROGRESS: readonly string[] = ["unsent", "sending", "sent"] satisfies PayloadProgress[];

/** Reads `ExtraData` as either daemon writes it; malformed members get their zero value. */
export function kubeExtraData({ ExtraData, State }: Readonly<UnitRecord>): KubeExtraData {
  const members = (typeof ExtraData === "object" && ExtraData !== null ? ExtraData : {}) as Record<
    string,
    unknown
  >;
  const text = (name: string) => typeof members[name] === "string" ? members[name] as string : "";
  const number = (name: string) => typeof members[name] === "number" ? members[name] as number : 0;
  const payload = text("Payload");
  return {
    Image: text("Image"),
    Command: text("Command"),
    Params: text("Params"),
    KubeNamespace: text("KubeNamespace"),
    KubeConfig: text("KubeConfig"),
    KubePod: text("KubePod"),
    PodName: text("PodName"),
    PendingTimeoutMs: number("PendingTimeoutMs"),
    PendingUntil: number("PendingUntil"),
    // The original calls a unit running once its payload is sent, and before that says no more.
    Payload: PROGRESS.includes(payload)
      ? payload as PayloadProgress
      : State > 0
      ? "sent"
      : text("PodName") === ""
      ? "unsent"
      : "sending",
  };
}

/** What clients may see of it: the original's members, without secrets. */
export function visibleKubeExtraData(record: Readonly<UnitRecord>): unknown {
  const { Image, Command, Params, KubeNamespace, PodName } = kubeExtraData(record);
  return { Image, Command, Params, KubeNamespace, KubeConfig: "", KubePod: "", PodName };
}
