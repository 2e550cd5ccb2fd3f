/** A node without a mesh and without jobs, as far as the control service can tell. */
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import type { ControlDeps } from "../../lib/control/command.ts";
import { ControlError } from "../../lib/control/control_error.ts";
import {
  type Authorization,
  type PendingUnit,
  type SubmitRequest,
  UnitState,
  type UnitStatus,
  type WorkService,
} from "../../lib/control/work_service.ts";
import type { MemoryConn } from "./memory_conn.ts";
import type {
  AdvertisedService,
  DialOptions,
  MeshConn,
  MeshStatus,
  PingReply,
} from "../../lib/netceptor/mesh.ts";

/** Node `foo` with a neighbour `bar`, whose services `onDial` answers. */
export class FakeMesh {
  readonly nodeId = "foo";
  onDial: (service: string, options: DialOptions | undefined) => MeshConn = () => {
    throw new Error("service unknown");
  };

  status(): MeshStatus {
    return {
      NodeID: "foo",
      Connections: [{ NodeID: "bar", Cost: 1 }],
      RoutingTable: { bar: "bar" },
      Advertisements: [{
        NodeID: "foo",
        Service: "control",
        Time: "2026-11-21T00:58:25.18882392Z",
        ConnType: 1,
        Tags: { type: "Control Service" },
        WorkCommands: [{ WorkType: "cat", Secure: false }, { WorkType: "signed", Secure: true }],
      }],
      KnownConnectionCosts: { foo: { bar: 1 }, bar: { foo: 1 } },
    };
  }

  advertisements(): Iterable<AdvertisedService> {
    return this.status().Advertisements;
  }

  connectionCosts(): Iterable<[string, Map<string, number>]> {
    const costs = Object.entries(this.status().KnownConnectionCosts);
    return costs.map(([node, row]) => [node, new Map(Object.entries(row))]);
  }

  ping(node: string): Promise<PingReply> {
    if (/^(foo|localhost)$/i.test(node)) {
      return Promise.resolve({ from: "foo", timeNs: 29_875, error: "" });
    }
    if (node === "silent") return Promise.reject(new Error("timeout"));
    return Promise.reject(new Error("no route to node"));
  }

  async *traceroute(node: string): AsyncIterable<PingReply> {
    yield await Promise.resolve({ from: "foo", timeNs: 113_532, error: "" });
    if (node === "bar") yield { from: "bar", timeNs: 329_042, error: "" };
    else if (node !== "foo") yield { from: "foo", timeNs: 2_254, error: "no route to node" };
  }

  dial(node: string, service: string, options?: DialOptions): Promise<MeshConn> {
    if (node !== "bar" && node !== "foo") return Promise.reject(new Error("no route to node"));
    return Promise.resolve().then(() => this.onDial(service, options));
  }
}

export interface FakeUnit {
  request: SubmitRequest;
  payload: Uint8Array[];
  status: UnitStatus;
  output: Uint8Array;
  abandoned?: string;
}

/** Units whose output is their payload: like `cat`, but at once. */
export class FakeWork implements WorkService {
  readonly units = new Map<string, FakeUnit>();
  readonly authorizations: Authorization[] = [];
  nextId = 1;
  /** Output of every unit, instead of its payload. */
  output: ((signal: AbortSignal) => AsyncIterable<Uint8Array>) | undefined;

  submit(request: SubmitRequest): Promise<PendingUnit> {
    if (request.workType !== "cat") {
      return Promise.reject(new ControlError(`unknown work type ${request.workType}`));
    }
    const unitId = request.workUnitId || `foo${String(this.nextId++).padStart(8, "0")}`;
    const unit: FakeUnit = {
      request,
      payload: [],
      output: new Uint8Array(0),
      status: {
        Detail: "Waiting for Input Data",
        ExtraData: null,
        State: UnitState.Pending,
        StateName: "Pending",
        StdoutSize: 0,
        WorkType: request.workType,
      },
    };
    this.units.set(unitId, unit);
    return Promise.resolve({
      unitId,
      writePayload: (bytes: Uint8Array) => {
        unit.payload.push(bytes.slice());
        return Promise.resolve();
      },
      start: async () => {
        unit.output = new Uint8Array(
          await new Blob(unit.payload as Uint8Array<ArrayBuffer>[]).arrayBuffer(),
        );
        unit.status = {
          ...unit.status,
          Detail: "exit status 0",
          State: UnitState.Succeeded,
          StateName: "Succeeded",
          StdoutSize: unit.output.length,
        };
        return request.node === "localhost" || request.node === "foo"
          ? "Job Started"
          : "Job Submitted";
      },
      abandon: (reason: string) => {
        unit.abandoned = reason;
        return Promise.resolve();
      },
    });
  }

  list(unitId?: string): Promise<Record<string, UnitStatus>> {
    if (unitId !== undefined) {
      return this.status(unitId).then((status) => ({ [unitId]: status }));
    }
    return Promise.resolve(
      Object.fromEntries([...this.units].map(([id, unit]) => [id, unit.status])),
    );
  }

  status(unitId: string): Promise<UnitStatus> {
    return Promise.resolve().then(() => this.#find(unitId).status);
  }

  cancel(unitId: string, auth: Authorization): Promise<{ pending: boolean }> {
    this.authorizations.push(auth);
    return Promise.resolve().then(() => {
      this.#find(unitId);
      return { pending: false };
    });
  }

  release(
    unitId: string,
    auth: Authorization & { force: boolean },
  ): Promise<{ pending: boolean }> {
    this.authorizations.push(auth);
    return Promise.resolve().then(() => {
      const unit = this.#find(unitId);
      const pending = unit.request.node === "away" && !auth.force;
      if (!pending) this.units.delete(unitId);
      return { pending };
    });
  }

  results(
    unitId: string,
    request: Authorization & { startPos: number; signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    this.authorizations.push(request);
    return Promise.resolve().then(() => {
      const unit = this.#find(unitId);
      if (this.output !== undefined) return this.output(request.signal);
      return yielding(unit.output.subarray(request.startPos));
    });
  }

  #find(unitId: string): FakeUnit {
    const unit = this.units.get(unitId);
    if (unit === undefined) throw new ControlError(`unknown work unit ${unitId}`);
    return unit;
  }
}

async function* yielding(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield await Promise.resolve(bytes);
}

/** What a `ControlServer` works with; anything may be replaced. */
export function fakeDeps(replaced: Partial<ControlDeps> = {}): ControlDeps {
  return {
    mesh: new FakeMesh(),
    work: new FakeWork(),
    system: { version: "1.6.9", cpuCount: 2, memoryMiB: 24_105 },
    clock: systemClock,
    log: silentLog,
    ...replaced,
  };
}

/** A stream to `bar:echo` over one end of a memory pair. */
export function asMeshConn(conn: MemoryConn): MeshConn {
  return {
    read: (into) => conn.read(into),
    write: (bytes) => conn.write(bytes),
    closeWrite: () => conn.closeWrite(),
    close: () => {
      if (!conn.isClosed) conn.close();
    },
    abort() {
      this.close();
    },
    remoteNode: "bar",
    remoteService: "echo",
    secure: false,
    tellsWindow: false,
    closed: new Promise(() => {}),
  };
}
