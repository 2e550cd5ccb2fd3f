/** The running backends and services of a configuration, which a reload starts, keeps and stops. */
import { ListenError } from "../backends/listen_address.ts";
import type { Log } from "../base/log.ts";
import { SocketInUseError } from "../base/unix_listener.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import { sameAction } from "../config/config.ts";
import { type ConfigError, InvalidConfigError } from "../config/config_error.ts";
import { ServiceTakenError } from "../netceptor/service_registry.ts";
import { InterfaceTakenError } from "../services/ip/tun_device.ts";
import { failedAction } from "./failed_action.ts";

/** An action whose parameters are all valid, and which holds nothing yet. */
export interface PreparedAction {
  /** What `open` takes that only one can have, such as `tcp 7323`. */
  readonly holds?: readonly string[] | undefined;
  /** It needs the others (a service its links), so it stops before them. */
  readonly stopsFirst?: true;
  /** Binds its port, or whatever it holds. */
  open(): Promise<OpenAction>;
}

/** An action that can run at once; disposing it instead gives back what it holds. */
export interface OpenAction extends AsyncDisposable {
  /** From now on, disposing the result stops it. */
  run(): RunningAction;
}

export interface RunningAction extends AsyncDisposable {
  /** Resolves when it has stopped, whether it was told to or not; never rejects. */
  readonly ended: Promise<unknown>;
}

export interface RunningActionsDeps {
  readonly log: Log;
  /** Checks an action's parameters; rejects if one is wrong. */
  readonly prepare: (configured: Configured<ActionSpec>) => Promise<PreparedAction>;
}

/** The actions that a configuration added, removed and left unchanged. */
export interface ActionChanges {
  readonly started: readonly Configured<ActionSpec>[];
  readonly stopped: readonly Configured<ActionSpec>[];
  readonly kept: readonly Configured<ActionSpec>[];
}

/** An action that is checked, and perhaps open. */
interface Arrival {
  readonly configured: Configured<ActionSpec>;
  readonly prepared: PreparedAction;
}

interface Opened extends Arrival {
  readonly open: OpenAction;
}

interface Running extends Arrival {
  readonly action: RunningAction;
  /** It stopped by itself: a peer without redial whose link is down. */
  ended: boolean;
}

export class RunningActions implements AsyncDisposable {
  readonly #deps: RunningActionsDeps;
  #running: Running[] = [];
  #applying: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(deps: RunningActionsDeps) {
    this.#deps = deps;
  }

  /**
   * Brings the running actions in line with `wanted`, completely or not at all: removed ones stop,
   * new ones start, and unchanged ones keep their links and connections. Throws an
   * `InvalidConfigError` that names each action that cannot start; those running are then the
   * previous ones. One call at a time.
   */
  apply(wanted: readonly Configured<ActionSpec>[]): Promise<ActionChanges> {
    const applying = this.#apply(wanted);
    this.#applying = applying.catch(() => {});
    return applying;
  }

  /** Stops everything, including what an `apply` is about to start. May be repeated. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#applying;
    const running = this.#running;
    this.#running = [];
    await stop(running);
  }

  async #apply(wanted: readonly Configured<ActionSpec>[]): Promise<ActionChanges> {
    const { kept, leaving, added } = compare(this.#running, wanted);
    const arrivals = await this.#prepare(added);
    const opened: Opened[] = [];
    const started: Running[] = [];
    let stopped: Running[] = [];
    try {
      // Open whatever can be opened beside what runs, so that its failure costs no link.
      const held = new Set(leaving.flatMap(({ prepared: { holds = [] } }) => holds));
      const waiting = await this.#open(arrivals, { opened, held });
      this.#throwIfClosed();
      stopped = leaving.filter(({ ended }) => !ended);
      await stop(stopped);
      await this.#open(waiting, { opened, held: new Set() });
      this.#throwIfClosed();
      for (const item of opened) started.push(this.#run(item));
    } catch (error) {
      await Promise.all(opened.slice(started.length).map(giveBack));
      await stop(started).catch(() => {});
      this.#running = [...without(this.#running, stopped), ...await this.#again(stopped)];
      throw error;
    }
    this.#running = [...kept, ...started];
    return { started: started.map(what), stopped: leaving.map(what), kept: kept.map(what) };
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

  /** Adds to `opened`; resolves to those that cannot be opened before something `held` is free. */
  async #open(
    arrivals: readonly Arrival[],
    { opened, held }: { opened: Opened[]; held: ReadonlySet<string> },
  ): Promise<Arrival[]> {
    const waiting: Arrival[] = [];
    await eachOf(arrivals, what, async (arrival) => {
      const { prepared } = arrival;
      try {
        opened.push({ ...arrival, open: await prepared.open() });
      } catch (error) {
        const { holds = [] } = prepared;
        if (!isTaken(error) || !holds.some((what) => held.has(what))) throw error;
        waiting.push(arrival);
      }
    });
    return waiting;
  }

  #run({ configured, prepared, open }: Opened): Running {
    let action: RunningAction;
    try {
      action = open.run();
    } catch (cause) {
      throw new InvalidConfigError([failedAction(configured, cause)]);
    }
    const running: Running = { configured, prepared, action, ended: false };
    void action.ended.then(() => running.ended = true);
    return running;
  }

  /** Restarts actions that were stopped for others that then could not start. */
  async #again(stopped: readonly Running[]): Promise<Running[]> {
    const running: Running[] = [];
    for (const { configured } of stopped) {
      if (this.#closed) break;
      try {
        // An action runs once, so this is a new one.
        const prepared = await this.#deps.prepare(configured);
        running.push(this.#run({ configured, prepared, open: await prepared.open() }));
      } catch (cause) {
        // Not among the running ones, so that the next reload tries again.
        const { message } = failedAction(configured, cause);
        this.#deps.log.error(`Cannot start again after a reload that failed: ${message}`);
      }
    }
    return running;
  }
}

/** Pairs running actions with wanted ones, one to one. */
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

function what({ configured }: Arrival): Configured<ActionSpec> {
  return configured;
}

/** Whether an action could not be opened because somebody else has what it takes. */
function isTaken(error: unknown): boolean {
  return error instanceof ListenError && error.portTaken ||
    error instanceof ServiceTakenError || error instanceof SocketInUseError ||
    error instanceof InterfaceTakenError;
}

function without<T>(list: readonly T[], others: readonly T[]): T[] {
  return list.filter((item) => !others.includes(item));
}

/** Stops all, those that need the others first; throws afterwards if one could not. */
async function stop(actions: readonly Running[]): Promise<void> {
  const failures: ConfigError[] = [];
  const stopAll = (some: readonly Running[]) =>
    Promise.all(some.map(async ({ configured, action }) => {
      try {
        await action[Symbol.asyncDispose]();
      } catch (cause) {
        failures.push(failedAction(configured, cause));
      }
    }));
  const first = actions.filter(({ prepared }) => prepared.stopsFirst);
  await stopAll(first);
  await stopAll(without(actions, first));
  if (failures.length > 0) throw new InvalidConfigError(failures);
}

async function giveBack({ open }: Opened): Promise<void> {
  try {
    await open[Symbol.asyncDispose]();
  } catch {
    // What counts is what prevented the others from starting.
  }
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
