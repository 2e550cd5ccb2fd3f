/**
 * Tests on a real cluster, which the kubeconfig named by RECEPTOR_KUBECONFIG leads to as an
 * administrator; without it they are skipped, with a name that says so. Each has a namespace of its
 * own. Pods use the image in RECEPTOR_KUBE_IMAGE: a shell with the usual small programs.
 */
import { systemClock } from "../../../lib/base/clock.ts";
import { systemRandom } from "../../../lib/base/random.ts";
import { readMaterial } from "../../../lib/workceptor/kubernetes/api/credentials.ts";
import { loadKubeconfig } from "../../../lib/workceptor/kubernetes/api/kubeconfig_files.ts";
import { KubeClient } from "../../../lib/workceptor/kubernetes/api/kube_client.ts";
import type { KubeApi, Pod } from "../../../lib/workceptor/kubernetes/api/kube_api.ts";
import type { KubeSource } from "../../../lib/workceptor/kubernetes/api/kube_source.ts";
import {
  openKubeApi,
  type OpenKubeHttp,
  openKubeHttp,
} from "../../../lib/workceptor/kubernetes/api/open_kube_api.ts";
import { eventually } from "../eventually.ts";

const deps = {
  clock: systemClock,
  random: systemRandom,
  environment: (name: string) => Deno.env.get(name),
};
const limits = { kind: "unlimited" } as const;

/** Path of an administrator's kubeconfig; undefined if there is no cluster. */
export const kubeconfigPath = Deno.env.get("RECEPTOR_KUBECONFIG") || undefined;
export const workerImage = Deno.env.get("RECEPTOR_KUBE_IMAGE") || "localhost/worker:1";

/** Never aborts. */
const { signal } = new AbortController();

/** Registers a test that has a namespace of its own; its pods are gone afterwards. */
export function clusterTest(name: string, test: (cluster: TestCluster) => Promise<void>): void {
  const missing = kubeconfigPath === undefined;
  Deno.test({
    name: missing ? `${name} (skipped: RECEPTOR_KUBECONFIG names no cluster)` : name,
    ignore: missing,
    async fn() {
      await using cluster = await TestCluster.open();
      await test(cluster);
    },
  });
}

/** Of a `Role`. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

export class TestCluster implements AsyncDisposable {
  readonly api: KubeApi;
  readonly #open: OpenKubeHttp;

  private constructor(readonly namespace: string, open: OpenKubeHttp) {
    this.#open = open;
    this.api = new KubeClient({ ...deps, ...open }, namespace);
  }

  static async open(): Promise<TestCluster> {
    const open = await openKubeHttp(deps, {
      source: { kind: "kubeconfig", path: kubeconfigPath },
      limits,
    });
    const namespace = `receptor-test-${crypto.randomUUID().slice(0, 8)}`;
    const cluster = new TestCluster(namespace, open);
    await cluster.request("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
    // Pods are refused until the namespace's controller has made it.
    await eventually(() => cluster.request("GET", cluster.path("serviceaccounts/default")), {
      what: "the default service account",
    });
    return cluster;
  }

  /** A path in the test's namespace, of the core API or of `group`. */
  path(below: string, group = "api/v1"): string {
    return `/${group}/namespaces/${this.namespace}/${below}`;
  }

  /** Any request as administrator. */
  async request<T = unknown>(
    method: "GET" | "POST" | "DELETE",
    path: string,
    body?: unknown,
  ): Promise<T> {
    const request = { method, path, body, kind: "repeatable", headLimitMs: 60_000 } as const;
    return await this.#open.http.json<T>(request, signal);
  }

  /** A pod that runs `script`, with stdin if `stdin`. */
  pod(name: string, script: string, { stdin = true } = {}): Pod {
    return {
      metadata: { name, labels: { test: "1" } },
      spec: {
        restartPolicy: "Never",
        terminationGracePeriodSeconds: 0,
        containers: [{
          name: "worker",
          image: workerImage,
          command: ["sh", "-c", script],
          stdin,
          stdinOnce: stdin,
        }],
      },
    };
  }

  /** Creates a pod and waits until it runs, or has ended. */
  async start(name: string, script: string, options?: { stdin?: boolean }): Promise<Pod> {
    await this.api.createPod(this.namespace, this.pod(name, script, options), signal);
    return await eventually(async () => {
      const pod = await this.api.getPod(this.namespace, name, signal);
      return pod?.status?.phase === "Pending" ? undefined : pod;
    }, { what: `pod ${name} to run`, intervalMs: 100 });
  }

  /** A kubeconfig, as text, of a new service account that has only these rights. */
  async accountWith(name: string, rules: readonly Rule[]): Promise<string> {
    const { namespace } = this;
    const rbac = "apis/rbac.authorization.k8s.io/v1";
    await this.request("POST", this.path("serviceaccounts"), { metadata: { name } });
    await this.request("POST", this.path("roles", rbac), { metadata: { name }, rules });
    await this.request("POST", this.path("rolebindings", rbac), {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    });
    for (const rule of rules) await this.#untilAllowed(name, rule);
    const path = this.path(`serviceaccounts/${name}/token`);
    const { status } = await this.request<{ status: { token: string } }>("POST", path, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 3600 },
    });
    return await this.#kubeconfigFor(status.token);
  }

  /** The server takes a moment to know of a new role. */
  async #untilAllowed(account: string, { resources, verbs }: Rule): Promise<void> {
    const { namespace } = this;
    const [resource, subresource] = resources[0]!.split("/", 2);
    const body = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: {
        user: `system:serviceaccount:${namespace}:${account}`,
        resourceAttributes: { namespace, resource, subresource, verb: verbs[0] },
      },
    };
    const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    await eventually(async () => {
      const { status } = await this.request<{ status: { allowed: boolean } }>("POST", path, body);
      return status.allowed;
    }, { what: `the rights of ${account}` });
  }

  /** A client by a source of its own. */
  open(
    source: KubeSource,
    environment = deps.environment,
    serviceAccountFolder?: string,
  ): Promise<KubeApi> {
    return openKubeApi({ ...deps, environment }, { source, limits, serviceAccountFolder });
  }

  /** Removes the namespace, which the cluster carries out in the background. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const pods = await this.api.listPods(this.namespace, { labelSelector: "" }, signal);
      const now = { gracePeriodSeconds: 0 };
      for (const { metadata } of pods.items) {
        await this.api.deletePod(this.namespace, metadata!.name!, now, signal);
      }
      await this.request("DELETE", `/api/v1/namespaces/${this.namespace}`);
    } finally {
      await this.api[Symbol.asyncDispose]();
    }
  }

  async #kubeconfigFor(token: string): Promise<string> {
    const { cluster } = await loadKubeconfig(kubeconfigPath, deps.environment);
    const ca = cluster.ca && new TextEncoder().encode((await readMaterial(cluster.ca)).text);
    // JSON is YAML.
    return JSON.stringify({
      "current-context": "test",
      contexts: [{
        name: "test",
        context: { cluster: "test", user: "test", namespace: this.namespace },
      }],
      clusters: [{
        name: "test",
        cluster: {
          server: cluster.server,
          ...(ca && { "certificate-authority-data": ca.toBase64() }),
          ...(cluster.insecure && { "insecure-skip-tls-verify": true }),
          ...(cluster.tlsServerName && { "tls-server-name": cluster.tlsServerName }),
        },
      }],
      users: [{ name: "test", user: { token } }],
    });
  }
}
