/** Units in pods, on an API server that does what a healthy one does not. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { systemClock } from "../../../lib/base/clock.ts";
import { silentLog } from "../../../lib/base/log.ts";
import { systemRandom } from "../../../lib/base/random.ts";
import { UnitState } from "../../../lib/control/work_service.ts";
import { loadUnregistered } from "../../../lib/workceptor/command/command_work_type.ts";
import type { Pod } from "../../../lib/workceptor/kubernetes/api/kube_api.ts";
import { openKubeApi } from "../../../lib/workceptor/kubernetes/api/open_kube_api.ts";
import { Clusters } from "../../../lib/workceptor/kubernetes/clusters.ts";
import { kubernetesWork } from "../../../lib/workceptor/kubernetes/kubernetes_work_type.ts";
import { PodsFolder } from "../../../lib/workceptor/kubernetes/pods_folder.ts";
import { Workceptor } from "../../../lib/workceptor/workceptor.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeKube, type FakePod } from "../../support/kube/fake_kube.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { auth, emptyRequest, unixCaller } from "../_harness.ts";

const decoder = new TextDecoder();

/** A node, and the only cluster that it knows. */
class Setup implements AsyncDisposable {
  readonly kube = new FakeKube();
  #folder: TempFolder;
  #parts = new AsyncDisposableStack();
  workceptor!: Workceptor;

  private constructor(folder: TempFolder) {
    this.#folder = folder;
  }

  static async start(): Promise<Setup> {
    const setup = new Setup(await TempFolder.create());
    await setup.startNode();
    return setup;
  }

  async startNode(): Promise<void> {
    const deps = {
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      environment: () => undefined,
    };
    const clusters = this.#parts.use(
      new Clusters({
        ...deps,
        folder: new PodsFolder(this.#folder.join(".n1.pods")),
        connect: (source) => openKubeApi(deps, { source, limits: { kind: "unlimited" } }),
        unitExists: () => Promise.resolve(true),
      }),
    );
    await clusters.resume();
    const workceptor = new Workceptor({ ...deps, loadUnregistered }, {
      nodeId: "n1",
      dataDir: this.#folder.path,
    });
    this.workceptor = this.#parts.use(workceptor);
    workceptor.registerWorkType(
      "pod",
      kubernetesWork(
        {
          name: "pod",
          namespace: "jobs",
          image: "image:1",
          command: "",
          params: "",
          authMethod: "runtime",
          kubeconfig: "",
          pod: "",
          allowRuntimeAuth: true,
          allowRuntimeCommand: true,
          allowRuntimeParams: true,
          allowRuntimePod: true,
          deletePodOnRestart: false,
          streamMethod: "logger",
          verifySignature: false,
        },
        clusters,
        { retries: undefined, stampedLog: undefined },
      ),
    );
    await workceptor.start();
  }

  async stopNode(): Promise<void> {
    await this.#parts.disposeAsync();
    this.#parts = new AsyncDisposableStack();
  }

  async submit(payload = ""): Promise<string> {
    const params = { secret_kube_config: this.kube.kubeconfig() };
    const unit = await this.workceptor.submit(
      { ...emptyRequest, workType: "pod", params },
      unixCaller,
    );
    await unit.writePayload(new TextEncoder().encode(payload));
    await unit.start();
    return unit.unitId;
  }

  async reaches(id: string, state: UnitState, detail = /(?:)/) {
    let last: unknown;
    return await eventually(async () => {
      const status = last = await this.workceptor.status(id);
      return status.State === state && detail.test(status.Detail) ? status : undefined;
    }, { what: () => `state ${state} ${detail}, not ${JSON.stringify(last)}` });
  }

  /** The only pod, once there is one. */
  async pod(): Promise<[key: string, pod: FakePod]> {
    return await eventually(() => [...this.kube.pods][0], { what: "a pod" });
  }

  change(key: string, state: unknown, phase = "Running"): void {
    this.kube.change(key, (pod) => ({
      ...pod,
      status: { phase, containerStatuses: [{ name: "worker", state }] } as unknown as Pod["status"],
    } as Pod));
  }

  run(key: string): void {
    this.change(key, { running: {} });
  }

  end(key: string, exitCode = 0): void {
    const { log, attaches } = this.kube.pods.get(key)!;
    log.end();
    for (const attach of attaches) attach.finish().catch(() => {});
    this.change(key, { terminated: { exitCode, reason: exitCode === 0 ? "Completed" : "Error" } });
  }

  async output(id: string): Promise<string> {
    const { signal } = new AbortController();
    const parts: string[] = [];
    for await (const bytes of await this.workceptor.results(id, { ...auth, startPos: 0, signal })) {
      parts.push(decoder.decode(bytes));
    }
    return parts.join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopNode();
    await this.kube[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

Deno.test("a server that is away loses no job, and Detail says that it is away", async () => {
  await using setup = await Setup.start();
  const { kube } = setup;
  for (let i = 0; i < 4; i++) {
    kube.next(/^POST .*\/pods$/, (_, answer) => answer.whole(503, "busy"));
  }
  const id = await setup.submit("payload");
  await setup.reaches(id, UnitState.Pending, /^Connecting to Kubernetes: .*; trying again$/);
  const [key, pod] = await setup.pod();
  setup.run(key);
  await setup.reaches(id, UnitState.Running, /^Pod Running$/);
  await pod.stdinEnd.promise;
  await pod.attaches[0]!.finish();
  equal(decoder.decode(Buffer.concat(pod.stdin)), "payload");
  pod.log.add("one");
  kube.cutAll();
  pod.log.add("two");
  await eventually(async () => (await setup.workceptor.status(id)).StdoutSize === 8);
  kube.cutAll();
  setup.end(key);
  await setup.reaches(id, UnitState.Succeeded, /^Finished$/);
  equal(await setup.output(id), "one\ntwo\n");
});

Deno.test("a pod whose creation nobody heard of is found, not made again", async () => {
  await using setup = await Setup.start();
  const { kube } = setup;
  kube.onCreate = () => kube.cutAll();
  const id = await setup.submit();
  const [key] = await setup.pod();
  setup.run(key);
  await setup.reaches(id, UnitState.Running);
  equal(kube.pods.size, 1);
  setup.end(key);
  await setup.reaches(id, UnitState.Succeeded);
});

Deno.test("a watch that is too old is begun anew", async () => {
  await using setup = await Setup.start();
  const { kube } = setup;
  const id = await setup.submit();
  const [key] = await setup.pod();
  await setup.reaches(id, UnitState.Pending, /^Pod created$/);
  kube.oldestVersion = 102;
  kube.cutAll();
  setup.run(key);
  await setup.reaches(id, UnitState.Running);
  setup.end(key);
  await setup.reaches(id, UnitState.Succeeded);
});

Deno.test("output that a rotation took away fails the unit, with all that is left of it", async () => {
  await using setup = await Setup.start();
  const id = await setup.submit();
  const [key, pod] = await setup.pod();
  setup.run(key);
  await setup.reaches(id, UnitState.Running);
  pod.log.add("one");
  await eventually(async () => (await setup.workceptor.status(id)).StdoutSize === 4);
  await setup.stopNode();
  pod.log.add("two");
  pod.log.drop(2);
  pod.log.add("three");
  await setup.startNode();
  await eventually(async () => (await setup.workceptor.status(id)).StdoutSize === 10);
  setup.end(key);
  const { Detail } = await setup.reaches(id, UnitState.Failed);
  match(Detail, /^output written between 2026-01-01T00:00:00Z and 2026-01-01T00:00:00Z is lost, /);
  equal(await setup.output(id), "one\nthree\n");
});

Deno.test("output that is not in the log fails the unit, and is counted", async () => {
  await using setup = await Setup.start();
  const id = await setup.submit();
  const [key, pod] = await setup.pod();
  setup.run(key);
  await pod.stdinEnd.promise;
  const attach = pod.attaches[0]!;
  // Runtimes may leave out the carriage return.
  await attach.output("stdout", new TextEncoder().encode("one\r\ntwo\r\n"));
  await attach.output("stderr", new TextEncoder().encode("three\n"));
  pod.log.add("one");
  pod.log.add("three");
  setup.end(key);
  const { Detail } = await setup.reaches(id, UnitState.Failed);
  match(Detail, /^at least 4 bytes of its output are lost: /);
  equal(await setup.output(id), "one\nthree\n");
});

Deno.test("a restarted node goes on where it was", async () => {
  await using setup = await Setup.start();
  const id = await setup.submit("payload");
  const [key, pod] = await setup.pod();
  await setup.reaches(id, UnitState.Pending, /^Pod created$/);
  await setup.stopNode();
  await setup.startNode();
  setup.run(key);
  await setup.reaches(id, UnitState.Running);
  equal(pod.attaches.length, 1);
  pod.log.add("one");
  await eventually(async () => (await setup.workceptor.status(id)).StdoutSize === 4);
  await setup.stopNode();
  pod.log.add("two");
  setup.end(key);
  await setup.startNode();
  await setup.reaches(id, UnitState.Succeeded);
  equal(await setup.output(id), "one\ntwo\n");
  equal(pod.attaches.length, 1, "the payload is sent once");
});

Deno.test("a pod without labels, as the Go daemon makes them, is followed too", async () => {
  await using setup = await Setup.start();
  const id = await setup.submit();
  const [key, pod] = await setup.pod();
  setup.run(key);
  await setup.reaches(id, UnitState.Running);
  await setup.stopNode();
  setup.kube.change(key, (pod) => ({ ...pod, metadata: { ...pod.metadata, labels: {} } }));
  await setup.startNode();
  pod.log.add("one");
  await eventually(async () => (await setup.workceptor.status(id)).StdoutSize === 4);
  setup.end(key);
  await setup.reaches(id, UnitState.Succeeded);
  equal(await setup.output(id), "one\n");
});

Deno.test("a release is answered at once, and the pod deleted when the server is back", async () => {
  await using setup = await Setup.start();
  const { kube } = setup;
  const id = await setup.submit();
  const [key] = await setup.pod();
  setup.run(key);
  await setup.reaches(id, UnitState.Running);
  // `next` keeps a fault until it is used: the server refuses until there are none left.
  for (let i = 0; i < 5; i++) {
    kube.next(
      ({ method, query }) => method === "GET" && query.has("labelSelector"),
      (_, answer) => {
        return answer.whole(503, "busy");
      },
    );
  }
  deepEqual(await setup.workceptor.release(id, { ...auth, force: false }), { pending: false });
  deepEqual(await setup.workceptor.list(), {});
  ok(kube.pods.has(key));
  await setup.stopNode();
  await setup.startNode();
  await eventually(() => !kube.pods.has(key), { what: "the pod to be deleted" });
});

Deno.test("a payload that is cut fails the unit and does not run it on a part", async () => {
  await using setup = await Setup.start();
  const { kube } = setup;
  const id = await setup.submit("x".repeat(3_000_000));
  const [key, pod] = await setup.pod();
  setup.run(key);
  await eventually(() => pod.stdin.length > 0, { what: "some of the payload" });
  kube.cutAll();
  const { Detail } = await setup.reaches(id, UnitState.Failed);
  match(Detail, /^Error streaming stdin to pod jobs\/pod-.*\. Error: /);
  await eventually(() => !kube.pods.has(key), { what: "the pod to be deleted" });
});

Deno.test("many units share one watch", async () => {
  await using setup = await Setup.start();
  const { kube } = setup;
  const ids = await Promise.all(Array.from({ length: 150 }, () => setup.submit()));
  await eventually(() => kube.pods.size === 150, { what: () => `150 pods, not ${kube.pods.size}` });
  for (const key of kube.pods.keys()) setup.run(key);
  for (const key of kube.pods.keys()) setup.end(key);
  for (const id of ids) await setup.reaches(id, UnitState.Succeeded);
  const lists = kube.requests.filter(({ method, path }) =>
    method === "GET" && /\/pods$/.test(path)
  );
  ok(lists.length < 20, `${lists.length} lists and watches for 150 pods`);
});
