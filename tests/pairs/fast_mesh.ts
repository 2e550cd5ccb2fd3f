/**
 * A ring of whole nodes in this process, with mesh, control service and work: links in memory that
 * can be cut at any byte, real jobs on real folders, and time that runs some twenty times as fast.
 */
import type { Session } from "../../lib/backends/backend.ts";
import { MemoryBackend, memorySessionPair } from "../../lib/backends/memory.ts";
import { meshCaller, serveConnections } from "../../lib/control/accept_loop.ts";
import { ControlServer } from "../../lib/control/server.ts";
import { Netceptor, type RunningBackend } from "../../lib/netceptor/netceptor.ts";
import type { Workceptor } from "../../lib/workceptor/workceptor.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { DEFAULT_POLICY } from "../sim/sim_mesh.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { eventually } from "../support/eventually.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { startWorkceptor, type WorkceptorSetup } from "../workceptor/_harness.ts";

/** Virtual milliseconds that pass at each turn of the pump, which takes about one real one. */
const STEP_MS = 20;

type WorkTypes = NonNullable<WorkceptorSetup["types"]>;

/** One life of a node. */
interface Life {
  readonly netceptor: Netceptor;
  readonly work: Workceptor;
  readonly ended: AbortController;
  readonly stop: () => Promise<void>;
}

interface Link {
  readonly ends: readonly [string, string];
  sessions: [MeteredSession, MeteredSession] | undefined;
  backends: RunningBackend[];
}

export class FastMesh implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly log = new RecordingLog();
  readonly #folder: TempFolder;
  readonly #types: WorkTypes;
  readonly #lives = new Map<string, Life>();
  /** Lives that are being begun, by node. */
  readonly #starting = new Map<string, Promise<void>>();
  /** Lives that have not ended yet, by node. */
  readonly #stopping = new Map<string, Promise<void>>();
  readonly #links: Link[];
  readonly #over = new AbortController();
  readonly #pumping: Promise<void>;
  readonly #ending = new Set<Promise<void>>();
  #seed: number;

  private constructor(
    folder: TempFolder,
    { seed, nodes, types }: FastMeshOptions,
  ) {
    this.#folder = folder;
    this.#types = types;
    this.#seed = seed;
    this.#links = nodes.map((id, index) => ({
      ends: [id, nodes[(index + 1) % nodes.length]!],
      sessions: undefined,
      backends: [],
    }));
    this.#pumping = this.#pump();
  }

  static async start(options: FastMeshOptions): Promise<FastMesh> {
    const mesh = new FastMesh(await TempFolder.create(), options);
    for (const id of options.nodes) await mesh.startNode(id);
    for (const index of options.nodes.keys()) mesh.heal(index);
    return mesh;
  }

  get linkCount(): number {
    return this.#links.length;
  }

  /** The work of a node's present life; `undefined` while it is away. */
  work(id: string): Workceptor | undefined {
    return this.#lives.get(id)?.work;
  }

  netceptor(id: string): Netceptor | undefined {
    return this.#lives.get(id)?.netceptor;
  }

  /** Aborts when the present life of a node ends. */
  lifeOf(id: string): AbortSignal {
    return this.#lives.get(id)?.ended.signal ?? AbortSignal.abort();
  }

  /** Bytes that all links have carried so far. */
  carried = 0;

  /** Ids of units that have a folder on node `id`. */
  unitFolders(id: string): string[] {
    return [...Deno.readDirSync(this.#folder.join(id, id))].map(({ name }) => name);
  }

  /** Breaks a link now, or once it has carried so many bytes more; new sessions wait for `heal`. */
  cut(index: number, afterBytes = 0): void {
    const { sessions } = this.#links[index]!;
    if (sessions === undefined) return;
    if (afterBytes > 0) sessions[0].meter.left = afterBytes;
    else for (const session of sessions) session.close();
  }

  /** Makes a link anew unless it is up, or one of its nodes is away. */
  heal(index: number): void {
    const link = this.#links[index]!;
    if (link.sessions?.some(({ meter }) => !meter.isBroken)) {
      link.sessions[0].meter.left = Infinity;
      return;
    }
    const [a, b] = link.ends.map((id) => this.#lives.get(id)?.netceptor);
    if (a === undefined || b === undefined) return;
    for (const backend of link.backends) this.#await(backend[Symbol.asyncDispose]());
    const meter: Meter = { left: Infinity, isBroken: false };
    const onBytes = (count: number) => this.carried += count;
    const pair = memorySessionPair([link.ends[0], link.ends[1]]);
    link.sessions = [
      new MeteredSession(pair[0], meter, onBytes, () => pair[1].close()),
      new MeteredSession(pair[1], meter, onBytes, () => pair[0].close()),
    ];
    link.backends = [a, b].map((netceptor, side) => {
      const backend = new MemoryBackend();
      backend.offer(link.sessions![side]!);
      return netceptor.addBackend(backend, DEFAULT_POLICY);
    });
  }

  /** Begins a node's next life, unless it has one or that is being begun. */
  startNode(id: string): Promise<void> {
    const starting = this.#starting.get(id) ??
      this.#startNode(id).finally(() => this.#starting.delete(id));
    this.#starting.set(id, starting);
    return starting;
  }

  async #startNode(id: string): Promise<void> {
    await this.#stopping.get(id);
    if (this.#lives.has(id)) return;
    const { clock, log } = this;
    const random = seededRandom(this.#seed++);
    const netceptor = new Netceptor({ log, clock, random }, { nodeId: id });
    const work = await startWorkceptor(this.#folder.join(id), {
      nodeId: id,
      types: this.#types,
      parts: { clock, random, mesh: netceptor, log },
    });
    const server = new ControlServer({
      mesh: netceptor,
      system: { version: "test", cpuCount: 1, memoryMiB: 1 },
      work,
      clock,
      log,
    });
    const ended = new AbortController();
    const listener = await netceptor.listen("control");
    const serving = serveConnections(server, listener, meshCaller, ended.signal);
    const stop = async () => {
      ended.abort(new Error(`${id} stops`));
      await listener[Symbol.asyncDispose]();
      await serving;
      await work[Symbol.asyncDispose]();
      await netceptor[Symbol.asyncDispose]();
    };
    this.#lives.set(id, { netceptor, work, ended, stop });
  }

  /** Ends a node's life; with `suddenly`, its neighbours hear nothing of it before. */
  async stopNode(id: string, suddenly: boolean): Promise<void> {
    const life = this.#lives.get(id);
    if (life === undefined) return;
    this.#lives.delete(id);
    if (suddenly) this.#cutOff(id);
    const stopping = life.stop().finally(() => this.#stopping.delete(id));
    this.#stopping.set(id, stopping);
    await stopping;
    this.#cutOff(id);
  }

  /** Starts what is away and heals all links; resolves when all routes are there. */
  async restore(): Promise<void> {
    await eventually(async () => {
      for (const [index, { ends: [id] }] of this.#links.entries()) {
        await this.startNode(id);
        // A node refuses a new link as long as it holds the old one, so this is done again.
        this.heal(index);
      }
      return this.#hasShortestRoutes();
    }, { what: "shortest routes in the ring" });
  }

  /** Whether the way to each neighbour is the link to it, and there is a way to everybody. */
  #hasShortestRoutes(): boolean {
    const tables = new Map(
      Array.from(this.#lives, ([id, { netceptor }]) => [id, netceptor.status().RoutingTable]),
    );
    return this.#links.every(({ ends: [one, other] }) =>
      tables.get(one)?.[other] === other && tables.get(other)?.[one] === one &&
      Object.keys(tables.get(one)!).length === this.#links.length - 1
    );
  }

  /** Resolves after `ms` of virtual time. */
  async pass(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.clock.after(ms, resolve);
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#lives.keys()].map((id) => this.stopNode(id, true)));
    for (const { backends } of this.#links) {
      for (const backend of backends) this.#await(backend[Symbol.asyncDispose]());
    }
    await Promise.all(this.#ending);
    this.#over.abort();
    await this.#pumping;
    await this.#folder[Symbol.asyncDispose]();
  }

  #cutOff(id: string): void {
    for (const [index, { ends }] of this.#links.entries()) if (ends.includes(id)) this.cut(index);
  }

  #await(task: PromiseLike<void>): void {
    const ending = Promise.resolve(task).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async #pump(): Promise<void> {
    while (!this.#over.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await this.clock.advance(STEP_MS);
    }
  }
}

export interface FastMeshOptions {
  readonly seed: number;
  /** In the order of the ring. */
  readonly nodes: readonly string[];
  readonly types: WorkTypes;
}

/** What the two ends of a session share. */
interface Meter {
  /** Bytes that still pass before it breaks. */
  left: number;
  isBroken: boolean;
}

class MeteredSession implements Session {
  readonly description: string;
  readonly meter: Meter;
  readonly #session: Session;
  readonly #onBytes: (count: number) => void;
  readonly #closeOther: () => void;

  constructor(
    session: Session,
    meter: Meter,
    onBytes: (count: number) => void,
    closeOther: () => void,
  ) {
    this.description = session.description;
    this.#session = session;
    this.meter = meter;
    this.#onBytes = onBytes;
    this.#closeOther = closeOther;
  }

  receive(): ReturnType<Session["receive"]> {
    return this.#session.receive();
  }

  async send(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#onBytes(frames.length);
    this.meter.left -= frames.length;
    if (this.meter.left <= 0) this.close();
    await this.#session.send(frames);
  }

  close(): void {
    this.meter.isBroken = true;
    this.#session.close();
    this.#closeOther();
  }
}
