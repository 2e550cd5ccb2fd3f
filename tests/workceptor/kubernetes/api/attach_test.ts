import { deepEqual, equal, rejects } from "node:assert/strict";
import { KubeError } from "../../../../lib/workceptor/kubernetes/api/kube_error.ts";
import type { AttachSession, KubeApi } from "../../../../lib/workceptor/kubernetes/api/kube_api.ts";
import type { FakeAttach } from "../../../support/kube/fake_attach.ts";
import { eventually } from "../../../support/eventually.ts";
import { FakeKube, type FakePod, status } from "../../../support/kube/fake_kube.ts";
import { clientOf, signal, textOf } from "./_client.ts";

const ALL = { container: "worker", stdin: true, stdout: true, stderr: true };

interface Attached {
  readonly api: KubeApi;
  readonly pod: FakePod;
  readonly session: AttachSession;
  readonly container: FakeAttach;
}

/** Attaches to a pod of `kube`; without WebSocket it is by SPDY. */
async function attached(
  kube: FakeKube,
  by: "websocket" | "spdy",
  options = ALL,
): Promise<Attached & AsyncDisposable> {
  const api = await clientOf(kube);
  await api.createPod("jobs", { metadata: { name: "a" } }, signal);
  if (by === "spdy") {
    kube.next(/attach$/, (_, answer) => answer.json(400, status(400, "BadRequest", "no protocol")));
  }
  const session = await api.attach("jobs", "a", options, signal);
  const pod = kube.pods.get("jobs/a")!;
  const container = await eventually(() => pod.attaches[0]);
  equal(container.by, by);
  return {
    ...{ api, pod, session, container },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

function received({ stdin }: FakePod): number {
  return stdin.reduce((sum, { length }) => sum + length, 0);
}

const encode = (text: string) => new TextEncoder().encode(text);

for (const by of ["websocket", "spdy"] as const) {
  Deno.test(`stdin goes to the container by ${by} and ends, and output comes back`, async () => {
    await using kube = new FakeKube();
    await using attach = await attached(kube, by);
    const { session, pod, container } = attach;
    const stdin = session.stdin.getWriter();
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    for (let i = 0; i < 20; i++) await stdin.write(bytes);
    await stdin.close();
    await pod.stdinEnd.promise;
    equal(received(pod), 20 * bytes.length);
    const joined = new Uint8Array(await new Blob(pod.stdin as Uint8Array<ArrayBuffer>[]).bytes());
    deepEqual(joined.subarray(0, bytes.length), bytes);
    deepEqual(joined.subarray(-bytes.length), bytes);
    const [out, err] = [textOf(session.stdout!), textOf(session.stderr!)];
    await container.output("stdout", encode("one "));
    await container.output("stderr", encode("oh"));
    await container.output("stdout", encode("two"));
    await container.finish();
    deepEqual(await session.done, { success: true });
    deepEqual([await out, await err], ["one two", "oh"]);
  });

  Deno.test(`the server's statement of a failure arrives by ${by}`, async () => {
    await using kube = new FakeKube();
    await using attach = await attached(kube, by);
    await attach.container.finish(status(500, "InternalError", "container is gone"));
    deepEqual(await attach.session.done, {
      success: false,
      reason: "InternalError",
      message: "container is gone",
    });
  });

  Deno.test(`a cut of an attach by ${by} is an error for all its streams`, async () => {
    await using kube = new FakeKube();
    await using attach = await attached(kube, by);
    const { session, container } = attach;
    const out = textOf(session.stdout!);
    container.cut();
    await rejects(session.done, KubeError);
    await rejects(out, KubeError);
    const stdin = session.stdin.getWriter();
    await rejects((async () => {
      for (;;) await stdin.write(encode("more"));
    })());
    stdin.closed.catch(() => {});
  });

  Deno.test(`output by ${by} waits for its reader`, async () => {
    await using kube = new FakeKube();
    await using attach = await attached(kube, by);
    const { session, container } = attach;
    const part = new Uint8Array(32 * 1024);
    let sent = 0;
    const sending = (async () => {
      for (; sent < 2000; sent++) await container.output("stdout", part);
      await container.finish();
    })();
    const reader = session.stdout!.getReader();
    await reader.read();
    let before = -1;
    // Until the buffers of the connection are full.
    await eventually(() => before === (before = sent), { intervalMs: 300 });
    equal(sent < 2000, true);
    let bytes = part.length;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      bytes += value.length;
    }
    await sending;
    equal(bytes, 2000 * part.length);
  });

  Deno.test(`an attach by ${by} ends when it is disposed`, async () => {
    await using kube = new FakeKube();
    {
      await using attach = await attached(kube, by, { ...ALL, stdout: false, stderr: false });
      const { session } = attach;
      await session.stdin.getWriter().write(encode("x"));
      await session[Symbol.asyncDispose]();
      await rejects(session.done, KubeError);
    }
    await eventually(() => kube.connections === 0);
  });
}

Deno.test("a server without WebSocket for us is not asked for it again and again", async () => {
  await using kube = new FakeKube();
  await using attach = await attached(kube, "spdy");
  await using _second = await attach.api.attach("jobs", "a", ALL, signal);
  deepEqual(kube.requests.slice(1).map(({ method }) => method), ["GET", "POST", "POST"]);
});

Deno.test("an attach to a pod that is gone, or to a busy server, is refused without SPDY", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  await rejects(api.attach("jobs", "a", ALL, signal), { code: 404, reason: "NotFound" });
  kube.next(/attach$/, (_, answer) => answer.json(429, {}, [["Retry-After", "60"]]));
  await rejects(api.attach("jobs", "a", ALL, signal), { code: 429 });
  equal(kube.requests.some(({ method }) => method === "POST"), false);
});

Deno.test("a server that has neither protocol says so", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  for (let i = 0; i < 2; i++) kube.next(/attach$/, (_, answer) => answer.json(200, {}));
  await rejects(api.attach("jobs", "a", ALL, signal), /neither WebSocket .* nor SPDY/);
});

Deno.test("a WebSocket that only knows an older protocol, without half-close, is not used", async () => {
  await using kube = new FakeKube();
  await using api = await clientOf(kube);
  await api.createPod("jobs", { metadata: { name: "a" } }, signal);
  kube.next(/attach$/, async (_, answer) => {
    const conn = await answer.upgrade([
      ["Upgrade", "websocket"],
      ["Sec-WebSocket-Protocol", "v4.channel.k8s.io"],
    ]);
    await conn.read(new Uint8Array(1));
  });
  await using _session = await api.attach("jobs", "a", ALL, signal);
  equal(kube.requests.at(-1)?.method, "POST");
});
