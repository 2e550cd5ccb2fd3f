import { ok } from "node:assert/strict";
import { silentLog } from "../../../lib/base/log.ts";
import type { KubeApi } from "../../../lib/workceptor/kubernetes/api/kube_api.ts";
import { PodInformer } from "../../../lib/workceptor/kubernetes/pod_informer.ts";
import { VirtualClock } from "../../sim/virtual_clock.ts";

Deno.test("watches that end at once are begun again only every second", async () => {
  const clock = new VirtualClock();
  let watches = 0;
  const api = {
    listPods: () => Promise.resolve({ items: [], resourceVersion: "1" }),
    async *watchPods() {
      watches++;
      yield* [];
    },
  } as unknown as KubeApi;
  const deps = { api, clock, log: silentLog, onStray: () => {} };
  await using informer = new PodInformer(deps, { namespace: "jobs", labelSelector: "" });
  using _pod = informer.watch("unit");
  await clock.advance(10_500);
  ok(watches > 5 && watches <= 11, `${watches} watches`);
});
