/** A mesh of nodes in this process: memory links, virtual time, randomness from a seed. */
import type { Random } from "../../lib/base/random.ts";
import type { LinkPolicy, Session } from "../../lib/backends/backend.ts";
import { MemoryBackend, memorySessionPair } from "../../lib/backends/memory.ts";
import { Netceptor, type NetceptorOptions } from "../../lib/netceptor/netceptor.ts";
import type { NetceptorObserver } from "../../lib/netceptor/observer.ts";
import { RecordingLog } from "./recording_log.ts";
import { seededRandom } from "./seeded_random.ts";
import { settle, VirtualClock } from "./virtual_clock.ts";

export interface SimNode {
  readonly netceptor: Netceptor;
  readonly log: RecordingLog;
  readonly clock: VirtualClock;
}

/** A link that a test can cut. */
export interface SimLink {
  cut(): void;
}

export const DEFAULT_POLICY: LinkPolicy = { cost: 1, nodeCost: {} };

export class SimMesh implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly #nodes: SimNode[] = [];
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  /** Adds a node; two may have the same id. */
  add(
    nodeId: string,
    options: Omit<NetceptorOptions, "nodeId"> = {},
    { observer, random = seededRandom(this.#seed++) }: {
      observer?: NetceptorObserver | undefined;
      random?: Random;
    } = {},
  ): SimNode {
    const log = new RecordingLog();
    const netceptor = new Netceptor(
      { log, clock: this.clock, random, observer },
      { ...options, nodeId },
    );
    const node = { netceptor, log, clock: this.clock };
    this.#nodes.push(node);
    return node;
  }

  /** Adds nodes named by their index, and links them according to `edges`. */
  addAll(count: number, edges: Iterable<[number, number]>): SimNode[] {
    const nodes = Array.from({ length: count }, (_, index) => this.add(`n${index}`));
    for (const [a, b] of edges) this.link(nodes[a]!, nodes[b]!);
    return nodes;
  }

  /** Links two nodes once, with one policy for each end. */
  link(
    a: SimNode,
    b: SimNode,
    policies: [Partial<LinkPolicy>, Partial<LinkPolicy>] = [{}, {}],
  ): SimLink {
    const pair = memorySessionPair([a.netceptor.nodeId, b.netceptor.nodeId]);
    this.attach(a, pair[0], policies[0]);
    this.attach(b, pair[1], policies[1]);
    return {
      cut() {
        for (const session of pair) session.close();
      },
    };
  }

  /** Gives a node one end of a link whose other end the test holds. */
  attach(node: SimNode, session: Session, policy: Partial<LinkPolicy> = {}): void {
    const backend = new MemoryBackend();
    backend.offer(session);
    node.netceptor.addBackend(backend, { ...DEFAULT_POLICY, ...policy });
  }

  /** Advances time until every node of `nodes` has a route to every other one. */
  async converge(nodes: readonly SimNode[] = this.#nodes, limitMs = 5000): Promise<void> {
    await this.clock.until(() => fullyConnected(nodes), limitMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.#nodes.map(({ netceptor }) => netceptor[Symbol.asyncDispose]());
    await settle();
    await this.clock.advance(5000);
    await Promise.all(closing);
  }
}

export function fullyConnected(nodes: readonly SimNode[]): boolean {
  return nodes.every(({ netceptor }) =>
    nodes.every((other) => netceptor.hasRoute(other.netceptor.nodeId))
  );
}

/** The neighbour through which `from` reaches `to`. */
export function via(from: SimNode, to: string): string | undefined {
  return from.netceptor.status().RoutingTable[to];
}

/** Runs `action` while virtual time passes. */
export async function inTime<T>(clock: VirtualClock, action: Promise<T>): Promise<T> {
  let settled = false;
  const done = action.finally(() => settled = true);
  done.catch(() => {});
  while (!settled) await clock.advance(10);
  return await done;
}
