/** The running backends of a configuration, which a reload starts, keeps and stops. */
import type { Backend, LinkPolicy } from "../backends/backend.ts";
import { ListenError } from "../backends/listen_address.ts";
import type { Log } from "../base/log.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import { localOnly } from "../config/actions/general.ts";
import { type Config, sameAction } from "../config/config.ts";
import { type ConfigError, InvalidConfigError } from "../config/config_error.ts";
import { failedAction } from "./failed_action.ts";
import { backendActions, type PreparedBackend } from "./prepare_backend.ts";

/** The slice of the mesh node that runs backends. */
export interface BackendHost {
  /** Runs `backend` until the result is disposed of, which resolves when its last link is down. */
  addBackend(backend: Backend, policy: LinkPolicy): HostedBackend;
}

export interface HostedBackend extends AsyncDisposable {
  /** Resolves when the backend has stopped, whether it was told to or not; never rejects. */
  readonly ended: Promise<unknown>;
}

export interface RunningBackendsDeps {
  readonly log: Log;
  readonly host: BackendHost;
  /** Checks a backend's parameters; rejects if one is wrong. */
  readonly prepare: (configured: Configured<ActionSpec>) => Promise<PreparedBackend>;
}

/** How many backends a configuration added, removed and left unchanged. */
export interface BackendChanges {
  readonly started: number;
  readonly stopped: number;
  readonly kept: number;
}

/** A backend that is checked, and perhaps open. */
interface Arrival {
  readonly configured: Configured<ActionSpec>;
  readonly prepared: PreparedBackend;
}

interface Opened extends Arrival {
  readonly backend: Backend;
}

interface Running extends Arrival {
  readonly hosted: HostedBackend;
  /** It stopped by itself: a peer without redial whose link is down. */
  ended: boolean;
}

/** Whether a configuration gives the node anything to do. */
export function hasBackend(config: Config): boolean {
  return config.find(localOnly) !== undefined || backendsOf(config).length > 0;
}

export class RunningBackends implements AsyncDisposable {
  readonly #deps: RunningBackendsDeps;
  #running: Running[] = [];
  #applying: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(deps: RunningBackendsDeps) {
    this.#deps = deps;
  }

  /**
   * Brings the running backends in line with `config`, completely or not at all: removed ones stop,
   * new ones start, and unchanged ones keep their links. Throws an `InvalidConfigError` that names
   * each action that cannot start; the backends are then the previous ones. One call at a time.
   */
  apply(config: Config): Promise<BackendChanges> {
    const applying = this.#apply(config);
    this.#applying = applying.catch(() => {});
    return applying;
  }

  /** Stops all backends, including those that an `apply` is about to start. May be repeated. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#applying;
    const running = this.#running;
    this.#running = [];
    await Promise.all(running.map(({ hosted }) => hosted[Symbol.asyncDispose]()));
  }

  async #apply(config: Config): Promise<BackendChanges> {
    const { kept, leaving, added } = compare(this.#running, backendsOf(config));
    const arrivals = await this.#prepare(added);
    const opened: Opened[] = [];
    const started: Running[] = [];
    let stopped: Running[] = [];
    try {
      // Open whatever can be opened beside the running backends, so that its failure costs no link.
      const heldPorts = new Set(leaving.map(({ prepared }) => prepared.port));
      const waiting = await this.#open(arrivals, { opened, heldPorts });
      this.#throwIfClosed();
      stopped = leaving.filter(({ ended }) => !ended);
      await stop(stopped);
      await this.#open(waiting, { opened, heldPorts: new Set() });
      this.#throwIfClosed();
      for (const item of opened) started.push(this.#run(item));
    } catch (error) {
      await Promise.all(opened.slice(started.length).map(giveBack));
      await stop(started).catch(() => {});
      this.#running = [...without(this.#running, stopped), ...await this.#again(stopped)];
      throw error;
    }
    this.#running = [...kept, ...started];
    return { started: started.length, stopped: leaving.length, kept: kept.length };
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new Error("the node is shutting down");
  }

  async #prepare(added: readonly Configured<ActionSpec>[]): Promise<Arrival[]> {
    const arrivals: Arrival[] = [];
    await eachOf(added, (configured) => configured, async (configured) => {
      arrivals.push({ configured, prepared: await this.#deps.prepare(configured) });
    });
    return arrivals;
  }

  /** Adds to `opened`; resolves to those that cannot be opened before one of `heldPorts` is free. */
  async #open(
    arrivals: readonly Arrival[],
    { opened, heldPorts }: { opened: Opened[]; heldPorts: ReadonlySet<number | undefined> },
  ): Promise<Arrival[]> {
    const waiting: Arrival[] = [];
    await eachOf(arrivals, ({ configured }) => configured, async (arrival) => {
      const { configured, prepared } = arrival;
      try {
        opened.push({ configured, prepared, backend: await prepared.open() });
      } catch (error) {
        const held = error instanceof ListenError && error.portTaken &&
          heldPorts.has(prepared.port);
        if (!held) throw error;
        waiting.push(arrival);
      }
    });
    return waiting;
  }

  #run({ configured, prepared, backend }: Opened): Running {
    let hosted: HostedBackend;
    try {
      hosted = this.#deps.host.addBackend(backend, prepared.policy);
    } catch (cause) {
      throw new InvalidConfigError([failedAction(configured, cause)]);
    }
    const running: Running = { configured, prepared, hosted, ended: false };
    void hosted.ended.then(() => running.ended = true);
    return running;
  }

  /** Restarts backends that were stopped for others that then could not start. */
  async #again(stopped: readonly Running[]): Promise<Running[]> {
    const running: Running[] = [];
    for (const { configured } of stopped) {
      if (this.#closed) break;
      try {
        // A backend runs once, so this is a new one.
        const prepared = await this.#deps.prepare(configured);
        running.push(this.#run({ configured, prepared, backend: await prepared.open() }));
      } catch (cause) {
        // Not among the running ones, so that the next reload tries again.
        const { message } = failedAction(configured, cause);
        this.#deps.log.error(`Cannot start again after a reload that failed: ${message}`);
      }
    }
    return running;
  }
}

function backendsOf(config: Config): Configured<ActionSpec>[] {
  return config.actions.filter((configured) => backendActions.handles(configured));
}

/** Pairs running backends with wanted ones, one to one. */
function compare(running: readonly Running[], wanted: readonly Configured<ActionSpec>[]) {
  const added = [...wanted];
  const kept: Running[] = [];
  const leaving: Running[] = [];
  for (const candidate of running) {
    const same = added.findIndex((action) => sameAction(action, candidate.configured));
    if (same >= 0) added.splice(same, 1);
    (same >= 0 ? kept : leaving).push(candidate);
  }
  return { kept, leaving, added };
}

function without<T>(list: readonly T[], others: readonly T[]): T[] {
  return list.filter((item) => !others.includes(item));
}

/** Stops all at once; throws afterwards if one could not. */
async function stop(backends: readonly Running[]): Promise<void> {
  const stops = await Promise.allSettled(
    backends.map(({ hosted }) => hosted[Symbol.asyncDispose]()),
  );
  const failures = stops.flatMap((result, index) =>
    result.status === "rejected" ? [failedAction(backends[index]!.configured, result.reason)] : []
  );
  if (failures.length > 0) throw new InvalidConfigError(failures);
}

/** An open backend gives back its port if it is run with an already aborted signal. */
async function giveBack({ backend }: Opened): Promise<void> {
  const noSession = () => Promise.resolve({ established: false });
  await backend.run(noSession, AbortSignal.abort()).catch(() => {});
}

/** Takes one step for each; after the last, throws an `InvalidConfigError` with all failures. */
async function eachOf<T>(
  items: readonly T[],
  configuredOf: (item: T) => Configured<ActionSpec>,
  step: (item: T) => Promise<void>,
): Promise<void> {
  const failures: ConfigError[] = [];
  for (const item of items) {
    try {
      await step(item);
    } catch (cause) {
      failures.push(failedAction(configuredOf(item), cause));
    }
  }
  if (failures.length > 0) throw new InvalidConfigError(failures);
}
