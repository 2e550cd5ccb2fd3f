/** Makes a client from what a configuration or a submitter names. */
import type { Clock } from "../../../base/clock.ts";
import type { Environment } from "../../../base/default_socket.ts";
import { messageOf } from "../../../base/error_message.ts";
import type { Random } from "../../../base/random.ts";
import { TrustStore } from "../../../pki/trust_store.ts";
import { type ClientLimits, RequestRate } from "./client_limits.ts";
import { credentialsOf, readMaterial } from "./credentials.ts";
import { dialServer } from "./dial_server.ts";
import { HttpClient } from "./http_client.ts";
import { inClusterContext } from "./in_cluster.ts";
import type { KubeApi } from "./kube_api.ts";
import { KubeClient } from "./kube_client.ts";
import {
  type ClusterEntry,
  currentContext,
  type KubeContext,
  parseKubeconfig,
} from "./kubeconfig.ts";
import { loadKubeconfig } from "./kubeconfig_files.ts";
import { asKubeError, SetupError } from "./kube_error.ts";
import { KubeHttp } from "./kube_http.ts";
import type { KubeSource } from "./kube_source.ts";
import { ServerTls } from "./server_tls.ts";
import { proxyUrl, serverUrl } from "./server_url.ts";

export interface KubeApiDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly environment: Environment;
}

export interface KubeApiOptions {
  readonly source: KubeSource;
  readonly limits: ClientLimits;
  /** Where the service account is mounted; for tests. */
  readonly serviceAccountFolder?: string | undefined;
}

const DEFAULT_NAMESPACE = "default";

/**
 * Reads the configuration and makes a client; nothing is asked of the server yet. Throws a
 * `KubeError` with reason `LOCAL_SETUP` that says what is wrong with the configuration.
 */
export async function openKubeApi(deps: KubeApiDeps, options: KubeApiOptions): Promise<KubeApi> {
  const { namespace, ...server } = await openKubeHttp(deps, options);
  return new KubeClient({ ...deps, ...server }, namespace);
}

/** Requests of any kind to one server. */
export interface OpenKubeHttp {
  readonly http: KubeHttp;
  /** What `http` uses; to be disposed. */
  readonly connections: HttpClient;
  /** As `KubeApi.namespace`. */
  readonly namespace: string;
}

/** As `openKubeApi`, for requests of any kind. */
export async function openKubeHttp(
  deps: KubeApiDeps,
  options: KubeApiOptions,
): Promise<OpenKubeHttp> {
  try {
    return connect(deps, options, await contextOf(deps, options));
  } catch (cause) {
    throw asKubeError(new SetupError(messageOf(cause), { cause }));
  }
}

async function contextOf(
  { environment }: KubeApiDeps,
  { source, serviceAccountFolder }: KubeApiOptions,
): Promise<KubeContext> {
  switch (source.kind) {
    case "incluster":
      return await inClusterContext(environment, serviceAccountFolder);
    case "kubeconfig":
      return await loadKubeconfig(source.path, environment);
    case "text": {
      const name = "the kubeconfig of the work";
      const config = await parseKubeconfig({ text: source.text, source: name, trusted: false });
      return currentContext(config, name);
    }
  }
}

function connect(
  { clock, environment }: KubeApiDeps,
  { limits }: KubeApiOptions,
  { name, cluster, user, namespace }: KubeContext,
): OpenKubeHttp {
  const server = serverUrl(cluster, user.certificate !== undefined);
  let systemTrust: TrustStore | undefined;
  const tlsDeps = {
    clock,
    systemTrust: () =>
      systemTrust ??= TrustStore.system({ certFile: environment("SSL_CERT_FILE") }),
  };
  const { ca, insecure, tlsServerName } = cluster;
  const what = `context ${name}`;
  const credentials = credentialsOf(user, () => clusterForPlugin(cluster), { clock });
  const access = {
    server,
    tlsServerName,
    proxy: proxyUrl(cluster),
    tls: new ServerTls(tlsDeps, { what, ca, insecure }),
    proxyTls: new ServerTls(tlsDeps, { what: `proxy of ${what}`, ca: undefined, insecure: false }),
    credentials,
  };
  const connections = new HttpClient({
    clock,
    dial: (signal) => dialServer(access, environment, signal),
  });
  const rate = new RequestRate(clock, limits);
  const http = new KubeHttp({ clock, http: connections, credentials, rate, server });
  return { http, connections, namespace: namespace ?? DEFAULT_NAMESPACE };
}

/** What an exec plug-in is told of the cluster: `spec.cluster` of an `ExecCredential`. */
async function clusterForPlugin(cluster: ClusterEntry): Promise<unknown> {
  const { server, ca, tlsServerName, insecure, proxyUrl, execConfig } = cluster;
  const pem = ca === undefined ? undefined : (await readMaterial(ca)).text;
  return {
    server,
    "tls-server-name": tlsServerName,
    "insecure-skip-tls-verify": insecure || undefined,
    "certificate-authority-data": pem && new TextEncoder().encode(pem).toBase64(),
    "proxy-url": proxyUrl,
    config: execConfig ?? null,
  };
}
