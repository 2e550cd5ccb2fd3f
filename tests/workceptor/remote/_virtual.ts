/**
 * A remote unit between two nodes in memory and in virtual time, with whatever may happen to it.
 */
import { silentLog } from "../../../lib/base/log.ts";
import { ControlError } from "../../../lib/control/control_error.ts";
import {
  type PendingUnit,
  type SubmitRequest,
  UnitState,
  type UnitStatus,
  type WorkService,
} from "../../../lib/control/work_service.ts";
import { newRemoteExtraData } from "../../../lib/workceptor/remote/remote_extra_data.ts";
import { RemoteNodes } from "../../../lib/workceptor/remote/remote_nodes.ts";
import { RemoteUnit } from "../../../lib/workceptor/remote/remote_unit.ts";
import { UnitLedger } from "../../../lib/workceptor/unit_ledger.ts";
import { stateName, type UnitRecord } from "../../../lib/workceptor/unit_record.ts";
import type { UnitStore } from "../../../lib/workceptor/unit_store.ts";
import { seededRandom } from "../../sim/seeded_random.ts";
import { settle, VirtualClock } from "../../sim/virtual_clock.ts";
import { Network } from "./_network.ts";

/** How many timers may be set without any time passing: more mean a busy loop. */
const MAX_TIMERS_AT_ONCE = 2_000;

/** Detects what would keep the clock from ever advancing. */
class WatchedClock extends VirtualClock {
  #at = -1;
  #count = 0;
  isBusy = false;

  override after(delayMs: number, action: () => void): Disposable {
    if (this.now() !== this.#at) this.#count = 0;
    this.#at = this.now();
    if (++this.#count > MAX_TIMERS_AT_ONCE) this.isBusy = true;
    return super.after(this.isBusy ? 1e9 : delayMs, action);
  }
}

/** The part of a store that a remote unit uses. */
type UsedStore = Pick<
  UnitStore,
  "save" | "readStdin" | "openStdout" | "stdoutSize" | "syncStdin" | "syncStdout" | "takeAway"
>;

/** The store of one unit, in memory. */
class MemoryStore implements UsedStore {
  record: UnitRecord;
  readonly #payload: Uint8Array;
  #stdout = new Uint8Array(0);

  constructor(record: UnitRecord, payload: Uint8Array) {
    this.record = record;
    this.#payload = payload;
  }

  save(_id: string, record: UnitRecord): Promise<void> {
    this.record = structuredClone(record);
    return Promise.resolve();
  }

  readStdin() {
    let at = 0;
    return openFile({
      statSync: () => ({ size: this.#payload.length }),
      read: (into: Uint8Array) => {
        const count = Math.min(into.length, this.#payload.length - at);
        into.set(this.#payload.subarray(at, at + count));
        at += count;
        return Promise.resolve(count || null);
      },
    });
  }

  openStdout() {
    return openFile({
      statSync: () => ({ size: this.#stdout.length }),
      write: (bytes: Uint8Array) => {
        this.#stdout = new Uint8Array([...this.#stdout, ...bytes]);
        return Promise.resolve(bytes.length);
      },
    });
  }

  stdoutSize = () => Promise.resolve(this.#stdout.length);
  syncStdin = () => Promise.resolve();
  syncStdout = () => Promise.resolve();
  takeAway = () => Promise.resolve(() => Promise.resolve());
}

/** The part of a file that is used. */
function openFile(methods: {
  statSync(): { size: number };
  read?(into: Uint8Array): Promise<number | null>;
  write?(bytes: Uint8Array): Promise<number>;
}): Promise<Deno.FsFile> {
  return Promise.resolve({ ...methods, [Symbol.dispose]() {} } as unknown as Deno.FsFile);
}

interface FarUnit {
  state: UnitState;
  detail: string;
  output: Uint8Array;
  end: Disposable | undefined;
}

const encoder = new TextEncoder();

/** The executing node: its jobs take some virtual time and print one line. */
class Far implements WorkService {
  readonly units = new Map<string, FarUnit>();
  readonly #clock: VirtualClock;
  readonly #jobMs: number;
  readonly #payloadBytes: number;
  runs = 0;
  refuses = false;

  constructor(clock: VirtualClock, jobMs: number, payloadBytes: number) {
    this.#clock = clock;
    this.#jobMs = jobMs;
    this.#payloadBytes = payloadBytes;
  }

  submit({ workUnitId }: SubmitRequest): Promise<PendingUnit> {
    if (this.refuses) return Promise.reject(new ControlError("unknown work type odd"));
    if (this.units.has(workUnitId)) {
      const problem = `workunit ID ${workUnitId} is already in use, ` +
        "cannot use the same workunit ID more than once";
      return Promise.reject(new ControlError(problem));
    }
    const unit: FarUnit = {
      state: UnitState.Pending,
      detail: "Waiting for Input Data",
      output: new Uint8Array(0),
      end: undefined,
    };
    this.units.set(workUnitId, unit);
    let bytes = 0;
    const check = () => {
      if (this.units.get(workUnitId) !== unit || unit.state !== UnitState.Pending) {
        throw new ControlError(`work unit ${workUnitId} was cancelled before it could start`);
      }
    };
    return Promise.resolve({
      unitId: workUnitId,
      // deno-lint-ignore require-await -- what it throws must be a rejection
      writePayload: async (chunk) => {
        check();
        bytes += chunk.length;
      },
      // deno-lint-ignore require-await
      start: async () => {
        check();
        if (bytes !== this.#payloadBytes) throw new Error("started with a part of the payload");
        this.runs++;
        Object.assign(unit, { state: UnitState.Running, detail: "Running: PID 7" });
        unit.end = this.#clock.after(this.#jobMs, () => {
          unit.output = encoder.encode("done\n");
          this.#end(unit, UnitState.Succeeded, "exit status 0");
        });
        return "Job Started";
      },
      // deno-lint-ignore require-await
      abandon: async (reason) => {
        if (unit.state === UnitState.Pending) this.#end(unit, UnitState.Failed, reason);
      },
    });
  }

  list = () => Promise.reject(new Error("not asked for"));

  // deno-lint-ignore require-await -- what it throws must be a rejection
  async status(id: string): Promise<UnitStatus> {
    const { state, detail, output } = this.#find(id);
    return {
      Detail: detail,
      ExtraData: null,
      State: state,
      StateName: stateName(state),
      StdoutSize: output.length,
      WorkType: "odd",
    };
  }

  // deno-lint-ignore require-await
  async cancel(id: string): Promise<{ pending: boolean }> {
    const unit = this.#find(id);
    if (unit.state === UnitState.Pending) this.#end(unit, UnitState.Failed, "Locally Cancelled");
    else if (unit.state === UnitState.Running) this.#end(unit, UnitState.Canceled, "Canceled");
    return { pending: false };
  }

  async release(id: string): Promise<{ pending: boolean }> {
    await this.cancel(id);
    this.units.delete(id);
    return { pending: false };
  }

  // deno-lint-ignore require-await
  async results(
    id: string,
    { startPos, signal }: { startPos: number; signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    const unit = this.#find(id);
    const { units } = this;
    const clock = this.#clock;
    return (async function* () {
      while (unit.state < UnitState.Succeeded && units.get(id) === unit && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        using _timer = clock.after(100, resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
        await promise;
      }
      if (unit.output.length > startPos) yield unit.output.slice(startPos);
    })();
  }

  /** Its units as a restarted daemon reports them; jobs run on. */
  restart(): void {
    for (const unit of this.units.values()) {
      if (unit.state !== UnitState.Pending) continue;
      const detail = "Error reading input data: the node restarted before the job was started";
      this.#end(unit, UnitState.Failed, detail);
    }
  }

  /** Its jobs die with the machine. */
  crash(): void {
    this.restart();
    for (const unit of this.units.values()) {
      if (unit.state === UnitState.Running) this.#end(unit, UnitState.Failed, "Job lost: crash");
    }
  }

  #end(unit: FarUnit, state: UnitState, detail: string): void {
    unit.end?.[Symbol.dispose]();
    Object.assign(unit, { state, detail });
  }

  #find(id: string): FarUnit {
    const unit = this.units.get(id);
    if (unit === undefined) throw new ControlError(`unknown work unit ${id}`);
    return unit;
  }
}

export interface VirtualSetup {
  ttlMs: number | undefined;
  payloadBytes: number;
  jobMs: number;
  seed: number;
  /** How the first attempt goes. */
  beginning: "well" | "without a route" | "with a cut payload" | "with a cut reply";
}

export class VirtualRemote implements AsyncDisposable {
  readonly clock = new WatchedClock();
  readonly network = new Network(this.clock);
  readonly far: Far;
  readonly #setup: VirtualSetup;
  readonly #store: MemoryStore;
  #nodes!: RemoteNodes;
  unit!: RemoteUnit;

  constructor(setup: VirtualSetup) {
    this.#setup = setup;
    const { ttlMs, payloadBytes, jobMs } = setup;
    this.far = new Far(this.clock, jobMs, payloadBytes);
    this.network.serve("far", this.far);
    this.#store = new MemoryStore({
      State: UnitState.Pending,
      Detail: "Waiting for Input Data",
      StdoutSize: 0,
      WorkType: "remote",
      ExtraData: newRemoteExtraData({
        node: "far",
        workType: "odd",
        tlsClient: "",
        signWork: false,
        params: {},
        expiresAt: ttlMs === undefined ? undefined : this.clock.wallTime() + ttlMs,
      }),
    }, new Uint8Array(payloadBytes));
    this.#makeUnit();
    switch (setup.beginning) {
      case "without a route":
        this.network.setUp(false);
        break;
      case "with a cut payload":
        this.cutNext("there", 100_000);
        break;
      case "with a cut reply":
        this.cutNext("back", 100);
    }
    this.unit.start().catch(() => {});
  }

  /** Makes the next stream break after this many bytes. */
  cutNext(direction: "there" | "back", bytes: number): void {
    this.network.onDial = (stream) => {
      stream[direction].left = bytes;
      this.network.onDial = () => {};
    };
  }

  async restartNear(): Promise<void> {
    await this.#endUnit();
    if (this.unit.ledger.removed) return;
    this.#makeUnit();
    await this.unit.resume();
  }

  /** Takes the far node away, does something to it, and brings it back after some time. */
  async restartFar(awayMs: number, happening: "restart" | "crash"): Promise<void> {
    this.network.serve("far", undefined);
    await this.clock.advance(awayMs);
    this.far[happening]();
    this.network.serve("far", this.far);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endUnit();
    const ended = this.network[Symbol.asyncDispose]();
    await this.clock.advance(60_000);
    await ended;
  }

  #makeUnit(): void {
    const access = {
      mesh: this.network.mesh("near"),
      clock: this.clock,
      random: seededRandom(this.#setup.seed),
      tlsClient: () => undefined,
    };
    this.#nodes = new RemoteNodes(access);
    const ledger = new UnitLedger({
      store: this.#store as UsedStore as UnitStore,
      clock: this.clock,
      log: silentLog,
      onChanged: () => {},
      onRemoved: () => {},
    }, { id: "unit", record: structuredClone(this.#store.record) });
    const watcher = undefined as never;
    const own = { log: silentLog, watcher, nodeId: "near", nodes: this.#nodes };
    this.unit = new RemoteUnit({ ...access, ...own }, ledger);
  }

  async #endUnit(): Promise<void> {
    const ended = this.unit[Symbol.asyncDispose]();
    await settle();
    await ended;
    await this.unit.ledger[Symbol.asyncDispose]();
    this.#nodes[Symbol.dispose]();
  }
}
