/** A running node, assembled from its configuration: every part is created and ended here. */
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/default_socket.ts";
import type { Random } from "../base/random.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import { node as nodeAction } from "../config/actions/general.ts";
import { workSigning } from "../config/actions/workers.ts";
import type { Config } from "../config/config.ts";
import { InvalidConfigError } from "../config/config_error.ts";
import { ReloadError, ReloadErrorCode } from "../control/reload_error.ts";
import { ControlServer } from "../control/server.ts";
import type { WorkService } from "../control/work_service.ts";
import { readSystemInfo } from "../control/system_info.ts";
import { Netceptor } from "../netceptor/netceptor.ts";
import { loadUnregistered } from "../workceptor/command/command_work_type.ts";
import { interruptible } from "../workceptor/command/interruptible.ts";
import { NativeSpawner } from "../workceptor/command/native_spawner.ts";
import { REMOTE_WORK_TYPE } from "../workceptor/remote/remote_extra_data.ts";
import { RemoteWork } from "../workceptor/remote/remote_work_type.ts";
import { StoreInUseError } from "../workceptor/unit_store.ts";
import { Workceptor } from "../workceptor/workceptor.ts";
import { prepareBackend } from "./backends.ts";
import { ControlSockets } from "./control_sockets.ts";
import { failedAction } from "./failed_action.ts";
import type { DaemonLog } from "./logging.ts";
import { holdsUnits, noUnits } from "./no_units.ts";
import { type NodeObserver, Observers } from "./observers.ts";
import { backendActions } from "./prepare_backend.ts";
import { checkReloadable } from "./reload.ts";
import { type ActionChanges, RunningActions } from "./running_actions.ts";
import { Security } from "./security.ts";
import { isService, prepareService } from "./services.ts";
import { VERSION } from "./version.ts";
import { workerActions, type WorkTypeDeps } from "./work_types.ts";

/** Used if there is no `node` action, which would have had this default. */
const DEFAULT_DATA_FOLDER = nodeAction.parameters.datadir.default;

/** Where to look for commands if the environment has no PATH (execvp's own default). */
const DEFAULT_SEARCH_PATH = "/bin:/usr/bin";

export interface DaemonDeps {
  readonly log: DaemonLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly environment: Environment;
  /** Reads the configuration again, for `reload`; throws an `InvalidConfigError`. */
  readonly readConfig: () => Promise<Config>;
  /** These are told what happens in the node. */
  readonly observers?: readonly NodeObserver[];
}

export class Daemon implements AsyncDisposable {
  /** Resolves if the node can no longer run, such as when another one has its id. */
  readonly failed: Promise<Error>;
  readonly #deps: DaemonDeps;
  readonly #observer: NodeObserver;
  readonly #security: Security;
  readonly #netceptor: Netceptor;
  /** Absent where only Deno can start jobs. */
  readonly #spawner: NativeSpawner | undefined;
  readonly #workceptor: Workceptor;
  /** Backends and services. */
  readonly #running: RunningActions;
  /** What to stop, in reverse order of its start. */
  readonly #parts = new AsyncDisposableStack();
  /** What units of work use to the last. */
  readonly #underUnits = this.#parts.use(new AsyncDisposableStack());
  #config: Config;
  /** Reloads run one after the other. */
  #reloading: Promise<void> = Promise.resolve();

  private constructor(
    config: Config,
    deps: DaemonDeps,
    { security, observer }: { security: Security; observer: Required<NodeObserver> },
  ) {
    const { log, clock, random, environment } = deps;
    const settings = config.find(nodeAction)?.values;
    this.#config = config;
    this.#deps = deps;
    this.#observer = observer;
    this.#security = this.#parts.use(security);
    this.#netceptor = this.#parts.use(
      new Netceptor({ log, clock, random, observer }, {
        nodeId: config.nodeId,
        maxIdleTimeoutMs: settings?.maxidleconnectiontimeout,
        firewallRules: settings?.firewallrules,
        trace: log.tracing ? (line) => log.trace(line) : undefined,
      }),
    );
    this.failed = this.#netceptor.failed;
    this.#spawner = this.#parts.use(NativeSpawner.open());
    this.#workceptor = this.#parts.use(
      new Workceptor({
        log,
        clock,
        random,
        verifySignature: security.verifySignature,
        loadUnregistered,
        observer,
      }, {
        dataDir: settings?.datadir ?? DEFAULT_DATA_FOLDER,
        nodeId: config.nodeId,
        signFor: config.find(workSigning)?.values.signfor,
      }),
    );
    const backendDeps = { log, clock, random, environment, security, observer };
    const serviceDeps = { log, clock, random, mesh: this.#netceptor, security, observer };
    this.#running = this.#parts.use(
      new RunningActions({
        log,
        prepare: (configured) =>
          isService(configured)
            ? prepareService(configured, serviceDeps)
            : prepareBackend(configured, backendDeps, this.#netceptor),
      }),
    );
  }

  /**
   * Starts a node. Resolves when it serves its control sockets and its backends are running. Throws
   * a `ConfigError` or `InvalidConfigError` that names the action that cannot run; whatever had
   * started is then stopped.
   */
  static async start(config: Config, deps: DaemonDeps): Promise<Daemon> {
    await using unlessStarted = new AsyncDisposableStack();
    const observer = new Observers(deps.log, deps.observers).all;
    const security = unlessStarted.use(await Security.load(config, { ...deps, observer }));
    const daemon = unlessStarted.use(new Daemon(config, deps, { security, observer }));
    await daemon.#start();
    unlessStarted.move();
    return daemon;
  }

  async #start(): Promise<void> {
    const { log, clock, random, environment } = this.#deps;
    const remoteWork = new RemoteWork({
      mesh: this.#netceptor,
      clock,
      random,
      tlsClient: (name) => this.#security.clientTls(name),
      signWork: this.#security.signWork,
    }, this.#config);
    this.#parts.use(remoteWork);
    this.#workceptor.registerWorkType(REMOTE_WORK_TYPE, remoteWork);
    const searchPath = environment("PATH") ?? DEFAULT_SEARCH_PATH;
    const kubernetes = this.#kubernetes();
    for (const configured of this.#config.actions) {
      if (!workerActions.handles(configured)) continue;
      try {
        const { name, type } = await workerActions.handle(configured, {
          searchPath,
          spawner: this.#spawner,
          kubernetes,
        });
        this.#workceptor.registerWorkType(name, type);
      } catch (cause) {
        throw failedAction(configured, cause);
      }
    }
    this.#netceptor.advertiseWorkTypes(this.#workceptor.workTypes());
    this.#parts.use(await interruptible());
    const work = await this.#openDataFolder();
    const server = new ControlServer({
      mesh: this.#netceptor,
      system: readSystemInfo(VERSION),
      work,
      reload: () => this.reload(),
      clientTls: (name) => this.#security.clientTls(name),
      expiringCertificates: () => this.#security.expiringCertificates(),
      clock,
      log,
    });
    this.#parts.use(
      await ControlSockets.open(
        {
          log,
          clock,
          random,
          mesh: this.#netceptor,
          server,
          environment,
          security: this.#security,
          observer: this.#observer,
        },
        this.#config,
      ),
    );
    await this.#running.apply(runningActions(this.#config));
  }

  /** Clusters are loaded and opened when the first work type needs them. */
  #kubernetes(): WorkTypeDeps["kubernetes"] {
    let opened: ReturnType<WorkTypeDeps["kubernetes"]> | undefined;
    const open = async () => {
      const { openKubernetes } = await import("./kubernetes.ts");
      const node = this.#config.find(nodeAction)?.values;
      const { nodeId } = this.#config;
      const dataDir = node?.datadir ?? DEFAULT_DATA_FOLDER;
      const kubernetes = openKubernetes(this.#deps, { nodeId, dataDir, node });
      this.#underUnits.use(kubernetes.clusters);
      await kubernetes.clusters.resume();
      return kubernetes;
    };
    return () => opened ??= open();
  }

  /**
   * Two nodes with one id must not share units, since both would start their jobs. But a node
   * without work types may run beside one that has kept no units so far, as in the original.
   */
  async #openDataFolder(): Promise<WorkService> {
    try {
      await this.#workceptor.start();
      return this.#workceptor;
    } catch (cause) {
      const takesWork = this.#workceptor.workTypes().length > 0;
      if (cause instanceof StoreInUseError && !takesWork && !await holdsUnits(cause.folder)) {
        this.#deps.log.warning(`${cause.message}: this node takes no work`);
        return noUnits(cause.message);
      }
      const position = this.#config.find(nodeAction)?.position ?? { kind: "implicit" };
      throw failedAction({ action: nodeAction, position }, cause, "datadir");
    }
  }

  /**
   * Reads the configuration again and applies it to backends and services; those that did not
   * change keep their links and connections, and jobs and streams go on. Throws a `ReloadError`, after which the node runs on
   * unchanged.
   */
  reload(): Promise<void> {
    const reload = this.#reloading.then(() => this.#reload());
    this.#reloading = reload.catch(() => {});
    return reload;
  }

  async #reload(): Promise<void> {
    const { log, readConfig } = this.#deps;
    log.debug("Reloading");
    const after = await brokenConfigAsReloadError(readConfig());
    checkReloadable(this.#config, after);
    const changes = await brokenConfigAsReloadError(this.#running.apply(runningActions(after)));
    this.#config = after;
    for (const warning of after.warnings) log.warning(warning);
    log.info(`Configuration reloaded: ${describeChanges(changes)}`);
  }

  /** Stops everything in reverse order of its start; jobs go on without us. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#netceptor.leaveServicesOnRecord();
    await this.#parts.disposeAsync();
  }
}

function runningActions({ actions }: Config): Configured<ActionSpec>[] {
  return actions.filter((configured) =>
    backendActions.handles(configured) || isService(configured)
  );
}

function describeChanges(changes: ActionChanges): string {
  const describe = (what: string, belongs: (configured: Configured<ActionSpec>) => boolean) => {
    const count = (list: readonly Configured<ActionSpec>[]) => list.filter(belongs).length;
    const { started, stopped, kept } = changes;
    return `${what} started ${count(started)}, stopped ${count(stopped)}, unchanged ${count(kept)}`;
  };
  const backends = describe("backends", (configured) => backendActions.handles(configured));
  return Object.values(changes).some((list) => list.some(isService))
    ? `${backends}; ${describe("services", isService)}`
    : backends;
}

async function brokenConfigAsReloadError<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (cause) {
    if (!(cause instanceof InvalidConfigError)) throw cause;
    // On one line: it is the value of a field in a reply.
    const message = cause.errors.map((error) => error.message).join("; ");
    throw new ReloadError(message, ReloadErrorCode.BrokenConfig, { cause });
  }
}
