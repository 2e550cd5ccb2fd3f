/**
 * One daemon, ours or a reference peer, in a private folder: can be started, killed, restarted, and
 * queried over its control socket. It is ready when the control service greets and the log says so,
 * never after a sleep.
 */
import { join } from "node:path";
import {
  type ControlAddress,
  ControlSession,
  openResults,
  type StreamDigest,
  type Submission,
  submitWork,
} from "./control_session.ts";
import { eventually, PATIENCE_MS } from "./eventually.ts";
import type { Namespace } from "./namespaces.ts";
import { daemonCommand, type NodeKind } from "./peers.ts";
import { killMarked, MARK } from "./processes.ts";
import { Program } from "./program.ts";
import { TempFolder } from "./temp_folder.ts";

/** One entry of a config file: a bare word, or an action with its parameters. */
export type Action = string | Record<string, unknown>;

export interface TestNodeOptions {
  kind: NodeKind;
  id: string;
  /** In addition to `node`, `log-level` and `control-service`. */
  actions?: readonly Action[];
  /** Parameters of `node` other than `id` and `datadir`. */
  node?: Record<string, unknown>;
  /** The `control-service` parameters other than `filename`; `false` for no control service. */
  control?: Record<string, unknown> | false;
  logLevel?: "error" | "warning" | "info" | "debug";
  /** The form of the config file; `map` is that of `--config-v2`. By default, `list`. */
  form?: "list" | "map";
  env?: Record<string, string>;
  /** Where it runs, if not among the network interfaces of the test. */
  namespace?: Namespace;
}

/** A unit as `work status` shows it. */
export interface UnitStatus {
  Detail: string;
  ExtraData: unknown;
  State: number;
  StateName: string;
  StdoutSize: number;
  WorkType: string;
}

/** The part of `status` that tests use. */
export interface NodeStatus {
  NodeID: string;
  Connections: { NodeID: string; Cost: number }[] | null;
  RoutingTable: Record<string, string>;
  Advertisements: Record<string, unknown>[] | null;
  KnownConnectionCosts: Record<string, Record<string, number>>;
  [field: string]: unknown;
}

const BACKEND_ACTIONS = /^(local-only|(tcp|udp|ws)-(listener|peer))$/;

const GIVEN_ONCE = /^(node|log-level|trace|local-only|work-signing|work-verification)$/;

/** The same actions in the form of a map. */
function asMap(actions: readonly Action[]): Record<string, unknown> {
  const map: Record<string, unknown> = {};
  for (const action of actions) {
    // The Go daemon takes an empty `local-only` for none.
    const [name, value] = typeof action === "string"
      ? [action, { local: true }]
      : Object.entries(action)[0]!;
    if (GIVEN_ONCE.test(name)) map[name] = value;
    else map[`${name}s`] = [...(map[`${name}s`] as unknown[] | undefined ?? []), value];
  }
  return map;
}

const wallSecond = () => Math.floor(Date.now() / 1000);

export class TestNode implements AsyncDisposable {
  readonly kind: NodeKind;
  readonly id: string;
  readonly #folder: TempFolder;
  readonly #options: TestNodeOptions;
  #program: Program | undefined;
  #earlierLogs = "";
  #readyMs = 0;
  #startSecond = 0;

  private constructor(options: TestNodeOptions, folder: TempFolder) {
    this.#options = options;
    this.#folder = folder;
    this.kind = options.kind;
    this.id = options.id;
  }

  /** Starts a node and waits until it is ready. */
  static async start(options: TestNodeOptions): Promise<TestNode> {
    const node = new TestNode(options, await TempFolder.create());
    try {
      await node.restart();
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The private folder: config, socket, `data`. */
  get folder(): string {
    return this.#folder.path;
  }

  get configPath(): string {
    return this.#folder.join("node.yml");
  }

  /** The control service's unix socket. */
  get socket(): string {
    return this.#folder.join("control.sock");
  }

  get address(): ControlAddress {
    return { path: this.socket };
  }

  /** `datadir`; the units are in `<datadir>/<node id>/<unit id>`. */
  get dataFolder(): string {
    return this.#folder.join("data");
  }

  unitFolder(unitId: string): string {
    return join(this.dataFolder, this.id, unitId);
  }

  /** Waits until no unit has a folder and none is listed. */
  async waitForNoUnits(): Promise<void> {
    await eventually(async () => (await this.unitFolders()).length === 0, {
      what: `the end of all units on ${this.id}`,
    });
    // A folder is gone a moment before its unit is forgotten.
    await eventually(async () => Object.keys(await this.json("work list") as object).length === 0, {
      what: `an empty list of units on ${this.id}`,
    });
  }

  /** Ids of the units that have a folder. */
  async unitFolders(): Promise<string[]> {
    const found: string[] = [];
    try {
      for await (const entry of Deno.readDir(join(this.dataFolder, this.id))) {
        if (entry.isDirectory) found.push(entry.name);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return found;
  }

  get program(): Program {
    if (this.#program === undefined) throw new Error(`Node ${this.id} has not been started`);
    return this.#program;
  }

  get pid(): number {
    return this.program.pid;
  }

  /** Milliseconds from the daemon's latest start to its greeting. */
  get readyMs(): number {
    return this.#readyMs;
  }

  /** Everything that the daemon has printed, over all its lives. */
  get log(): string {
    return this.#earlierLogs + (this.#program?.output ?? "");
  }

  /** Resolves when the present life of the daemon has printed `pattern`. */
  waitForLog(pattern: RegExp, timeoutMs = PATIENCE_MS): Promise<RegExpMatchArray> {
    return this.program.waitForOutput(pattern, timeoutMs);
  }

  /** The config file's actions in order. */
  get actions(): Action[] {
    const { node, control, logLevel = "debug", actions = [] } = this.#options;
    const backend = actions.some((action) =>
      (typeof action === "string" ? [action] : Object.keys(action))
        .some((name) => BACKEND_ACTIONS.test(name))
    );
    return [
      { node: { id: this.id, datadir: this.dataFolder, ...node } },
      { "log-level": { level: logLevel } },
      ...(control === false
        ? []
        : [{ "control-service": { service: "control", ...control, filename: this.socket } }]),
      ...(backend ? [] : ["local-only"]),
      ...actions,
    ];
  }

  /** Replaces the actions of the next start (or `reload`) and writes the config file. */
  async configure(actions: readonly Action[]): Promise<void> {
    this.#options.actions = actions;
    await this.#writeConfig();
  }

  /** Starts the daemon (again) on the same folders; stops it first if it runs. */
  async restart(): Promise<void> {
    if (this.#program?.running) await this.stop();
    this.#earlierLogs = this.log;
    await this.#writeConfig();
    if (this.kind !== "ours") await this.#nextSecond();
    const start = performance.now();
    const form = this.#options.form === "map" ? ["--config-v2"] : [];
    const daemon = this.#options.namespace?.daemon(this.kind) ?? daemonCommand(this.kind);
    const command = [...daemon, ...form, "--config", this.configPath];
    this.#program = Program.start(command, {
      env: { ...this.#options.env, [MARK]: this.#mark },
      cwd: this.folder,
    });
    if (this.#options.control !== false) await this.#ready(this.#program);
    this.#readyMs = performance.now() - start;
    this.#startSecond = wallSecond();
  }

  /** Sends SIGTERM and waits for the end. */
  async stop(): Promise<void> {
    await this.program.stop("SIGTERM");
  }

  /** SIGKILL: the daemon has no chance to save anything. Its jobs run on. */
  async kill(): Promise<void> {
    await this.program.kill();
  }

  /** Simulates a crash of the machine: the daemon and all its jobs get SIGKILL. */
  async killWithJobs(): Promise<void> {
    await this.program.kill();
    await killMarked(this.#mark);
  }

  /** A control session; close it, or hold it with `await using`. */
  session(): Promise<ControlSession> {
    return ControlSession.open(this.address);
  }

  /** One command over a separate session; the reply is JSON. */
  async json(line: string | Record<string, unknown>): Promise<Record<string, unknown>> {
    await using session = await this.session();
    return await session.json(line);
  }

  async status(): Promise<NodeStatus> {
    return (await this.json("status")) as NodeStatus;
  }

  /** Resolves when the routing table leads to every one of `nodes`. */
  async waitForRoute(...nodes: string[]): Promise<void> {
    await eventually(
      async () => {
        const { RoutingTable } = await this.status();
        return nodes.every((node) => RoutingTable?.[node] !== undefined);
      },
      { what: `a route from ${this.id} to ${nodes.join(", ")}`, timeoutMs: PATIENCE_MS },
    );
  }

  /** Resolves when no route leads to `node` any more. */
  async waitForNoRoute(node: string): Promise<void> {
    await eventually(
      async () => (await this.status()).RoutingTable?.[node] === undefined,
      { what: `the end of the route from ${this.id} to ${node}` },
    );
  }

  /** Submits a unit; resolves to its id. */
  submit(submission: Submission): Promise<string> {
    return submitWork(this.address, submission);
  }

  /** A session that carries the unit's output from `startpos` to its end. */
  results(unitId: string, startpos = 0): Promise<ControlSession> {
    return openResults(this.address, unitId, startpos);
  }

  /** The unit's output as text, once the unit is complete. */
  async resultText(unitId: string, startpos = 0): Promise<string> {
    await using results = await this.results(unitId, startpos);
    return new TextDecoder().decode(await results.readAll());
  }

  /** Size and SHA-256 of the unit's output, once the unit is complete. */
  async resultDigest(unitId: string, startpos = 0): Promise<StreamDigest> {
    await using results = await this.results(unitId, startpos);
    return await results.digestAll();
  }

  async unitStatus(unitId: string): Promise<UnitStatus> {
    return (await this.json(`work status ${unitId}`)) as unknown as UnitStatus;
  }

  /** Resolves when the unit is in one of `states`; fails at once when it ended in another. */
  async waitForUnit(
    unitId: string,
    states: readonly string[] = ["Succeeded", "Failed", "Canceled"],
    timeoutMs = PATIENCE_MS,
  ): Promise<UnitStatus> {
    return await eventually(
      async () => {
        const status = await this.unitStatus(unitId);
        return states.includes(status.StateName) ? status : undefined;
      },
      { what: `unit ${unitId} on ${this.id} to become ${states.join(" or ")}`, timeoutMs },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.kill();
    await killMarked(this.#mark);
    await eventually(() => this.#folder[Symbol.asyncDispose]().then(() => true), {
      what: `the removal of ${this.folder}`,
    });
  }

  /** In the environment of the daemon and of all its descendants. */
  get #mark(): string {
    return this.#folder.path;
  }

  /**
   * Waits until the second of the latest start is over: a Go daemon tells its lives apart by the
   * second in which they began, and orders those of one second by chance.
   */
  async #nextSecond(): Promise<void> {
    await eventually(() => wallSecond() > this.#startSecond, { what: "the next second" });
  }

  async #writeConfig(): Promise<void> {
    // One JSON value per line is also YAML.
    const text = this.#options.form === "map"
      ? Object.entries(asMap(this.actions)).map(([key, value]) =>
        `${key}: ${JSON.stringify(value)}\n`
      )
      : this.actions.map((action) => `- ${JSON.stringify(action)}\n`);
    await Deno.writeTextFile(this.configPath, text.join(""));
  }

  async #ready(program: Program): Promise<void> {
    await eventually(
      async () => {
        // A daemon that has ended will not become ready, so do not wait.
        if (!program.running) return true;
        (await this.session()).close();
        return true;
      },
      {
        what: () => `node ${this.id} to become ready; it printed:\n${program.output}`,
        intervalMs: 2,
      },
    );
    // The Go daemon greets before it knows its work types.
    const { logLevel = "debug" } = this.#options;
    if (program.running && (logLevel === "info" || logLevel === "debug")) {
      await program.waitForOutput(/Initialization complete/).catch((error) => {
        if (program.running) throw error;
      });
    }
    if (!program.running) {
      const { code, signal } = await program.exited;
      throw new Error(
        `Node ${this.id} ended with ${signal ?? `code ${code}`} at its start:\n${program.output}`,
      );
    }
  }
}
