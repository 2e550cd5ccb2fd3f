/** Turns a worker's action into the work type that it registers. */
import { workCommand, workKubernetes } from "../config/actions/workers.ts";
import { commandWork } from "../workceptor/command/command_work_type.ts";
import type { Spawner } from "../workceptor/command/spawner.ts";
import type { Clusters } from "../workceptor/kubernetes/clusters.ts";
import type { KubernetesSettings } from "../workceptor/kubernetes/kube_unit.ts";
import type { WorkType } from "../workceptor/work_type.ts";
import { ActionHandlers } from "./action_handlers.ts";

export interface WorkTypeDeps {
  /** Folders with commands, separated by colons. */
  readonly searchPath: string;
  /** Starts the jobs' shells; Deno does if absent. */
  readonly spawner?: Spawner | undefined;
  /** Called for the first type that needs it. */
  readonly kubernetes: () => Promise<{ clusters: Clusters; settings: KubernetesSettings }>;
}

export interface NamedWorkType {
  readonly name: string;
  readonly type: WorkType;
}

export const workerActions = new ActionHandlers<WorkTypeDeps, Promise<NamedWorkType>>()
  .on(workCommand, (values, { searchPath, spawner }) =>
    Promise.resolve({
      name: values.worktype,
      type: commandWork({
        command: values.command,
        params: values.params ?? "",
        allowRuntimeParams: values.allowruntimeparams,
        verifySignature: values.verifysignature,
        cancelGraceMs: values.cancelgrace,
      }, { searchPath, spawner }),
    }))
  .on(workKubernetes, async (values, { kubernetes }) => {
    const { checkKubernetesWork, kubernetesWork } = await import("./kubernetes.ts");
    const checked = await checkKubernetesWork(values);
    const { clusters, settings } = await kubernetes();
    return { name: values.worktype, type: kubernetesWork(checked, clusters, settings) };
  });
