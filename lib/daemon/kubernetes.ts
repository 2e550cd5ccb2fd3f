/** Work in Kubernetes pods, put together from its action, the `node` action and the environment. */
import { fileReasonOf } from "../base/error_message.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/default_socket.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { ConfigOf } from "../config/action.ts";
import type { node as nodeAction } from "../config/actions/general.ts";
import type { workKubernetes } from "../config/actions/workers.ts";
import { clientLimits } from "../workceptor/kubernetes/api/client_limits.ts";
import { Clusters } from "../workceptor/kubernetes/clusters.ts";
import type { KubernetesWorkType } from "../workceptor/kubernetes/kube_record.ts";
import type { KubernetesSettings } from "../workceptor/kubernetes/kube_unit.ts";
import { PodsFolder } from "../workceptor/kubernetes/pods_folder.ts";
import { unitLabel } from "../workceptor/kubernetes/unit_label.ts";
import { companionName, nodeFolderName } from "../workceptor/unit_id.ts";

export { kubernetesWork } from "../workceptor/kubernetes/kubernetes_work_type.ts";

export interface KubernetesDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly environment: Environment;
}

export interface KubernetesOptions {
  readonly nodeId: string;
  readonly dataDir: string;
  readonly node: ConfigOf<typeof nodeAction> | undefined;
}

/** The original's. */
const MAX_RETRIES = 100;

/** The API servers of a node, and what it says of them. */
export function openKubernetes(
  deps: KubernetesDeps,
  { nodeId, dataDir, node }: KubernetesOptions,
): { clusters: Clusters; settings: KubernetesSettings } {
  const { clock, log, environment } = deps;
  const limits = clientLimits({
    qps: node?.receptorkubeclientsetqps || environment("RECEPTOR_KUBE_CLIENTSET_QPS"),
    burst: node?.receptorkubeclientsetburst || environment("RECEPTOR_KUBE_CLIENTSET_BURST"),
    rateLimiter: node?.receptorkubeclientsetratelimiter ||
      environment("RECEPTOR_KUBE_CLIENTSET_RATE_LIMITER"),
  }, log);
  const units = nodeFolderName(nodeId);
  const clusters = new Clusters({
    clock,
    log,
    folder: new PodsFolder(`${dataDir}/${companionName(units, ".pods")}`),
    connect: async (source) => {
      const { openKubeApi } = await import("../workceptor/kubernetes/api/open_kube_api.ts");
      return await openKubeApi(deps, { source, limits });
    },
    unitExists: (label) => hasUnitWith(label, `${dataDir}/${units}`),
  });
  const reconnect = node?.receptorkubesupportreconnect ||
    environment("RECEPTOR_KUBE_SUPPORT_RECONNECT");
  const settings = {
    retries: retryCount(environment("RECEPTOR_KUBE_RETRY_COUNT"), log),
    stampedLog: reconnect === undefined ? undefined : /^(enabled|auto)$/.test(reconnect),
  };
  return { clusters, settings };
}

/** Checks an action in the original's words. Throws an `Error`. */
export async function checkKubernetesWork(
  values: ConfigOf<typeof workKubernetes>,
): Promise<KubernetesWorkType> {
  const { authmethod, namespace = "", kubeconfig = "", pod = "" } = values;
  const { image = "", command = "", params = "" } = values;
  if (namespace === "" && authmethod !== "kubeconfig" && !values.allowruntimeauth) {
    throw new Error("must provide namespace when AuthMethod is not kubeconfig");
  }
  if (kubeconfig !== "") {
    if (authmethod !== "kubeconfig") {
      throw new Error("can only provide KubeConfig when AuthMethod=kubeconfig");
    }
    try {
      await Deno.stat(kubeconfig);
    } catch (cause) {
      const reason = `stat ${kubeconfig}: ${fileReasonOf(cause)}`;
      throw new Error(`error accessing kubeconfig file: ${reason}`, { cause });
    }
  }
  if (pod !== "" && (image !== "" || command !== "" || params !== "")) {
    throw new Error("can only provide Pod when Image, Command, and Params are empty");
  }
  if (pod === "" && image === "" && !values.allowruntimecommand && !values.allowruntimepod) {
    throw new Error("must specify a container image to run");
  }
  return {
    name: values.worktype,
    namespace,
    image,
    command,
    params,
    authMethod: authmethod,
    kubeconfig,
    pod,
    allowRuntimeAuth: values.allowruntimeauth,
    allowRuntimeCommand: values.allowruntimecommand,
    allowRuntimeParams: values.allowruntimeparams,
    allowRuntimePod: values.allowruntimepod,
    deletePodOnRestart: values.deletepodonrestart,
    streamMethod: values.streammethod,
    verifySignature: values.verifysignature,
  };
}

/**
 * The original gives up after 5 failures of a request if nothing is said; we wait for a server that
 * is away.
 */
function retryCount(text: string | undefined, log: Log): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) {
    log.warning(
      `Invalid value for RECEPTOR_KUBE_RETRY_COUNT: ${JSON.stringify(text.slice(0, 40))}. Ignoring`,
    );
    return undefined;
  }
  return Math.min(MAX_RETRIES, Number(text));
}

async function hasUnitWith(label: string, folder: string): Promise<boolean> {
  try {
    for await (const { name } of Deno.readDir(folder)) if (unitLabel(name) === label) return true;
    return false;
  } catch {
    // What cannot be told apart is left alone.
    return true;
  }
}
