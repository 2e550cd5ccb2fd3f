/** The service account of the pod that we run in, as Kubernetes mounts it. */
import type { Environment } from "../../../base/default_socket.ts";
import { formatHostPort } from "../../../backends/host_port.ts";
import type { KubeContext } from "./kubeconfig.ts";

/** Where every pod has it. */
export const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The API server that the environment names and the account in `folder`. Its files are read again
 * for each request, since the token is replaced every hour or so. Throws an `Error` if we do not
 * run in a pod.
 */
export async function inClusterContext(
  environment: Environment,
  folder = SERVICE_ACCOUNT_FOLDER,
): Promise<KubeContext> {
  const host = environment("KUBERNETES_SERVICE_HOST");
  const port = environment("KUBERNETES_SERVICE_PORT");
  if (!host || !port) {
    throw new Error(
      "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and " +
        "KUBERNETES_SERVICE_PORT must be defined",
    );
  }
  const namespace = await Deno.readTextFile(`${folder}/namespace`).catch(() => "");
  return {
    name: "in-cluster",
    namespace: namespace.trim() || undefined,
    cluster: {
      server: `https://${formatHostPort({ host, port: Number(port) })}`,
      ca: { path: `${folder}/ca.crt` },
      tlsServerName: undefined,
      insecure: false,
      proxyUrl: undefined,
      execConfig: undefined,
    },
    user: {
      token: { path: `${folder}/token` },
      basic: undefined,
      certificate: undefined,
      exec: undefined,
      impersonate: [],
    },
  };
}
