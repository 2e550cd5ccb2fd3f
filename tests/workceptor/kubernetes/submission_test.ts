/** What a submission may ask of a `work-kubernetes` type, and what clients see of it. */
import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { UnitState } from "../../../lib/control/work_service.ts";
import {
  type KubernetesWorkType,
  visibleKubeExtraData,
} from "../../../lib/workceptor/kubernetes/kube_record.ts";
import { newKubeExtraData } from "../../../lib/workceptor/kubernetes/kube_submission.ts";
import { versionStampsLines } from "../../../lib/workceptor/kubernetes/stamps_lines.ts";
import { unitLabel } from "../../../lib/workceptor/kubernetes/unit_label.ts";
import { workerPod } from "../../../lib/workceptor/kubernetes/worker_pod.ts";

const closed: KubernetesWorkType = {
  name: "In-Pods",
  namespace: "jobs",
  image: "image:1",
  command: "run 'it all'",
  params: "-a",
  authMethod: "kubeconfig",
  kubeconfig: "",
  pod: "",
  allowRuntimeAuth: false,
  allowRuntimeCommand: false,
  allowRuntimeParams: false,
  allowRuntimePod: false,
  deletePodOnRestart: true,
  streamMethod: "logger",
  verifySignature: false,
};
const open = {
  ...closed,
  allowRuntimeAuth: true,
  allowRuntimeCommand: true,
  allowRuntimeParams: true,
  allowRuntimePod: true,
};

const options = { namePrefix: "in-pods-", labels: { mine: "1" } };

Deno.test("what a work type does not allow is refused in the original's words", () => {
  for (
    const name of [
      "kube_command",
      "kube_image",
      "kube_params",
      "kube_namespace",
      "secret_kube_config",
      "secret_kube_pod",
      "pod_pending_timeout",
    ]
  ) {
    throws(() => newKubeExtraData(closed, { [name]: "1s" }), {
      name: "ControlError",
      message: `${name} provided but not allowed`,
    });
    newKubeExtraData(closed, { [name]: "" });
  }
  throws(() => newKubeExtraData({ ...open, authMethod: "runtime" }, {}), {
    message: "param secret_kube_config must be provided if AuthMethod=runtime",
  });
  throws(() => newKubeExtraData(open, { secret_kube_pod: "x", kube_params: "y" }), {
    message: "params kube_command, kube_image, kube_params not compatible with secret_kube_pod",
  });
  throws(() => newKubeExtraData(open, { pod_pending_timeout: "soon" }), {
    message: 'time: invalid duration "soon"',
  });
  throws(() => newKubeExtraData({ ...closed, pod: "/no/such" }, {}), {
    message: "could not read pod: open /no/such: no such file or directory",
  });
});

Deno.test("a submission adds to the work type, and secrets are not shown", () => {
  const extra = newKubeExtraData(open, {
    kube_params: "-b",
    kube_namespace: "other",
    secret_kube_config: "secret",
    pod_pending_timeout: "1m30s",
  });
  deepEqual(extra, {
    Image: "image:1",
    Command: "run 'it all'",
    Params: "-a -b",
    KubePod: "",
    KubeNamespace: "other",
    KubeConfig: "secret",
    PodName: "",
    PendingTimeoutMs: 90_000,
    PendingUntil: 0,
    Payload: "unsent",
  });
  const record = {
    State: UnitState.Pending,
    Detail: "",
    StdoutSize: 0,
    WorkType: "w",
    ExtraData: { ...extra, KubePod: "secret too" },
  };
  deepEqual(visibleKubeExtraData(record), {
    Image: "image:1",
    Command: "run 'it all'",
    Params: "-a -b",
    KubeNamespace: "other",
    KubeConfig: "",
    KubePod: "",
    PodName: "",
  });
});

Deno.test("a pod of an image runs the command with its arguments, once", async () => {
  const pod = await workerPod(newKubeExtraData(open, {}), options);
  deepEqual(pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "in-pods-", labels: { mine: "1" } },
    spec: {
      containers: [{
        name: "worker",
        image: "image:1",
        command: ["run", "it all"],
        args: ["-a"],
        stdin: true,
        stdinOnce: true,
      }],
      restartPolicy: "Never",
    },
  });
});

Deno.test("a pod definition is kept, except for what makes it a worker's", async () => {
  const text = `---
apiVersion: v1
kind: Pod
metadata:
  name: automation-job-1
  namespace: awx
  labels: {a: b}
spec:
  restartPolicy: Always
  nodeSelector: {x: y}
  containers:
    - {name: side, image: s}
    - {name: worker, image: w, env: [{name: A, value: b}]}
`;
  const extra = newKubeExtraData(open, { secret_kube_pod: text });
  const pod = await workerPod(extra, { ...options, env: { RECEPTOR_HOST: "h" } });
  deepEqual(pod.metadata, {
    namespace: "awx",
    generateName: "automation-job-1-",
    labels: { a: "b", mine: "1" },
  });
  deepEqual(pod.spec, {
    restartPolicy: "Never",
    nodeSelector: { x: "y" },
    containers: [
      { name: "side", image: "s" },
      {
        name: "worker",
        image: "w",
        stdin: true,
        stdinOnce: true,
        env: [{ name: "A", value: "b" }, { name: "RECEPTOR_HOST", value: "h" }],
      },
    ],
  });
});

Deno.test("a wrong pod definition is refused without a word of its contents", async () => {
  const of = (KubePod: string) =>
    workerPod({ KubePod, Image: "", Command: "", Params: "" }, options);
  await rejects(of("password: [hunter2"), (error: Error) => {
    return /^the pod definition cannot be read: /.test(error.message) &&
      !error.message.includes("hunter2");
  });
  await rejects(of("[]"), /must be an object/);
  await rejects(of("kind: Job"), /must have the kind Pod, got "Job"/);
  await rejects(of("kind: Pod"), /has no spec with containers/);
  await rejects(of("{kind: Pod, spec: {containers: [{name: a}]}}"), {
    message: "at least one container must be named worker",
  });
});

Deno.test("any unit id has a label, and different ones have different labels", () => {
  equal(unitLabel("node1abc"), "node1abc");
  const long = "a".repeat(200);
  equal(unitLabel(long).length, 47);
  equal(unitLabel(long) === unitLabel(`${long}b`), false);
  equal(/^[A-Za-z0-9-]+$/.test(unitLabel("what ever/else")), true);
});

Deno.test("servers that stamp a line once are told by their version", () => {
  for (const good of ["v1.23.14", "v1.24.8", "v1.25.4", "v1.26.0", "1.30.14-eks-1", "v2.0.0"]) {
    equal(versionStampsLines(good), true, good);
  }
  for (const bad of ["v1.22.99", "v1.23.13", "v1.24.7", "v1.25.3-gke.1", "?"]) {
    equal(versionStampsLines(bad), false, bad);
  }
});
