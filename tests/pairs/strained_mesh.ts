/**
 * A mesh with TLS on every link and every control service, whose nodes and links a test breaks and
 * repairs: `a` submits, `c` executes, `b` lies between them, and in the ring `d` is the detour.
 */
import { join } from "node:path";
import { type Certificates, certificatesIn, makeCertificates } from "../support/certificates.ts";
import { EchoJob } from "../support/echo_job.ts";
import { eventually } from "../support/eventually.ts";
import type { LinkProxy } from "../support/link_proxy.ts";
import { Mesh } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { openDescriptors } from "../support/processes.ts";
import type { Action, TestNode } from "../support/test_node.ts";

export type Shape = "line" | "ring";
export type NodeName = "a" | "b" | "c" | "d";

/** Listeners are `b` and `d`, which `a` and `c` dial: a dialler that restarts is back at once. */
const LISTENERS: Record<Shape, readonly NodeName[]> = { line: ["b"], ring: ["b", "d"] };
const DIALLERS: readonly NodeName[] = ["a", "c"];

/** The detour is longer, so there is only one right route. */
const COST: Partial<Record<NodeName, number>> = { b: 1, d: 2 };

/** Neighbours through which a shortest path may lead, by source and destination. */
const SHORTEST: Record<Shape, Record<string, Record<string, readonly string[]>>> = {
  line: { a: { b: ["b"], c: ["b"] }, b: { a: ["a"], c: ["c"] }, c: { a: ["b"], b: ["b"] } },
  ring: {
    a: { b: ["b"], c: ["b"], d: ["d"] },
    b: { a: ["a"], c: ["c"], d: ["a", "c"] },
    c: { a: ["b"], b: ["b"], d: ["d"] },
    d: { a: ["a"], b: ["a", "c"], c: ["c"] },
  },
};

/** Lines that come with every look at a node, and every few seconds. */
const USUAL =
  /Client (dis)?connected|Control connection broke|service advertisement|routing update|alculating/;
const PRINTED_LINES = 400;

/** Sets of certificates by the same authority, taken in turn by renewals. */
const CERTIFICATE_SETS = 3;

export class StrainedMesh implements AsyncDisposable {
  readonly shape: Shape;
  readonly job: EchoJob;
  readonly #mesh: Mesh;
  readonly #certificates: string;
  readonly #ports = new Map<NodeName, number>();
  readonly #links = new Map<string, LinkProxy>();
  readonly #nodes = new Map<NodeName, TestNode>();
  readonly #descriptors = new Map<number, number>();
  /** How a node's backends are written; another number is another configuration of equal effect. */
  readonly #wording = new Map<NodeName, number>();
  #renewals = 0;
  readonly #renewed = new Map<NodeName, { pid: number; position: number }>();
  /** Process ids of lives that were told to end. */
  readonly #stopped = new Set<number>();

  private constructor(shape: Shape, mesh: Mesh, certificates: string, job: EchoJob) {
    this.shape = shape;
    this.#mesh = mesh;
    this.#certificates = certificates;
    this.job = job;
  }

  static async start(shape: Shape): Promise<StrainedMesh> {
    const mesh = new Mesh();
    try {
      const certificates = (await mesh.folder()).path;
      await makeCertificateSets(certificates, [...DIALLERS, ...LISTENERS[shape]]);
      const job = await EchoJob.create(await mesh.folder());
      const strained = new StrainedMesh(shape, mesh, certificates, job);
      await strained.#start();
      return strained;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nodes(): TestNode[] {
    return [...this.#nodes.values()];
  }

  node(name: NodeName): TestNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new TypeError(`no node ${name} in a ${this.shape}`);
    return node;
  }

  /** The link of a dialler to a listener. */
  link(dialler: NodeName, listener: NodeName): LinkProxy {
    return this.#links.get(dialler + listener)!;
  }

  /** Files that the node `name` uses now. */
  get certificates(): Certificates {
    return certificatesIn(this.#certificates);
  }

  /** Files that nobody has used yet, or not for some time. */
  nextCertificates(): Certificates {
    const set = 1 + this.#renewals++ % (CERTIFICATE_SETS - 1);
    return certificatesIn(join(this.#certificates, `${set}`));
  }

  /** Notes that the present life of a node is going to end. */
  noteStop(name: NodeName): void {
    this.#stopped.add(this.node(name).pid);
  }

  /** Whether the present life of a node has ended or was told to. */
  wasStopped(node: TestNode): boolean {
    return !node.program.running || this.#stopped.has(node.pid);
  }

  /** Notes that a node's certificate is about to be replaced. */
  noteRenewal(name: NodeName): void {
    const { pid, log } = this.node(name);
    this.#renewed.set(name, { pid, position: log.length });
  }

  /** Resolves when a node whose certificate was replaced has taken the new one. */
  async waitForRenewal(name: NodeName): Promise<void> {
    const node = this.node(name);
    const { pid, position } = this.#renewed.get(name)!;
    const asker = this.node(name === "a" ? "c" : "a");
    await eventually(async () => {
      await using session = await asker.session();
      await session.send(`connect ${name} control client`);
      if (await session.readLine() !== "Connecting") return false;
      if (await session.readLine() !== `Receptor Control, node ${name}`) return false;
      // A life that began after it knows nothing else.
      return node.pid !== pid ||
        /tls-server server: files changed and were read again/.test(node.log.slice(position));
    }, { what: `the new certificate of ${name}`, intervalMs: 200 });
  }

  /** Writes a configuration of the same effect, for which all backends of a node are replaced. */
  async reword(name: NodeName): Promise<void> {
    this.#wording.set(name, (this.#wording.get(name) ?? 0) + 1);
    await this.node(name).configure(this.#actions(name));
  }

  /** Writes the configuration as it was, with `more`, and without the backends if told so. */
  async configure(name: NodeName, more: readonly Action[], backends = true): Promise<void> {
    const actions = this.#actions(name, backends);
    await this.node(name).configure([...actions, ...more]);
  }

  /** Repairs whatever is broken; resolves when every route takes a shortest path. */
  async restore(): Promise<void> {
    for (const link of this.#links.values()) link.heal();
    await Promise.all(
      this.nodes.filter((node) => !node.program.running).map((node) => node.restart()),
    );
    await this.waitForRoutes();
  }

  /** Resolves when every route takes a shortest path. */
  async waitForRoutes(): Promise<void> {
    await Promise.all(this.nodes.map((node) => {
      const wanted = Object.entries(SHORTEST[this.shape][node.id]!);
      let table: Record<string, string> = {};
      return eventually(
        async () => {
          table = (await node.status()).RoutingTable;
          return Object.keys(table).length === wanted.length &&
            wanted.every(([to, hops]) => hops.includes(table[to] ?? ""));
        },
        {
          what: () => `the shortest routes of ${node.id}; it has ${JSON.stringify(table)}`,
          intervalMs: 50,
        },
      );
    }));
  }

  /** Open descriptors of a node's present life when this was asked for the first time. */
  firstDescriptors(node: TestNode): number {
    const count = this.#descriptors.get(node.pid) ?? openDescriptors(node.pid);
    this.#descriptors.set(node.pid, count);
    return count;
  }

  /** The logs of all nodes, for a failed test, without what a mesh at rest says all the time. */
  logs(): string {
    return this.nodes.map(({ id, log }) => {
      const lines = log.split("\n").filter((line) => !USUAL.test(line));
      return `--- log of ${id} ---\n${lines.slice(-PRINTED_LINES).join("\n")}\n`;
    }).join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mesh[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const listeners = LISTENERS[this.shape];
    for (const listener of listeners) {
      const port = freePort();
      this.#ports.set(listener, port);
      for (const dialler of DIALLERS) this.#links.set(dialler + listener, this.#mesh.link(port));
    }
    // Who is dialled first: a dialler that finds nobody waits for seconds.
    for (const names of [listeners, DIALLERS]) {
      await Promise.all(names.map((name) => this.#startNode(name)));
    }
    await this.waitForRoutes();
  }

  async #startNode(name: NodeName): Promise<void> {
    const node = await this.#mesh.node({
      kind: "ours",
      id: name,
      control: { tls: "server" },
      actions: this.#actions(name),
    });
    this.#nodes.set(name, node);
  }

  #actions(name: NodeName, backends = true): Action[] {
    const { ca, cert, key } = this.certificates;
    const own = { cert: cert(name), key: key(name) };
    return [
      { "tls-server": { name: "server", ...own, requireclientcert: true, clientcas: ca } },
      { "tls-client": { name: "client", ...own, rootcas: ca } },
      this.job.workType(),
      ...(backends ? this.#backends(name) : []),
    ];
  }

  #backends(name: NodeName): Action[] {
    const isReworded = (this.#wording.get(name) ?? 0) % 2 === 1;
    const port = this.#ports.get(name);
    if (port !== undefined) {
      const allowed = isReworded ? { allowedpeers: [...DIALLERS] } : {};
      const bindaddr = "127.0.0.1";
      return [{ "tcp-listener": { bindaddr, port, tls: "server", cost: COST[name], ...allowed } }];
    }
    const host = isReworded ? "localhost" : "127.0.0.1";
    return LISTENERS[this.shape].map((listener) => ({
      "tcp-peer": {
        address: `${host}:${this.link(name, listener).port}`,
        tls: "client",
        cost: COST[listener],
      },
    }));
  }
}

/** The first set is in `folder` itself, the others in folders of their own below. */
async function makeCertificateSets(folder: string, names: readonly string[]): Promise<void> {
  const first = await makeCertificates(folder, names);
  for (let set = 1; set < CERTIFICATE_SETS; set++) {
    const other = join(folder, `${set}`);
    await Deno.mkdir(other);
    const { ca, caKey } = certificatesIn(other);
    await Deno.copyFile(first.ca, ca);
    await Deno.copyFile(first.caKey, caKey);
    await makeCertificates(other, names);
  }
}
