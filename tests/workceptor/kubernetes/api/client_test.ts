import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { systemClock } from "../../../../lib/base/clock.ts";
import { KubeError } from "../../../../lib/workceptor/kubernetes/api/kube_error.ts";
import type { PodChange } from "../../../../lib/workceptor/kubernetes/api/kube_api.ts";
import { eventually } from "../../../support/eventually.ts";
import { cutLogAfter, FakeKube, status } from "../../../support/kube/fake_kube.ts";
import { clientOf, signal, textOf } from "./_client.ts";

const LOG = { container: "worker", follow: true, timestamps: false };

function podNamed(name: string) {
  return { metadata: { name, labels: { app: "x" } } };
}

Deno.test("a pod is created, found, listed and deleted", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  equal(await api.serverVersion(signal), "v1.30.14");
  equal(api.namespace, "default");
  equal(await api.getPod("jobs", "a", signal), undefined);
  const { metadata } = await api.createPod("jobs", podNamed("a"), signal);
  equal((await api.getPod("jobs", "a", signal))?.metadata?.uid, metadata?.uid);
  equal((await api.listPods("jobs", { labelSelector: "app=x" }, signal)).items.length, 1);
  equal((await api.listPods("jobs", { labelSelector: "app=y" }, signal)).items.length, 0);
  equal(await api.deletePod("jobs", "a", { uid: "another" }, signal), "gone");
  equal(await api.deletePod("jobs", "a", { uid: metadata!.uid }, signal), "deleting");
  equal(await api.deletePod("jobs", "a", {}, signal), "gone");
  equal(kube.requests.find(({ method }) => method === "DELETE")?.headers.get("host"), kube.address);
  equal(kube.connections, 1, "one connection serves request after request");
});

Deno.test("an error of the server comes in its own words", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  const message = 'pods "a" is forbidden: exceeded quota: compute, requested: pods=1';
  kube.next(/^POST/, (_, answer) => answer.json(403, status(403, "Forbidden", message)));
  const error = await api.createPod("jobs", podNamed("a"), signal).catch((error) => error);
  ok(error instanceof KubeError);
  deepEqual([error.code, error.reason, error.message], [403, "Forbidden", message]);
});

Deno.test("a 404 of something else than the API server is not taken for a pod that is gone", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  const notFound = (_: unknown, answer: { whole(code: number, text: string): Promise<void> }) =>
    answer.whole(404, "no such backend\n");
  kube.next(/./, notFound);
  await rejects(api.getPod("jobs", "a", signal), /answered 404 Refused: no such backend/);
  kube.next(/./, notFound);
  await rejects(api.deletePod("jobs", "a", {}, signal), /no such backend/);
});

Deno.test("a busy server is asked again when it says so, a broken one if nothing can go wrong", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  kube.next(/^POST/, (_, answer) => answer.json(429, {}, [["Retry-After", "0"]]));
  await api.createPod("jobs", podNamed("a"), signal);
  kube.next(/^GET/, (_, answer) => answer.json(503, status(503, "ServiceUnavailable", "later")));
  equal((await api.getPod("jobs", "a", signal))?.metadata?.name, "a");
  kube.next(/^GET/, (_, answer) => answer.cut());
  equal((await api.getPod("jobs", "a", signal))?.metadata?.name, "a");
  kube.next(/^POST/, (_, answer) => answer.json(500, status(500, "InternalError", "broken")));
  const error = await api.createPod("jobs", podNamed("b"), signal).catch((error) => error);
  deepEqual([error.code, error.message], [500, "broken"]);
  kube.next(/^POST/, (_, answer) => answer.cut());
  await rejects(api.createPod("jobs", podNamed("b"), signal), KubeError);
  equal(kube.requests.filter(({ method }) => method === "POST").length, 4);
});

Deno.test("a long Retry-After is left to the caller", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  kube.next(/^GET/, (_, answer) => answer.json(429, {}, [["Retry-After", "30"]]));
  const error = await api.getPod("jobs", "a", signal).catch((error) => error);
  deepEqual([error.code, error.retryAfterMs], [429, 30_000]);
});

Deno.test("an answer that is no JSON, or cut, is an error", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  kube.next(/^POST/, (_, answer) => answer.whole(200, "<html>"));
  await rejects(api.createPod("jobs", podNamed("a"), signal), /is this a Kubernetes API server/);
  kube.next(/^POST/, async (_, answer) => {
    await answer.beginChunks();
    await answer.chunk(new TextEncoder().encode('{"kind'));
    answer.cut();
  });
  await rejects(api.createPod("jobs", podNamed("a"), signal), /in the middle of its answer/);
});

Deno.test("a request that waits for a silent server can be given up", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  kube.next(/^GET/, (_, answer) => answer.clientGone());
  const giveUp = new AbortController();
  const asked = api.getPod("jobs", "a", giveUp.signal);
  await eventually(() => kube.requests.length === 1);
  giveUp.abort(new Error("enough"));
  await rejects(asked, /enough/);
  equal(await api.getPod("jobs", "a", signal), undefined, "others go on");
});

Deno.test("closing the client ends what is under way", async () => {
  await using kube = new FakeKube();
  const api = await clientOf(kube);
  await api.createPod("jobs", podNamed("a"), signal);
  const log = await api.podLog("jobs", "a", LOG, signal);
  kube.next(/^GET/, (_, answer) => answer.clientGone());
  const asked = api.getPod("jobs", "b", signal);
  asked.catch(() => {});
  await eventually(() => kube.requests.length === 3);
  await api[Symbol.asyncDispose]();
  await rejects(textOf(log), KubeError);
  await rejects(asked, KubeError);
  await eventually(() => kube.connections === 0);
});

Deno.test("many requests at once share a bounded number of handshakes, and few stay open", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  const names = Array.from({ length: 200 }, (_, i) => `p${i}`);
  await Promise.all(names.map((name) => api.createPod("jobs", podNamed(name), signal)));
  equal(kube.pods.size, 200);
  await eventually(() => kube.connections <= 8, { what: "idle connections to be closed" });
});

Deno.test("a list comes page by page", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  const page = (name: string, next: string) => ({
    items: [podNamed(name)],
    metadata: { resourceVersion: "7", continue: next },
  });
  kube.next(/^GET/, (_, answer) => answer.json(200, page("a", "more")));
  kube.next(/^GET/, (request, answer) => {
    equal(request.query.get("continue"), "more");
    return answer.json(200, page("b", ""));
  });
  const { items, resourceVersion } = await api.listPods("jobs", { labelSelector: "" }, signal);
  deepEqual(items.map(({ metadata }) => metadata?.name), ["a", "b"]);
  equal(resourceVersion, "7");
});

Deno.test("a watch tells each change, and ends when its reader stops", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  const { resourceVersion } = await api.listPods("jobs", { labelSelector: "app" }, signal);
  const seen: string[] = [];
  const watching = (async () => {
    const options = { labelSelector: "app", resourceVersion };
    for await (const change of api.watchPods("jobs", options, signal)) {
      if (change.type === "BOOKMARK") continue;
      seen.push(`${change.type} ${change.object.status?.phase}`);
      if (change.type === "DELETED") break;
    }
  })();
  await api.createPod("jobs", podNamed("a"), signal);
  kube.change("jobs/a", (pod) => ({ ...pod, status: { phase: "Running" } }));
  kube.remove("jobs/a");
  await watching;
  deepEqual(seen, ["ADDED Pending", "MODIFIED Running", "DELETED Running"]);
});

async function watchAll(kube: FakeKube, resourceVersion: string): Promise<PodChange[]> {
  await using api = await clientOf(kube);
  const options = { labelSelector: "", resourceVersion };
  return await Array.fromAsync(api.watchPods("jobs", options, signal));
}

Deno.test("a watch from a version that is gone says so, in the stream or ahead of it", async () => {
  await using kube = new FakeKube();
  kube.oldestVersion = 50;
  const inStream = await watchAll(kube, "1").catch((error) => error);
  deepEqual([inStream.code, inStream.reason], [410, "Expired"]);
  kube.next(/^GET/, (_, answer) => answer.json(410, status(410, "Gone", "too old")));
  const ahead = await watchAll(kube, "1").catch((error) => error);
  deepEqual([ahead.code, ahead.message], [410, "too old"]);
});

Deno.test("a watch tells bookmarks, and what comes before a cut", async () => {
  await using kube = new FakeKube();
  const lines = [
    '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n',
    '{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n{"type":"MODI',
  ];
  kube.next(/^GET/, async (_, answer) => {
    await answer.beginChunks();
    for (const line of lines) await answer.chunk(new TextEncoder().encode(line));
    await answer.endChunks();
  });
  deepEqual(await watchAll(kube, "1"), [
    { type: "BOOKMARK", resourceVersion: "9" },
    { type: "ADDED", object: { metadata: { name: "a" } } },
  ]);
});

for (
  const line of ["not JSON\n", "{}\n", '{"type":"ADDED","object":3}\n', `"${"x".repeat(9e6)}"\n`]
) {
  Deno.test(`a watch that sends ${line.slice(0, 30).trim()} is an error`, async () => {
    await using kube = new FakeKube();
    kube.next(/^GET/, async (_, answer) => {
      await answer.beginChunks();
      await answer.chunk(new TextEncoder().encode(line));
      await answer.clientGone();
    });
    await rejects(watchAll(kube, "1"), KubeError);
  });
}

Deno.test("a log is followed to the end of its container", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  await api.createPod("jobs", podNamed("a"), signal);
  const { log } = kube.pods.get("jobs/a")!;
  log.add("one", "2026-01-01T00:00:00.1Z");
  const following = textOf(await api.podLog("jobs", "a", LOG, signal));
  log.add("two", "2026-01-01T00:00:01.2Z");
  log.end();
  equal(await following, "one\ntwo\n");
  const since = "2026-01-01T00:00:01.9Z";
  const options = { ...LOG, timestamps: true, sinceTime: since };
  equal(
    await textOf(await api.podLog("jobs", "a", options, signal)),
    "2026-01-01T00:00:01.2Z two\n",
  );
});

Deno.test("a log that is cut at any byte gives what came before, and then an error", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  await api.createPod("jobs", podNamed("a"), signal);
  const { log } = kube.pods.get("jobs/a")!;
  log.add("first");
  log.add("second");
  log.end();
  const whole = "first\nsecond\n";
  for (let cut = 0; cut <= whole.length; cut++) {
    kube.next(/\/log$/, cutLogAfter(log, cut));
    const reader = (await api.podLog("jobs", "a", LOG, signal)).getReader();
    let text = "";
    const read = async () => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        text += new TextDecoder().decode(value);
      }
    };
    await rejects(read(), KubeError);
    equal(text, whole.slice(0, cut));
  }
});

Deno.test("a log is read only as fast as its reader wants, however long its lines are", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  await api.createPod("jobs", podNamed("a"), signal);
  const bytes = 64 * 1024 * 1024;
  const { log } = kube.pods.get("jobs/a")!;
  log.add(new Uint8Array(bytes).fill(97));
  log.end();
  let sent = false;
  kube.next(/\/log$/, async (_, answer) => {
    await answer.beginChunks();
    for await (const line of log.read({ ...LOG, sinceTime: undefined }, signal)) {
      await answer.chunk(line);
    }
    sent = true;
    await answer.endChunks();
  });
  const stream = await api.podLog("jobs", "a", LOG, signal);
  let count = 0;
  let sentBeforeHalf = false;
  for await (const chunk of stream) {
    count += chunk.length;
    if (count < bytes / 2) sentBeforeHalf ||= sent;
  }
  equal(count, bytes);
  equal(sentBeforeHalf, false);
});

Deno.test("a log that nobody wants any more ends its connection", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  await api.createPod("jobs", podNamed("a"), signal);
  const cancelled = await api.podLog("jobs", "a", LOG, signal);
  await cancelled.cancel();
  const stop = new AbortController();
  const aborted = await api.podLog("jobs", "a", LOG, stop.signal);
  const reading = textOf(aborted);
  stop.abort(new Error("enough"));
  await rejects(reading, /enough/);
  await eventually(() => kube.connections <= 1);
});

Deno.test("the limits hold back what goes beyond the burst", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube, { limits: { kind: "bucket", perSecond: 20, burst: 2 } });
  const start = systemClock.now();
  await Promise.all(Array.from({ length: 8 }, () => api.getPod("jobs", "a", signal)));
  ok(systemClock.now() - start >= 290);
});

Deno.test("a server that listens no more is named", async () => {
  const kube = new FakeKube();
  await using api = await clientOf(kube);
  await kube[Symbol.asyncDispose]();
  const error = await api.createPod("jobs", podNamed("a"), signal).catch((error) => error);
  ok(error instanceof KubeError);
  equal(error.code, undefined);
  ok(error.message.includes(`cannot connect to TCP ${kube.address}`), error.message);
});
