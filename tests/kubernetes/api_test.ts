/** The client of the Kubernetes API on a real cluster. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { createHash } from "node:crypto";
import type { AttachSession, KubeApi } from "../../lib/workceptor/kubernetes/api/kube_api.ts";
import { KubeError } from "../../lib/workceptor/kubernetes/api/kube_error.ts";
import { eventually } from "../support/eventually.ts";
import { clusterTest } from "../support/kube/cluster.ts";
import { TempFolder } from "../support/temp_folder.ts";

const { signal } = new AbortController();
const LOG = { container: "worker", follow: true, timestamps: false };

function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

/** Sends `megabytes` and returns their hash. */
async function send({ stdin }: AttachSession, megabytes: number): Promise<string> {
  const hash = createHash("sha256");
  const writer = stdin.getWriter();
  const part = new Uint8Array(64 * 1024);
  for (let i = 0; i < 16 * megabytes; i++) {
    crypto.getRandomValues(part);
    hash.update(part);
    await writer.write(part);
  }
  await writer.close();
  return hash.digest("hex");
}

clusterTest("a pod is watched from its creation to its end", async (cluster) => {
  const { api, namespace } = cluster;
  const { resourceVersion } = await api.listPods(namespace, { labelSelector: "test" }, signal);
  const phases: string[] = [];
  const watching = (async () => {
    const options = { labelSelector: "test", resourceVersion };
    for await (const change of api.watchPods(namespace, options, signal)) {
      if (change.type === "BOOKMARK") continue;
      if (change.type === "DELETED") break;
      const phase = change.object.status?.phase ?? "";
      if (phases.at(-1) !== phase) phases.push(phase);
    }
  })();
  await api.createPod(namespace, cluster.pod("a", "sleep 1; exit 3", { stdin: false }), signal);
  await eventually(() => phases.includes("Failed"));
  const ended = await api.getPod(namespace, "a", signal);
  equal(ended?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 3);
  equal(await api.deletePod(namespace, "a", { uid: crypto.randomUUID() }, signal), "gone");
  ok(await api.getPod(namespace, "a", signal), "a pod with another uid is left alone");
  await api.deletePod(namespace, "a", { uid: ended!.metadata!.uid }, signal);
  await watching;
  deepEqual(phases, ["Pending", "Running", "Failed"]);
  equal(await api.deletePod(namespace, "a", {}, signal), "gone");
  const events = await api.listEvents(namespace, {
    fieldSelector: "involvedObject.name=a",
  }, signal);
  ok(events.some(({ reason }) => reason === "Started"));
});

/** The account may only use one of the protocols: `get` is WebSocket, `create` SPDY. */
const ATTACH_VERBS = { websocket: "get", spdy: "create" } as const;

for (const by of ["websocket", "spdy"] as const) {
  clusterTest(
    `stdin by ${by} arrives byte for byte and ends, and output comes back`,
    async (cluster) => {
      const { namespace } = cluster;
      await cluster.start("a", "sha256sum; echo oh >&2");
      const kubeconfig = await cluster.accountWith(by, [
        { apiGroups: [""], resources: ["pods/attach"], verbs: [ATTACH_VERBS[by]] },
      ]);
      await using api: KubeApi = await cluster.open({ kind: "text", text: kubeconfig });
      equal(api.namespace, namespace);
      const streams = { container: "worker", stdin: true, stdout: true, stderr: true };
      await using session = await api.attach(namespace, "a", streams, signal);
      const [out, err] = [textOf(session.stdout!), textOf(session.stderr!)];
      const hash = await send(session, 20);
      deepEqual(await session.done, { success: true });
      equal(await out, `${hash}  -\n`);
      equal(await err, "oh\n");
    },
  );
}

clusterTest(
  "a log is followed to its end, byte for byte, and taken up again later",
  async (cluster) => {
    const { api, namespace } = cluster;
    await cluster.start(
      "a",
      "seq 1 20000; dd if=/dev/zero bs=100000 count=5 2>/dev/null | tr '\\0' x; sleep 2; printf end",
      { stdin: false },
    );
    const x = "x".repeat(500_000);
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join("");
    const text = await textOf(await api.podLog(namespace, "a", LOG, signal));
    ok(text === `${lines}${x}end`, `${text.length} characters`);
    const stamped = await textOf(
      await api.podLog(namespace, "a", { ...LOG, timestamps: true }, signal),
    );
    match(stamped, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z 1\n/);
    const [, last] = /\n(\S+) 20000\n/.exec(stamped)!;
    const since = { ...LOG, sinceTime: last };
    ok((await textOf(await api.podLog(namespace, "a", since, signal))).includes("20000\n"));
  },
);

clusterTest("what the server refuses comes in its own words", async (cluster) => {
  const { api, namespace } = cluster;
  await rejects(api.podLog(namespace, "no", LOG, signal), {
    code: 404,
    reason: "NotFound",
    message: 'pods "no" not found',
  });
  const attach = { container: "worker", stdin: true };
  await rejects(api.attach(namespace, "no", attach, signal), { code: 404, reason: "NotFound" });
  await api.createPod(namespace, cluster.pod("a", "true"), signal);
  await rejects(api.createPod(namespace, cluster.pod("a", "true"), signal), {
    code: 409,
    reason: "AlreadyExists",
  });
  await cluster.request("POST", cluster.path("resourcequotas"), {
    metadata: { name: "none" },
    spec: { hard: { pods: "1" } },
  });
  const error = await eventually(async () => {
    const error = await api.createPod(namespace, cluster.pod("b", "true"), signal).catch((e) => e);
    if (error instanceof KubeError) return error;
    await api.deletePod(namespace, "b", { gracePeriodSeconds: 0 }, signal);
    return undefined;
  });
  equal(error.code, 403);
  match(error.message, /exceeded quota: none, requested: pods=1/);
  const limited = await cluster.accountWith("limited", []);
  await using nobody = await cluster.open({ kind: "text", text: limited });
  await rejects(nobody.listPods(namespace, { labelSelector: "" }, signal), {
    code: 403,
    reason: "Forbidden",
  });
});

clusterTest(
  "the service account of a pod gets in by the files that Kubernetes mounts",
  async (cluster) => {
    const { namespace } = cluster;
    await using folder = await TempFolder.create();
    const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }];
    const kubeconfig = JSON.parse(await cluster.accountWith("inside", rules));
    const [{ cluster: { server, ...trust } }] = kubeconfig.clusters;
    const ca = Uint8Array.fromBase64(trust["certificate-authority-data"]);
    await Deno.writeFile(folder.join("ca.crt"), ca);
    await Deno.writeTextFile(folder.join("token"), kubeconfig.users[0].user.token);
    await Deno.writeTextFile(folder.join("namespace"), namespace);
    const { hostname, port } = new URL(server);
    const environment: Record<string, string> = {
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port || "443",
    };
    await using api = await cluster.open(
      { kind: "incluster" },
      (name) => environment[name],
      folder.path,
    );
    equal(api.namespace, namespace);
    deepEqual((await api.listPods(namespace, { labelSelector: "" }, signal)).items, []);
    // The token is replaced, here by one that is not valid.
    await Deno.writeTextFile(folder.join("token"), "expired");
    await rejects(api.listPods(namespace, { labelSelector: "" }, signal), { code: 401 });
  },
);

clusterTest("many pods are made at once over few connections", async (cluster) => {
  const { api, namespace } = cluster;
  const names = Array.from({ length: 100 }, (_, i) => `p${i}`);
  // None of them ever runs.
  const unschedulable = (name: string) => {
    const pod = cluster.pod(name, "true");
    return { ...pod, spec: { ...pod.spec!, nodeSelector: { "no-such-label": "x" } } };
  };
  await Promise.all(names.map((name) => api.createPod(namespace, unschedulable(name), signal)));
  equal((await api.listPods(namespace, { labelSelector: "test" }, signal)).items.length, 100);
});
