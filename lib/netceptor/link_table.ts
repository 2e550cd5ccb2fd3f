/** All links of the node: those that are up, by neighbour, and those that are on their way. */
import type { LinkPolicy, Session } from "../backends/mod.ts";
import type { Clock } from "../base/clock.ts";
import { formatGoDuration } from "../base/go_duration.ts";
import type { Log } from "../base/log.ts";
import type { RouteMessage } from "../wire/mod.ts";
import type { DropLog } from "./drop_log.ts";
import { IDLE_CHECK_MS, MAX_LISTED_BYTES, MAX_UNIDENTIFIED_LINKS } from "./limits.ts";
import { Link, type LinkHost, type Refusal } from "./link.ts";
import { PeriodicTask } from "./periodic_task.ts";

export interface LinkTableDeps {
  readonly selfId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly drops: DropLog;
  /** What the node does with what its links bring. */
  readonly events: LinkHandlers;
}

export type LinkHandlers = Omit<LinkHost, "selfId" | "isLinked" | "hasRoomFor">;

export class LinkTable implements LinkHost, Disposable {
  readonly selfId: string;
  readonly #deps: LinkTableDeps;
  readonly #maxIdleMs: number;
  readonly #up = new Map<string, Link>();
  /** Bytes that the links that are up take in a route message. */
  #listedBytes = 0;
  readonly #unidentified = new Set<Link>();
  readonly #idleCheck: PeriodicTask;

  /** A link with nothing received for `maxIdleMs` is dropped. */
  constructor(deps: LinkTableDeps, { maxIdleMs }: { readonly maxIdleMs: number }) {
    this.selfId = deps.selfId;
    this.#deps = deps;
    this.#maxIdleMs = maxIdleMs;
    this.#idleCheck = new PeriodicTask(
      deps.clock,
      { intervalMs: IDLE_CHECK_MS, minGapMs: IDLE_CHECK_MS },
      () => this.#dropIdle(),
    );
  }

  /** The links that are up, by neighbour. */
  get up(): ReadonlyMap<string, Link> {
    return this.#up;
  }

  /** Runs a link over `session` until it ends or `signal` aborts. Never rejects. */
  async run(
    session: Session,
    policy: LinkPolicy,
    signal: AbortSignal,
  ): Promise<{ established: boolean }> {
    const { log, clock, drops } = this.#deps;
    if (signal.aborted || this.#unidentified.size >= MAX_UNIDENTIFIED_LINKS) {
      if (!signal.aborted) drops.countLimit("connection refused: too many are being set up");
      session.close();
      return { established: false };
    }
    const link = new Link({ log, clock, drops, host: this }, session, policy);
    this.#unidentified.add(link);
    const onAbort = () => link.close();
    signal.addEventListener("abort", onAbort);
    try {
      return await link.run();
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#unidentified.delete(link);
    }
  }

  /** Sends a control message over all links but the one to `except`. */
  flood(message: Uint8Array, except?: string): void {
    for (const [node, link] of this.#up) {
      if (node !== except) this.sendControl(message, link);
    }
  }

  sendControl(message: Uint8Array, link: Link): void {
    if (!link.sendControl(message)) {
      this.#deps.drops.countLimit(
        "message dropped: the link's queue is full",
        "",
        link.remoteNode,
      );
    }
  }

  /** Resolves when what was queued so far is sent or given up. */
  async drained(): Promise<void> {
    await Promise.all(Array.from(this.#up.values(), (link) => link.drained()));
  }

  /** Stops watching; links end by the signals that they run under. */
  [Symbol.dispose](): void {
    this.#idleCheck[Symbol.dispose]();
  }

  // What follows is for the links.

  isLinked(nodeId: string): boolean {
    return this.#up.has(nodeId);
  }

  hasRoomFor(nodeId: string, cost: number): boolean {
    const fits = this.#listedBytes + entryBytes(nodeId, cost) <= MAX_LISTED_BYTES;
    if (!fits) {
      this.#deps.drops.countLimit("connection refused: too many links are up", nodeId);
    }
    return fits;
  }

  introduce(): Uint8Array {
    return this.#deps.events.introduce();
  }

  linkUp(link: Link): void {
    this.#unidentified.delete(link);
    this.#up.set(link.remoteNode, link);
    this.#listedBytes += entryBytes(link.remoteNode, link.cost);
    this.#idleCheck.begin();
    this.#deps.events.linkUp(link);
  }

  linkDown(link: Link, reason: string): void {
    this.#up.delete(link.remoteNode);
    this.#listedBytes -= entryBytes(link.remoteNode, link.cost);
    this.#deps.events.linkDown(link, reason);
  }

  refused(link: Link, refusal: Refusal): void {
    this.#deps.events.refused(link, refusal);
  }

  linkWritable(link: Link): void {
    this.#deps.events.linkWritable(link);
  }

  receivePacket(packet: Uint8Array<ArrayBuffer>, link: Link): void {
    this.#deps.events.receivePacket(packet, link);
  }

  receiveRoute(message: RouteMessage, link: Link): void {
    this.#deps.events.receiveRoute(message, link);
  }

  receiveAdvertisement(message: Uint8Array<ArrayBuffer>, link: Link): void {
    this.#deps.events.receiveAdvertisement(message, link);
  }

  #dropIdle(): void {
    for (const [node, link] of this.#up) {
      if (link.idleMs <= this.#maxIdleMs) continue;
      const limit = formatGoDuration(this.#maxIdleMs * 1e6);
      this.#deps.log.warning(`Timing out connection ${node}, idle for the past ${limit}`);
      link.close(`idle for the past ${limit}`);
    }
  }
}

const encoder = new TextEncoder();

/** Bytes of `"nodeId":cost,` in a route message. */
function entryBytes(nodeId: string, cost: number): number {
  return encoder.encode(`${JSON.stringify(nodeId)}:${cost},`).length;
}
