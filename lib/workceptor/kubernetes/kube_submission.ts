/** Checks what a submission asks of a `work-kubernetes` type, in the original's words. */
import { fileReasonOf } from "../../base/error_message.ts";
import { parseGoDurationNs } from "../../base/go_duration.ts";
import { ControlError } from "../../control/control_error.ts";
import type { KubeExtraData, KubernetesWorkType } from "./kube_record.ts";

/** `ExtraData` of a new unit. Throws a `ControlError` to refuse the submission. */
export function newKubeExtraData(
  type: KubernetesWorkType,
  params: Readonly<Record<string, string>>,
): KubeExtraData {
  const permissions = {
    kube_command: type.allowRuntimeCommand,
    kube_image: type.allowRuntimeCommand,
    kube_params: type.allowRuntimeParams,
    kube_namespace: type.allowRuntimeAuth,
    secret_kube_config: type.allowRuntimeAuth,
    secret_kube_pod: type.allowRuntimePod,
    pod_pending_timeout: type.allowRuntimeParams,
    // Not in the original: the same without the secrecy.
    kube_pod: type.allowRuntimePod,
  };
  for (const [name, allowed] of Object.entries(permissions)) {
    if (params[name] && !allowed) throw new ControlError(`${name} provided but not allowed`);
  }
  const { kube_command = "", kube_image = "", kube_params = "", kube_namespace = "" } = params;
  const userPod = params.secret_kube_pod || params.kube_pod || "";
  const KubeConfig = params.secret_kube_config ?? "";
  if (type.authMethod === "runtime" && KubeConfig === "") {
    throw new ControlError("param secret_kube_config must be provided if AuthMethod=runtime");
  }
  if (userPod !== "" && (kube_params || kube_command || kube_image)) {
    throw new ControlError(
      "params kube_command, kube_image, kube_params not compatible with secret_kube_pod",
    );
  }
  const common = {
    KubeNamespace: kube_namespace || type.namespace,
    KubeConfig,
    PodName: "",
    PendingTimeoutMs: readTimeout(params.pod_pending_timeout ?? ""),
    PendingUntil: 0,
    Payload: "unsent",
  } as const;
  if (userPod !== "") {
    return { Image: "", Command: "", Params: "", KubePod: userPod, ...common };
  }
  return {
    Image: kube_image || type.image,
    Command: kube_command || type.command,
    Params: [type.params, kube_params].filter((part) => part !== "").join(" "),
    KubePod: readPodFile(type.pod),
    ...common,
  };
}

function readTimeout(text: string): number {
  if (text === "") return 0;
  try {
    return Math.max(0, parseGoDurationNs(text) / 1e6);
  } catch (cause) {
    throw new ControlError((cause as Error).message, { cause });
  }
}

function readPodFile(path: string): string {
  if (path === "") return "";
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new ControlError(`could not read pod: open ${path}: ${fileReasonOf(cause)}`, { cause });
  }
}
