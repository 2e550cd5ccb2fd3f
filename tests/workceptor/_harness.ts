/** What the tests of this folder share: workceptors on temporary folders, and short helpers. */
import { type Clock, systemClock } from "../../lib/base/clock.ts";
import { type Log, silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { type Caller, UnitState, type UnitStatus } from "../../lib/control/work_service.ts";
import type { CommandWorkType } from "../../lib/workceptor/command/command_record.ts";
import { commandWork, loadUnregistered } from "../../lib/workceptor/command/command_work_type.ts";
import { NativeSpawner } from "../../lib/workceptor/command/native_spawner.ts";
import type { Spawner } from "../../lib/workceptor/command/spawner.ts";
import type { RemoteAccess } from "../../lib/workceptor/remote/remote_access.ts";
import { REMOTE_WORK_TYPE } from "../../lib/workceptor/remote/remote_extra_data.ts";
import { RemoteWork } from "../../lib/workceptor/remote/remote_work_type.ts";
import type { WorkType } from "../../lib/workceptor/work_type.ts";
import { Workceptor, type WorkceptorDeps } from "../../lib/workceptor/workceptor.ts";
import { PATIENCE_MS } from "../support/eventually.ts";

export const unixCaller: Caller = { via: "unix", secure: false, description: "unix" };
export const auth = { caller: unixCaller, signature: "" };

/** A clock that runs `factor` times as fast as the machine's, for waits of many seconds. */
export function fastClock(factor: number): Clock {
  return {
    now: () => systemClock.now() * factor,
    wallTime: () => systemClock.wallTime(),
    after: (delayMs, action) => systemClock.after(delayMs / factor, action),
  };
}

/** A mesh without other nodes. */
export const noMesh: RemoteAccess["mesh"] = {
  dial: () => Promise.reject(new Error("no route to node")),
  hasRoute: () => false,
  onRoutesChanged: () => ({ [Symbol.dispose]() {} }),
};

export const shellType: CommandWorkType = {
  command: "sh",
  params: "-c",
  allowRuntimeParams: true,
};

/** A folder for a test, at whose end the jobs in it have ended too. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "workceptor-test-" });
  return {
    path,
    async [Symbol.asyncDispose]() {
      await Deno.remove(path, { recursive: true }).catch(() => {});
      await eventually(() => !hasSupervisor(path), "end of the jobs' supervisors");
    },
  };
}

/**
 * Whether a supervisor in `folder`, or one that has ended and was not waited for yet, is a child of
 * this process. A disposed workceptor does not wait for its jobs, but the runtime does.
 */
function hasSupervisor(folder: string): boolean {
  return [...Deno.readDirSync("/proc")].some(({ name }) => {
    try {
      const [, state, parent] = /^\d+ \(sh\) (.) (\d+)/.exec(
        Deno.readTextFileSync(`/proc/${name}/stat`),
      )!;
      if (Number(parent) !== Deno.pid) return false;
      return state === "Z" || Deno.readTextFileSync(`/proc/${name}/cmdline`).includes(folder);
    } catch {
      return false;
    }
  });
}

export interface WorkceptorSetup {
  nodeId?: string;
  types?: Record<string, CommandWorkType>;
  parts?: Partial<WorkceptorDeps & RemoteAccess>;
  signFor?: readonly string[];
  log?: Log;
}

/** The work type that a `work-command` action configures. */
export function commandType(type: CommandWorkType, spawner?: Spawner): WorkType {
  return commandWork(type, { searchPath: Deno.env.get("PATH") ?? "", spawner });
}

/** A started workceptor with the work types `sh` and `cat`. */
export async function startWorkceptor(
  dataDir: string,
  { nodeId = "n1", types, parts, signFor, log = silentLog }: WorkceptorSetup = {},
): Promise<Workceptor> {
  const deps = {
    log,
    clock: systemClock,
    random: systemRandom,
    mesh: noMesh,
    tlsClient: () => undefined,
    loadUnregistered,
    ...parts,
  };
  const workceptor = new Workceptor(deps, { nodeId, dataDir, signFor });
  const remoteWork = new RemoteWork(deps, { nodeId });
  const spawner = NativeSpawner.open();
  workceptor.registerWorkType(REMOTE_WORK_TYPE, remoteWork);
  const all = types ?? { sh: shellType, cat: { command: "cat" } };
  for (const [name, type] of Object.entries(all)) {
    workceptor.registerWorkType(name, commandType(type, spawner));
  }
  await workceptor.start();
  const end = () => Workceptor.prototype[Symbol.asyncDispose].call(workceptor);
  return Object.assign(workceptor, {
    async [Symbol.asyncDispose]() {
      await end();
      remoteWork[Symbol.dispose]();
      await spawner?.[Symbol.asyncDispose]();
    },
  });
}

export const emptyRequest = {
  node: "localhost",
  workType: "sh",
  tlsClient: "",
  ttl: "",
  signWork: false,
  signature: "",
  workUnitId: "",
  params: {},
};

/** Submits a shell script to run on `node`. */
export function submitScript(
  workceptor: Workceptor,
  script: string,
  options: { node?: string; payload?: string | Uint8Array; workUnitId?: string } = {},
): Promise<string> {
  const { node = "localhost", payload = "", workUnitId = "" } = options;
  return submit(workceptor, { node, workUnitId, params: { params: quoted(script) } }, payload);
}

export async function submit(
  workceptor: Workceptor,
  request: Partial<typeof emptyRequest> & { params?: Record<string, string> },
  payload: string | Uint8Array = "",
): Promise<string> {
  const unit = await workceptor.submit({ ...emptyRequest, ...request }, unixCaller);
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  if (bytes.length > 0) await unit.writePayload(bytes);
  await unit.start();
  return unit.unitId;
}

/** `script` as one word for the splitter, whatever it contains. */
export function quoted(script: string): string {
  return `'${script.replaceAll("'", `'"'"'`)}'`;
}

/** Reads a unit's output to its end, which is how a client learns that the unit is complete. */
export async function readAll(
  workceptor: Workceptor,
  id: string,
  options: { startPos?: number; signal?: AbortSignal } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { startPos = 0, signal = AbortSignal.timeout(PATIENCE_MS) } = options;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const output = await workceptor.results(id, { ...auth, startPos, signal });
  for await (const bytes of output) chunks.push(new Uint8Array(bytes));
  signal.throwIfAborted();
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

export async function readText(workceptor: Workceptor, id: string): Promise<string> {
  return new TextDecoder().decode(await readAll(workceptor, id));
}

/** Runs a unit to its end and resolves to its status. */
export async function completed(workceptor: Workceptor, id: string): Promise<UnitStatus> {
  await readAll(workceptor, id);
  return await workceptor.status(id);
}

/** Resolves once `condition` holds; for what no event announces. */
export async function eventually<T>(
  condition: () => Promise<T | false | undefined> | T | false | undefined,
  what = "condition",
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  while (true) {
    const value = await condition();
    if (value !== false && value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`${what} did not come true`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Resolves to the unit's status once it is complete, whatever became of its output. */
export function ended(workceptor: Workceptor, id: string): Promise<UnitStatus> {
  return eventually(async () => {
    const status = await workceptor.status(id);
    return status.State >= UnitState.Succeeded ? status : undefined;
  }, `end of ${id}`);
}

/** Resolves to the unit's status once its job runs. */
export function running(workceptor: Workceptor, id: string): Promise<UnitStatus> {
  return eventually(async () => {
    const status = await workceptor.status(id);
    return status.State === UnitState.Running ? status : undefined;
  }, `${id} running`);
}

/** Resolves once the process with this pid is gone or a zombie. */
export async function processEnd(pid: number): Promise<void> {
  await eventually(async () => {
    try {
      return /^\d+ \(.*\) Z/.test(await Deno.readTextFile(`/proc/${pid}/stat`));
    } catch {
      return true;
    }
  }, `end of process ${pid}`);
}

export function pidIn({ Detail }: UnitStatus): number {
  return Number(/^Running: PID (\d+)$/.exec(Detail)![1]);
}
