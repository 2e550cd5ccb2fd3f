/** Clients of a fake API server. */
import { systemClock } from "../../../../lib/base/clock.ts";
import { systemRandom } from "../../../../lib/base/random.ts";
import type { ClientLimits } from "../../../../lib/workceptor/kubernetes/api/client_limits.ts";
import type { KubeApi } from "../../../../lib/workceptor/kubernetes/api/kube_api.ts";
import type { KubeSource } from "../../../../lib/workceptor/kubernetes/api/kube_source.ts";
import { openKubeApi } from "../../../../lib/workceptor/kubernetes/api/open_kube_api.ts";
import type { FakeKube } from "../../../support/kube/fake_kube.ts";

export interface TestClientOptions {
  readonly user?: unknown;
  readonly cluster?: unknown;
  readonly environment?: Readonly<Record<string, string>>;
  readonly limits?: ClientLimits;
}

export function openClient(
  source: KubeSource,
  { environment = {}, limits = { kind: "unlimited" } }: TestClientOptions = {},
): Promise<KubeApi> {
  return openKubeApi(
    { clock: systemClock, random: systemRandom, environment: (name) => environment[name] },
    { source, limits },
  );
}

/** A client whose kubeconfig came as text. */
export function clientOf(kube: FakeKube, options: TestClientOptions = {}): Promise<KubeApi> {
  return openClient({ kind: "text", text: kube.kubeconfig(options) }, options);
}

/** Never aborts. */
export const signal = new AbortController().signal;

/** The bytes of a stream as text. */
export function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}
