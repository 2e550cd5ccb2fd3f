/** Pods of a Kubernetes cluster as a type of work. */
import type { Unit, UnitDeps } from "../unit.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import type { WorkType } from "../work_type.ts";
import type { Clusters } from "./clusters.ts";
import type { KubernetesWorkType } from "./kube_record.ts";
import { newKubeExtraData } from "./kube_submission.ts";
import { type KubernetesSettings, KubeUnit } from "./kube_unit.ts";

/** What a `work-kubernetes` action configures, as a type of work. */
export function kubernetesWork(
  type: KubernetesWorkType,
  clusters: Clusters,
  settings: KubernetesSettings,
): WorkType {
  const create = (ledger: UnitLedger, deps: UnitDeps): Unit =>
    new KubeUnit({ ...deps, type, clusters, settings }, ledger);
  return {
    runs: "here",
    requiresSignature: () => type.verifySignature,
    prepare: ({ params }) => ({ extraData: newKubeExtraData(type, params), create }),
    load: create,
  };
}
