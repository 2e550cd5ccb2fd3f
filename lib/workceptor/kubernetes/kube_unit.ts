/**
 * A unit that runs in a pod. The pod outlives the daemon: whoever follows it, the daemon that
 * created it or a later one, brings its output into the unit's folder. `nextStep` decides what
 * happens when; this carries it out.
 */
import { sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/error_message.ts";
import { ControlError } from "../../control/control_error.ts";
import { UnitState } from "../../control/work_service.ts";
import type { StartReply, Unit, UnitDeps } from "../unit.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import { isComplete } from "../unit_record.ts";
import { details, refusals } from "../work_texts.ts";
import type { Pod } from "./api/kube_api.ts";
import { isTransient, KubeError } from "./api/kube_error.ts";
import type { KubeSource } from "./api/kube_source.ts";
import type { Cluster, Clusters } from "./clusters.ts";
import {
  endOf,
  failed,
  failedToCreate,
  kubeDetails,
  type KubeEnd,
  nextStep,
} from "./kube_decision.ts";
import {
  type KubeExtraData,
  kubeExtraData,
  type KubernetesWorkType,
  visibleKubeExtraData,
} from "./kube_record.ts";
import { LogFollower } from "./log_follower.ts";
import type { PodWatch } from "./pod_informer.ts";
import type { OutputWitness } from "./output_witness.ts";
import { type PodState, podState } from "./pod_state.ts";
import { sendPayload } from "./send_payload.ts";
import { TcpExchange } from "./tcp_exchange.ts";
import { stampsLines } from "./stamps_lines.ts";
import { unitLabel } from "./unit_label.ts";
import { OWNER_LABEL, UNIT_LABEL, workerPod } from "./worker_pod.ts";
import { WorkerEnd } from "./worker_end.ts";

export interface KubeUnitDeps extends UnitDeps {
  readonly type: KubernetesWorkType;
  readonly clusters: Clusters;
  readonly settings: KubernetesSettings;
}

/** What a node's environment or its `node` action says. */
export interface KubernetesSettings {
  /** Consecutive failures of one request after which a unit fails; undefined: never. */
  readonly retries: number | undefined;
  /** How the log is read; undefined: as the server's version says. */
  readonly stampedLog: boolean | undefined;
}

/** An API server and one namespace on it. */
interface Place {
  readonly cluster: Cluster;
  readonly namespace: string;
}

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;

/** Between looks at a pod without labels. */
const POLL_INTERVAL_MS = 1_000;

/** How long a pod that nothing is heard of may be pending before it is looked at again. */
const LOOK_INTERVAL_MS = 60_000;

/** A server that makes up a name does not look whether it is taken, and refuses it if so. */
const NAME_ATTEMPTS = 8;

/** For a job over TCP whose connection has ended: how long its worker may take to end, too. */
const TCP_END_MS = 30_000;

type Phase =
  /** For the rest of the payload, or for the unit found on disk to be resumed. */
  | "waiting"
  | "under way"
  | "over";

export class KubeUnit implements Unit {
  readonly ledger: UnitLedger;
  readonly signWork = false;
  readonly #deps: KubeUnitDeps;
  /** The node stops; the pod goes on. */
  readonly #ending = new AbortController();
  /** The unit was cancelled or released. */
  readonly #stopping = new AbortController();
  readonly #signal: AbortSignal;
  #phase: Phase = "waiting";
  #watch: PodWatch | undefined;
  #task: Promise<void> = Promise.resolve();

  constructor(deps: KubeUnitDeps, ledger: UnitLedger) {
    this.ledger = ledger;
    this.#deps = deps;
    this.#signal = AbortSignal.any([this.#ending.signal, this.#stopping.signal]);
  }

  get extraData(): unknown {
    return visibleKubeExtraData(this.ledger.record);
  }

  get outputDue(): boolean {
    const { State } = this.ledger.record;
    return State === UnitState.Running || State === UnitState.Succeeded;
  }

  /** Output is written by this process, which tells of it. */
  watchOutput(): Disposable {
    return { [Symbol.dispose]() {} };
  }

  async start(): Promise<StartReply> {
    const { id, removed } = this.ledger;
    if (this.#phase === "under way") throw new ControlError(refusals.startedAlready(id));
    if (removed) throw new ControlError(refusals.releasedBeforeStart(id));
    if (this.#phase === "over") throw new ControlError(refusals.cancelledBeforeStart(id));
    this.#phase = "under way";
    await this.ledger.settle((record) =>
      isComplete(record.State) ? undefined : { Detail: kubeDetails.connecting }
    );
    this.#begin({ found: false });
    return "Job Started";
  }

  async abandon(reason: string): Promise<void> {
    if (this.#phase === "waiting") await this.#end(failed(reason).end);
  }

  async resume(): Promise<void> {
    const { record } = this.ledger;
    if (isComplete(record.State)) {
      this.#phase = "over";
    } else if (record.Detail === details.waitingForInput) {
      await this.#end(failed(details.notStarted).end);
    } else {
      this.#phase = "under way";
      this.#begin({ found: true });
    }
  }

  async cancel(): Promise<{ pending: boolean }> {
    if (!this.ledger.complete) await this.#giveUp();
    return { pending: false };
  }

  async release({ force }: { force: boolean }): Promise<{ pending: boolean }> {
    try {
      if (this.ledger.complete) await this.#doom();
      else await this.#giveUp();
    } catch (error) {
      if (!force) throw error;
      this.#deps.log.error(`Error releasing unit ${this.ledger.id}: ${messageOf(error)}`);
    }
    await this.ledger.remove();
    return { pending: false };
  }

  async idle(): Promise<void> {
    await this.#task;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error("the node is shutting down"));
    await this.#task;
  }

  get #extra(): KubeExtraData {
    return kubeExtraData(this.ledger.record);
  }

  get #source(): KubeSource {
    const { authMethod, kubeconfig } = this.#deps.type;
    if (authMethod === "incluster") return { kind: "incluster" };
    const { KubeConfig } = this.#extra;
    if (KubeConfig !== "") return { kind: "text", text: KubeConfig };
    return { kind: "kubeconfig", path: kubeconfig || undefined };
  }

  get #label(): string {
    return unitLabel(this.ledger.id);
  }

  async #giveUp(): Promise<void> {
    const wasUnderWay = this.#phase === "under way";
    this.#phase = "over";
    this.#stopping.abort(new Error("the unit was cancelled"));
    await this.#task;
    if (wasUnderWay) await this.#doom();
    await this.#end({ State: UnitState.Canceled, Detail: details.canceled, deletePod: false });
  }

  /** Has the pod deleted, if there is one. */
  async #doom(): Promise<void> {
    const { KubeNamespace: namespace, PodName } = this.#extra;
    if (namespace === "") return;
    await this.#deps.clusters.remove({
      unitLabel: this.#label,
      namespace,
      name: PodName || undefined,
      source: this.#source,
    });
  }

  #begin({ found }: { found: boolean }): void {
    const { log } = this.#deps;
    this.#task = this.#run(found).catch(async (error) => {
      if (this.#signal.aborted) return;
      log.error(`[${this.ledger.id}] ${messageOf(error)}`);
      await this.#end(failed(messageOf(error)).end);
    });
  }

  async #run(found: boolean): Promise<void> {
    const { clusters, type } = this.#deps;
    let cluster: Cluster;
    try {
      cluster = await clusters.use(this.#source);
    } catch (error) {
      return await this.#end(failed(details.errorStarting(messageOf(error))).end);
    }
    using _ = cluster;
    const namespace = this.#extra.KubeNamespace || cluster.api.namespace;
    const place = { cluster, namespace };
    try {
      if (type.streamMethod === "tcp") {
        if (found) return await this.#end(failed(kubeDetails.tcpRestart).end);
        return await this.#runOverTcp(place);
      }
      const pod = found ? await this.#findPod(place) : await this.#createPod(place, {});
      if (pod !== undefined) await this.#attend(place, pod);
    } finally {
      this.#watch?.[Symbol.dispose]();
    }
  }

  /** The pod that an earlier daemon made, or a new one if it came to none. */
  async #findPod(place: Place): Promise<Pod | undefined> {
    const { cluster, namespace } = place;
    const { api } = cluster;
    const { PodName, Payload } = this.#extra;
    this.#watch = cluster.informer(namespace).watch(this.#label);
    const pod = await this.#patiently(() =>
      PodName === "" ? this.#madePod(place) : api.getPod(namespace, PodName, this.#signal)
    );
    if (pod === undefined && Payload !== "unsent") {
      await this.#end(failed(kubeDetails.gone("it was deleted")).end);
      return undefined;
    }
    const isPending = pod !== undefined && podState(pod).is === "pending";
    if (pod !== undefined && !(isPending && this.#deps.type.deletePodOnRestart)) return pod;
    if (pod !== undefined) await this.#deletePod(place, pod);
    return await this.#createPod(place, {});
  }

  async #deletePod({ cluster: { api }, namespace }: Place, pod: Pod): Promise<void> {
    const { name, uid } = pod.metadata!;
    const options = { gracePeriodSeconds: 0, uid };
    while (
      await this.#patiently(() => api.deletePod(namespace, name!, options, this.#signal)) !== "gone"
    ) await sleep(this.#deps.clock, FIRST_RETRY_MS, { signal: this.#signal });
  }

  /** One that was made although nobody heard the answer. */
  async #madePod({ cluster: { api }, namespace }: Place): Promise<Pod | undefined> {
    const owner = await this.#deps.clusters.owner();
    const labelSelector = `${OWNER_LABEL}=${owner},${UNIT_LABEL}=${this.#label}`;
    const { items } = await api.listPods(namespace, { labelSelector }, this.#signal);
    return items.find(({ metadata }) => metadata?.deletionTimestamp === undefined);
  }

  /** Undefined if the unit has failed. */
  async #createPod(place: Place, env: Record<string, string>): Promise<Pod | undefined> {
    const { type, clusters, clock } = this.#deps;
    let pod: Pod;
    let namespace: string;
    try {
      const labels = { [OWNER_LABEL]: await clusters.owner(), [UNIT_LABEL]: this.#label };
      const namePrefix = `${type.name.toLowerCase()}-`;
      pod = await workerPod(this.#extra, { namePrefix, labels, env });
      namespace = pod.metadata?.namespace || place.namespace;
      // Known before the pod is made, so that it can be found.
      await this.#record({ KubeNamespace: namespace, PodName: "" });
      this.#watch?.[Symbol.dispose]();
      this.#watch = place.cluster.informer(namespace).watch(this.#label);
      pod = await this.#untilMade({ ...place, namespace }, {
        ...pod,
        metadata: { ...pod.metadata, namespace },
      });
    } catch (error) {
      this.#signal.throwIfAborted();
      await this.#end({ ...failedToCreate(messageOf(error)).end, deletePod: false });
      return undefined;
    }
    const { PendingTimeoutMs } = this.#extra;
    const PendingUntil = PendingTimeoutMs && (clock.wallTime() + PendingTimeoutMs) / 1000;
    await this.#record({ PodName: pod.metadata!.name!, PendingUntil }, kubeDetails.created);
    return pod;
  }

  /** Rejects if the server does not want the pod; waits for a server that is away. */
  #untilMade(place: Place, pod: Pod): Promise<Pod> {
    const { cluster: { api }, namespace } = place;
    let first = true;
    return this.#patiently(async () => {
      const made = first ? undefined : await this.#madePod(place);
      first = false;
      for (let attempt = 1; made === undefined; attempt++) {
        try {
          return await api.createPod(namespace, pod, this.#signal);
        } catch (error) {
          const isTaken = error instanceof KubeError && error.reason === "AlreadyExists";
          if (!isTaken || attempt === NAME_ATTEMPTS) throw error;
        }
      }
      return made;
    });
  }

  /** Follows the pod from whatever state it is in to the end of the unit. */
  async #attend(place: Place, pod: Pod): Promise<void> {
    const { namespace = place.namespace } = pod.metadata ?? {};
    const here = { ...place, namespace };
    const watch = this.#watch!;
    watch.expect(pod);
    using polling = new DisposableStack();
    if (pod.metadata?.labels?.[UNIT_LABEL] !== this.#label) {
      const over = new AbortController();
      polling.defer(() => over.abort(new Error("the unit has ended")));
      void this.#poll(here, watch, AbortSignal.any([this.#signal, over.signal]));
    }
    const payload = this.#extra.Payload;
    let pullBackOffs = 0;
    let seen: Pod | undefined;
    while (true) {
      this.#signal.throwIfAborted();
      const { version } = watch.changes;
      const state = stateOf(watch);
      if (state.is === "pending" && state.pullBackOff && watch.pod !== seen) pullBackOffs++;
      seen = watch.pod;
      const overdueInMs = this.#overdueInMs();
      const step = nextStep({ pod: state, payload, pullBackOffs, overdue: overdueInMs <= 0 });
      switch (step.do) {
        case "wait":
          await this.#record({}, step.detail);
          await watch.changes.past(version, {
            clock: this.#deps.clock,
            timeoutMs: Math.min(overdueInMs, LOOK_INTERVAL_MS),
            signal: this.#signal,
          });
          break;
        case "attach":
        case "follow":
          return await this.#exchange(here, watch, step.do === "attach");
        case "end":
          return await this.#end(step.end);
      }
    }
  }

  /** A pod that the Go daemon made has no labels, by which the informer would see it. */
  async #poll(
    { cluster: { api }, namespace }: Place,
    watch: PodWatch,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, log } = this.#deps;
    const name = watch.pod!.metadata!.name!;
    while (!signal.aborted) {
      try {
        await sleep(clock, POLL_INTERVAL_MS, { signal });
        watch.tell(await api.getPod(namespace, name, signal));
      } catch (error) {
        if (!signal.aborted) log.debug(`Cannot look at pod ${name}: ${messageOf(error)}`);
      }
    }
  }

  #overdueInMs(): number {
    const { PendingUntil } = this.#extra;
    if (PendingUntil === 0) return Number.POSITIVE_INFINITY;
    return PendingUntil * 1000 - this.#deps.clock.wallTime();
  }

  /** Sends the payload, if that is to be done, and takes the output. */
  async #exchange(place: Place, watch: PodWatch, attach: boolean): Promise<void> {
    const { clock, log, settings } = this.#deps;
    const { cluster: { api }, namespace } = place;
    const { ledger } = this;
    const pod = watch.pod!.metadata!.name!;
    const worker = new WorkerEnd();
    const over = new AbortController();
    const signal = AbortSignal.any([this.#signal, over.signal]);
    const watching = this.#watchEnd(watch, worker, signal);
    try {
      const stamped = settings.stampedLog ?? await this.#patiently(() => stampsLines(api, signal));
      using follower = await LogFollower.open({ api, clock, log, ledger }, {
        namespace,
        pod,
        retries: settings.retries,
        stamped,
      });
      const following = follower.follow(worker, signal);
      following.catch(() => {});
      await using witnesses = new AsyncDisposableStack();
      let witness: OutputWitness | undefined;
      if (attach) {
        const sent = await this.#sendPayload(place, pod, worker, signal);
        // Whatever the worker makes of a part of its input is not the job's result.
        if (sent.is === "cut") return await this.#end(failed(sent.problem).end);
        witness = sent.witness && witnesses.use(sent.witness);
      }
      await this.#recordRunning();
      const lost = await following ?? await this.#missing(witness, signal);
      while (worker.state === undefined) {
        await worker.change(clock, LOOK_INTERVAL_MS, signal);
        signal.throwIfAborted();
      }
      await this.#end(endOf(worker.state, { lost, problem: undefined }));
    } finally {
      over.abort(new Error("the unit has ended"));
      await watching;
    }
  }

  /** Resolves to what went wrong in the middle of it. */
  async #sendPayload(
    { cluster: { api }, namespace }: Place,
    pod: string,
    worker: WorkerEnd,
    signal: AbortSignal,
  ): Promise<
    | { readonly is: "sent"; readonly witness: OutputWitness | undefined }
    | { readonly is: "cut"; readonly problem: string }
  > {
    const { clock, log } = this.#deps;
    const { ledger } = this;
    const file = await ledger.store.readStdin(ledger.id);
    try {
      const witness = await sendPayload(
        { api, clock, log },
        {
          namespace,
          pod,
          payload: file.readable,
          isEmpty: (await file.stat()).size === 0,
          onStart: () => this.#record({ Payload: "sending", KubePod: "" }, kubeDetails.sending),
          onSent: () => this.#recordRunning(),
        },
        worker,
        signal,
      );
      return { is: "sent", witness };
    } catch (error) {
      signal.throwIfAborted();
      const problem = kubeDetails.payloadCut(`${namespace}/${pod}`, messageOf(error));
      return { is: "cut", problem };
    } finally {
      closeQuietly(file);
    }
  }

  /** What the log lacks of what the worker was seen to print. */
  async #missing(
    witness: OutputWitness | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (witness === undefined) return undefined;
    const { store, id } = this.ledger;
    const missing = await witness.bytes(this.#deps.clock, signal) -
      (await store.stdoutSize(id) ?? 0);
    return missing > 0 ? kubeDetails.logShort(missing) : undefined;
  }

  async #watchEnd(
    watch: PodWatch,
    worker: WorkerEnd,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const { version } = watch.changes;
      const state = stateOf(watch);
      if (state.is === "ended" || state.is === "gone") return worker.tell(state);
      const trouble = state.is === "running" ? state.trouble : undefined;
      if (this.ledger.record.State === UnitState.Running) {
        const detail = kubeDetails.running + (trouble === undefined ? "" : `: ${trouble}`);
        await this.#record({}, detail);
      }
      await watch.changes.past(version, { clock, timeoutMs: LOOK_INTERVAL_MS, signal });
    }
  }

  async #runOverTcp(place: Place): Promise<void> {
    const { clock } = this.#deps;
    const { ledger } = this;
    using exchange = TcpExchange.listen();
    const pod = await this.#createPod(place, exchange.environment);
    if (pod === undefined) return;
    const watch = this.#watch!;
    watch.expect(pod);
    const worker = new WorkerEnd();
    const over = new AbortController();
    const signal = AbortSignal.any([this.#signal, over.signal]);
    const watching = this.#watchEnd(watch, worker, signal);
    try {
      const overdueInMs = this.#overdueInMs();
      const conn = await exchange.accept(worker, { clock, overdueInMs, signal });
      if (conn === undefined) {
        const reason = worker.state === undefined
          ? "the pod did not connect within its pod_pending_timeout"
          : endOf(worker.state, { lost: undefined, problem: undefined }).Detail;
        return await this.#end(failedToCreate(reason).end);
      }
      await this.#record({ Payload: "sending", KubePod: "" }, kubeDetails.sending);
      const onSent = () => this.#recordRunning();
      const problem = await exchange.exchange(conn, ledger, { onSent, signal });
      await worker.change(clock, worker.state === undefined ? TCP_END_MS : 0, signal);
      signal.throwIfAborted();
      const state = worker.state ?? { is: "ended", failure: undefined } as const;
      await this.#end(endOf(state, { lost: undefined, problem }));
    } finally {
      over.abort(new Error("the unit has ended"));
      await watching;
    }
  }

  async #recordRunning(): Promise<void> {
    const { ledger } = this;
    await ledger.settle((record) =>
      isComplete(record.State) ? undefined : {
        State: UnitState.Running,
        Detail: kubeDetails.running,
        ExtraData: { ...kubeExtraData(record), Payload: "sent", KubePod: "" },
      }
    );
  }

  /** Changes what is on record, if that is news. */
  async #record(extra: Partial<KubeExtraData>, detail?: string): Promise<void> {
    await this.ledger.settle((record) => {
      if (isComplete(record.State)) return undefined;
      const Detail = detail ?? record.Detail;
      if (Object.keys(extra).length === 0 && Detail === record.Detail) return undefined;
      return { Detail, ExtraData: { ...kubeExtraData(record), ...extra } };
    });
  }

  async #end({ State, Detail, deletePod }: KubeEnd): Promise<void> {
    const { ledger } = this;
    const wasUnderWay = this.#phase === "under way";
    this.#phase = "over";
    const StdoutSize = await ledger.store.stdoutSize(ledger.id) ?? 0;
    await ledger.store.syncStdout(ledger.id).catch(() => {});
    if (deletePod && wasUnderWay) await this.#doom().catch(() => {});
    await ledger.settle((record) =>
      isComplete(record.State) ? undefined : {
        State,
        Detail,
        StdoutSize,
        // The kubeconfig is needed to delete the pod, the definition of the pod for nothing.
        ExtraData: { ...kubeExtraData(record), KubePod: "" },
      }
    );
  }

  /** Repeats a request while the server is away, and tells of it in `Detail`. */
  async #patiently<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock, log, settings: { retries } } = this.#deps;
    let retryMs = FIRST_RETRY_MS;
    let failures = 0;
    const { Detail: before } = this.ledger.record;
    while (true) {
      try {
        const result = await attempt();
        if (failures > 0) await this.#record({}, before);
        return result;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!isTransient(error)) throw error;
        if (retries !== undefined && ++failures > retries) throw error;
        failures ||= 1;
        log.warning(`[${this.ledger.id}] ${messageOf(error)}; trying again`);
        await this.#record({}, kubeDetails.unreachable(messageOf(error)));
      }
      await sleep(clock, retryMs, { signal: this.#signal });
      retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
    }
  }
}

function stateOf({ pod, deleted }: PodWatch): PodState {
  const state: PodState = pod === undefined ? { is: "gone", reason: "unknown" } : podState(pod);
  if (!deleted || state.is === "gone") return state;
  return state.is === "ended" ? state : { is: "gone", reason: "it was deleted" };
}

function closeQuietly(file: Deno.FsFile): void {
  try {
    file.close();
  } catch {
    // Its stream has closed it.
  }
}
