/** Work in pods of a real cluster, as users and AWX drive it. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Pod } from "../../lib/workceptor/kubernetes/api/kube_api.ts";
import { eventually } from "../support/eventually.ts";
import {
  clusterTest,
  kubeconfigPath,
  type Rule,
  type TestCluster,
  workerImage,
} from "../support/kube/cluster.ts";
import { KubeNode } from "../support/kube/kube_node.ts";

const { signal } = new AbortController();
const decoder = new TextDecoder();

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

/** Random letters and digits, so that no line of it looks like another. */
function randomText(length: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(length / 4 * 3));
  for (let at = 0; at < bytes.length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return new TextEncoder().encode(bytes.toBase64().slice(0, length));
}

/** A pod definition as AWX sends it. */
function podText(cluster: TestCluster, change: (spec: NonNullable<Pod["spec"]>) => void): string {
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "worker", image: workerImage, args: ["cat"] }],
  };
  change(spec);
  return "---\n" + JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "automation-job-7", namespace: cluster.namespace, labels: { job: "7" } },
    spec,
  });
}

function podsOf({ api, namespace }: TestCluster): Promise<readonly Pod[]> {
  return api.listPods(namespace, { labelSelector: "" }, signal).then(({ items }) => items);
}

async function noPods(cluster: TestCluster): Promise<void> {
  await eventually(async () => (await podsOf(cluster)).length === 0, {
    what: "the pods to be gone",
    timeoutMs: 120_000,
    intervalMs: 250,
  });
}

clusterTest("AWX's exchange for a container group", async (cluster) => {
  await using node = await KubeNode.start(cluster);
  const secret_kube_config = await Deno.readTextFile(kubeconfigPath!);
  const secret_kube_pod = podText(cluster, (spec) => {
    // A sidecar holds the pod, but not the unit.
    spec.containers.unshift({ name: "side", image: workerImage, command: ["sleep", "3600"] });
  });
  const params = { secret_kube_config, secret_kube_pod, pod_pending_timeout: "2h" };
  const payload = '{"kwargs": {}}\n{"zipfile": 4}\nYQ=={"eof": true}\n';
  const id = await node.submitWith("runtime", params, payload);
  const { ExtraData, StdoutSize } = await node.reaches(id, "Succeeded", /^Finished$/);
  equal(decoder.decode(await node.results(id)), payload);
  equal(StdoutSize, payload.length);
  const { KubeConfig, KubePod, KubeNamespace, PodName } = ExtraData as Record<string, string>;
  deepEqual([KubeConfig, KubePod, KubeNamespace], ["", "", cluster.namespace]);
  match(PodName!, /^automation-job-7-/);
  const [pod] = await podsOf(cluster);
  equal(pod?.metadata?.name, PodName);
  equal(pod?.metadata?.labels?.job, "7");
  equal((await node.ctl(["work", "release", id])).stdout, `Released:\n(${id}, released)\n`);
  deepEqual(await node.list(), {});
  await noPods(cluster);
  ok(!node.output.includes("certificate-authority-data"), "no secrets in the log");
});

clusterTest("payload and output are exact", async (cluster) => {
  await using node = await KubeNode.start(cluster);
  const binary = new Uint8Array(8_000_000);
  for (let at = 0; at < binary.length; at += 65_536) {
    crypto.getRandomValues(binary.subarray(at, at + 65_536));
  }
  const hashed = await node.submit("md5sum", { payload: binary });
  // One line, without an end.
  const line = randomText(6_000_000);
  const echoed = await node.submit("cat; sleep 1", { payload: line });
  const mixed = await node.submit("seq 2000 >&2 & seq 2000; wait; sleep 1");
  const silent = await node.submit("true");
  await node.reaches(hashed, "Succeeded");
  equal(decoder.decode(await node.results(hashed)), `${md5(binary)}  -\n`);
  await node.reaches(echoed, "Succeeded");
  equal(md5(await node.results(echoed)), md5(line));
  await node.reaches(mixed, "Succeeded");
  const lines = decoder.decode(await node.results(mixed)).split("\n");
  equal(lines.pop(), "");
  const twice = Array.from({ length: 2_000 }, (_, i) => [i + 1, i + 1]).flat();
  deepEqual(lines.map(Number).sort((a, b) => a - b), twice);
  await node.reaches(silent, "Succeeded");
  equal((await node.results(silent)).length, 0);
});

clusterTest("failures are told in the cluster's words", async (cluster) => {
  await using node = await KubeNode.start(cluster);
  const soon = { pod_pending_timeout: "10s" };
  const cases: [Record<string, string>, RegExp][] = [
    [
      { kube_image: "localhost/none:1", ...soon },
      /^Error creating pod: the pod did not run within its pod_pending_timeout: (ErrImagePull|ImagePullBackOff)\b.*localhost\/none:1/,
    ],
    [
      { kube_image: "localhost/NONE::1" },
      /^Error creating pod: container failed to start, InvalidImageName: /,
    ],
    [{ kube_params: "'exit 3'" }, /^container failed with exit code 3$/],
    [
      { secret_kube_pod: podText(cluster, (spec) => spec.nodeSelector = { no: "such" }), ...soon },
      /^Error creating pod: the pod did not run within its pod_pending_timeout: Unschedulable: 0\/1 nodes are available/,
    ],
    [
      {
        secret_kube_pod: podText(cluster, (spec) =>
          Object.assign(spec.containers[0]!, {
            image: "localhost/none:1",
            imagePullPolicy: "Never",
          })),
      },
      /^Error creating pod: container failed to start, ErrImageNeverPull: /,
    ],
    [
      {
        secret_kube_pod: podText(cluster, (spec) =>
          spec.initContainers = [{
            name: "prepare",
            image: workerImage,
            command: ["sh", "-c", "exit 9"],
          }]),
      },
      /^Error creating pod: init container prepare failed with exit code 9$/,
    ],
    [
      {
        secret_kube_pod: podText(cluster, (spec) =>
          Object.assign(spec.containers[0]!, {
            command: ["sh", "-c", "tail /dev/zero"],
            args: [],
            resources: { limits: { memory: "24Mi" } },
          })),
      },
      /^container failed with exit code 137: OOMKilled$/,
    ],
    [
      { secret_kube_pod: podText(cluster, (spec) => spec.containers[0]!.name = "other") },
      /^Error creating pod: at least one container must be named worker$/,
    ],
    [{ secret_kube_pod: "a: [" }, /^Error creating pod: the pod definition cannot be read: /],
  ];
  const ids = [];
  for (const [params] of cases) ids.push(await node.submitWith("pod", params));
  for (const [index, id] of ids.entries()) {
    const { Detail } = await node.reaches(id, "Failed");
    match(Detail, cases[index]![1]);
    await node.ctl(["work", "release", id]);
  }
  await noPods(cluster);
});

clusterTest("a quota puts its own words into Detail", async (cluster) => {
  await cluster.request("POST", cluster.path("resourcequotas"), {
    metadata: { name: "none" },
    spec: { hard: { pods: "0" } },
  });
  await using node = await KubeNode.start(cluster);
  await eventually(async () => {
    const id = await node.submit("true");
    const { Detail } = await eventually(async () => {
      const status = await node.status(id);
      return status.StateName === "Pending" || status.StateName === "Running" ? undefined : status;
    });
    // Until the quota's controller has seen it, there is no quota.
    return /^Error creating pod: pods ".*" is forbidden: exceeded quota: none/.test(Detail);
  }, { intervalMs: 500, what: "a pod to be refused" });
});

clusterTest("a job whose pod is deleted has failed", async (cluster) => {
  await using node = await KubeNode.start(cluster);
  const id = await node.submit("echo one; sleep 1000");
  await node.reaches(id, "Running");
  const [pod] = await podsOf(cluster);
  const now = { gracePeriodSeconds: 0 };
  await cluster.api.deletePod(cluster.namespace, pod!.metadata!.name!, now, signal);
  const { Detail } = await node.reaches(id, "Failed");
  match(Detail, /^(Job lost: its pod is gone: |container failed with exit code 137)/);
});

clusterTest("a running job survives the node's death, and its output is whole", async (cluster) => {
  await using node = await KubeNode.start(cluster);
  const count = "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; sleep 0.02; done; sleep 1";
  const going = await node.submit(count);
  const ending = await node.submit("echo begin; sleep 3; printf end; sleep 1");
  await node.reaches(going, "Running");
  await node.reaches(ending, "Running");
  await eventually(async () =>
    decoder.decode(await Deno.readFile(`${node.unitFolder(going)}/stdout`)).includes("line 20\n")
  );
  await node.kill();
  await eventually(async () => {
    const pods = await podsOf(cluster);
    return pods.some(({ status }) => status?.phase === "Succeeded");
  }, { what: "a pod to end while the node is down" });
  await node.startAgain();
  await node.reaches(ending, "Succeeded");
  equal(decoder.decode(await node.results(ending)), "begin\nend");
  await node.reaches(going, "Succeeded");
  const lines = Array.from({ length: 400 }, (_, i) => `line ${i + 1}\n`).join("");
  equal(decoder.decode(await node.results(going)), lines);
});

clusterTest("a pending job survives the node's death", async (cluster) => {
  await using node = await KubeNode.start(cluster);
  const slow = podText(cluster, (spec) =>
    spec.initContainers = [{
      name: "prepare",
      image: workerImage,
      command: ["sleep", "5"],
    }]);
  const params = { secret_kube_pod: slow };
  const anew = await node.submitWith("pod", params, "first");
  const kept = await node.submitWith("keep", params, "second");
  const nameOf = async (id: string) => {
    return ((await node.status(id)).ExtraData as { PodName: string }).PodName;
  };
  const names = await Promise.all(
    [anew, kept].map((id) =>
      eventually(async () => await nameOf(id) || undefined, { what: `a pod for ${id}` })
    ),
  );
  await node.kill();
  await node.startAgain();
  await node.reaches(anew, "Succeeded");
  await node.reaches(kept, "Succeeded");
  equal(decoder.decode(await node.results(anew)), "first");
  equal(decoder.decode(await node.results(kept)), "second");
  equal(await nameOf(kept), names[1]);
});

clusterTest(
  "a job whose payload was being sent when the node died is not run twice",
  async (cluster) => {
    await using node = await KubeNode.start(cluster);
    const id = await node.submit("sleep 1000", { payload: randomText(40_000_000) });
    await node.reaches(id, "Pending", /^Sending stdin to pod$/);
    await node.kill();
    await node.startAgain();
    const { Detail } = await node.reaches(id, "Failed");
    match(Detail, /^Error streaming stdin to pod: the node restarted in the middle of it/);
    await noPods(cluster);
  },
);

clusterTest(
  "a released or cancelled job's pod is deleted, even by a later node",
  async (cluster) => {
    await using node = await KubeNode.start(cluster);
    const stubborn = "trap '' TERM; while :; do sleep 1; done";
    const cancelled = await node.submit(stubborn);
    const released = await node.submit(stubborn);
    await node.reaches(cancelled, "Running");
    await node.reaches(released, "Running");
    await node.ctl(["work", "cancel", cancelled]);
    equal((await node.status(cancelled)).StateName, "Canceled");
    await node.ctl(["work", "release", released]);
    deepEqual(Object.keys(await node.list()), [cancelled]);
    await node.kill();
    await node.startAgain();
    await noPods(cluster);
    await eventually(async () => (await node.doomed()).length === 0, {
      what: "nothing left to do",
    });
  },
);

clusterTest("a pod whose unit is gone is deleted", async (cluster) => {
  await using node = await KubeNode.start(cluster);
  const stray = await node.submit("sleep 1000");
  await node.reaches(stray, "Running");
  const [pod] = await podsOf(cluster);
  await node.kill();
  await Deno.remove(node.unitFolder(stray), { recursive: true });
  await node.startAgain();
  const next = await node.submit("true");
  await node.reaches(next, "Succeeded");
  await eventually(async () => {
    return await cluster.api.getPod(cluster.namespace, pod!.metadata!.name!, signal) === undefined;
  }, { what: "the stray pod to be gone", intervalMs: 250 });
});

clusterTest("the least role that docs/kubernetes.md names is enough", async (cluster) => {
  const text = await Deno.readTextFile(new URL("../../docs/kubernetes.md", import.meta.url));
  const { load } = await import("js-yaml");
  const [, yaml] = /```yaml\n(apiVersion: rbac[\s\S]*?)```/.exec(text)!;
  const { rules } = load(yaml!) as { rules: Rule[] };
  const secret_kube_config = await cluster.accountWith("least", rules);
  await using node = await KubeNode.start(cluster);
  const secret_kube_pod = podText(cluster, () => {});
  const id = await node.submitWith("runtime", { secret_kube_config, secret_kube_pod }, "payload");
  await node.reaches(id, "Succeeded");
  equal(decoder.decode(await node.results(id)), "payload");
  await node.ctl(["work", "release", id]);
  await noPods(cluster);
});
