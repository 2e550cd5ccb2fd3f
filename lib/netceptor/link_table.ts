/** All links of the node: those that are up, by neighbour, and those being set up. */
import type { LinkPolicy, Session } from "../backends/backend.ts";
import { networkOf } from "../backends/network_of.ts";
import type { Clock } from "../base/clock.ts";
import { formatGoDuration } from "../base/go_duration.ts";
import type { Log } from "../base/log.ts";
import { Shares } from "../base/shares.ts";
import { SourceLog } from "../base/source_log.ts";
import type { RouteMessage } from "../wire/route_message.ts";
import { BusyTurns } from "./busy_turns.ts";
import { GuestHosts } from "./guest_hosts.ts";
import { checkAddress } from "./address_check.ts";
import type { DropLog } from "./drop_log.ts";
import {
  IDLE_CHECK_MS,
  MAX_LISTED_BYTES,
  MAX_UNCHECKED_ADDRESSES,
  MAX_UNIDENTIFIED_LINKS,
} from "./limits.ts";
import { Link, type LinkHost, type Refusal } from "./link.ts";
import { PeriodicTask } from "./periodic_task.ts";
import type { ServiceRegistry } from "./service_registry.ts";

export interface LinkTableDeps {
  readonly selfId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly drops: DropLog;
  readonly services: ServiceRegistry;
  /** How the node handles what its links bring. */
  readonly events: LinkHandlers;
}

export type LinkHandlers = Omit<LinkHost, "selfId" | "isLinked" | "hasRoomFor">;

/** A link whose neighbour has not said who it is. */
interface Newcomer {
  close(): void;
}

/** The links of one backend. */
export interface Door {
  readonly policy: LinkPolicy;
  /**
   * The strangers at a listener, by where they come from: the newest always gets in, in place of
   * the oldest from wherever most come from. Links that we dial do not count.
   */
  readonly newcomers: Shares<Newcomer>;
}

export class LinkTable implements LinkHost, Disposable {
  readonly selfId: string;
  readonly #deps: LinkTableDeps;
  readonly #maxIdleMs: number;
  readonly #up = new Map<string, Link>();
  /** Bytes that the links that are up take up in a route message. */
  #listedBytes = 0;
  /**
   * The links that are up at listeners, by where they come from, sized by their part of those
   * bytes.
   */
  readonly #guests = new Shares<Link>();
  readonly #hosts = new GuestHosts();
  readonly #turns = new BusyTurns();
  /** Where each link that is not up yet is counted. */
  readonly #doorOf = new Map<Link, Door>();
  readonly #idleCheck: PeriodicTask;
  /** For log lines about links at listeners. */
  readonly #strangers: SourceLog;

  /** A link with nothing received for `maxIdleMs` is dropped. */
  constructor(deps: LinkTableDeps, { maxIdleMs }: { readonly maxIdleMs: number }) {
    this.selfId = deps.selfId;
    this.#deps = deps;
    this.#maxIdleMs = maxIdleMs;
    this.#strangers = new SourceLog(deps);
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
    door: Door,
    signal: AbortSignal,
  ): Promise<{ established: boolean }> {
    if (signal.aborted) {
      session.close();
      return { established: false };
    }
    if (session.confirmAddress === undefined) return await this.#run(session, door, signal);
    const checked = await this.#check(session, door, signal);
    if (checked === undefined) {
      session.close();
      return { established: false };
    }
    return await this.#run(checked, door, signal, { introduced: true });
  }

  async #run(
    session: Session,
    door: Door,
    signal: AbortSignal,
    options?: { readonly introduced: boolean },
  ): Promise<{ established: boolean }> {
    const { clock, drops } = this.#deps;
    const { acceptedFrom } = session;
    const from = acceptedFrom === undefined ? undefined : networkOf(acceptedFrom);
    // Strangers, who may connect as often as they like, must not fill the log.
    const log = from === undefined ? this.#deps.log : this.#strangers.of(from);
    const guest = from === undefined ? undefined : this.#hosts.enter(from);
    const deps = { log, clock, drops, host: this, turns: this.#turns, guest };
    const link = new Link(deps, session, door.policy);
    this.#doorOf.set(link, door);
    this.#enter(link, session, door, MAX_UNIDENTIFIED_LINKS);
    const onAbort = () => link.close();
    signal.addEventListener("abort", onAbort);
    try {
      return await link.run(options);
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#leaveDoor(link);
      if (from !== undefined) this.#hosts.leave(from);
    }
  }

  async #check(session: Session, door: Door, signal: AbortSignal): Promise<Session | undefined> {
    this.#enter(session, session, door, MAX_UNCHECKED_ADDRESSES);
    const onAbort = () => session.close();
    signal.addEventListener("abort", onAbort);
    try {
      return await checkAddress(this.#deps, session);
    } finally {
      signal.removeEventListener("abort", onAbort);
      door.newcomers.delete(session);
    }
  }

  /** Counts a newcomer; if there are more than `most`, an earlier one has to go. */
  #enter(newcomer: Newcomer, { acceptedFrom }: Session, { newcomers }: Door, most: number): void {
    if (acceptedFrom === undefined) return;
    newcomers.put(newcomer, networkOf(acceptedFrom), 1);
    if (newcomers.size <= most) return;
    const { item } = newcomers.oldestOfLargest()!;
    newcomers.delete(item);
    this.#deps.drops.countLimit("connection closed before its set-up: there were too many");
    item.close();
  }

  #leaveDoor(link: Link): void {
    this.#doorOf.get(link)?.newcomers.delete(link);
    this.#doorOf.delete(link);
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

  /** Stops watching; links are ended by the signals that they run under. */
  [Symbol.dispose](): void {
    this.#idleCheck[Symbol.dispose]();
  }

  // What follows is for the links.

  isLinked(nodeId: string): boolean {
    return this.#up.has(nodeId);
  }

  hasRoomFor(link: Link, nodeId: string, cost: number): boolean {
    const { drops } = this.#deps;
    const bytes = entryBytes(nodeId, cost);
    const { acceptedFrom, guest } = link;
    if (guest?.mayLink === false) {
      drops.countLimit("connection refused: too many links from one address", nodeId);
      return false;
    }
    const host = acceptedFrom === undefined ? undefined : networkOf(acceptedFrom);
    while (this.#listedBytes + bytes > MAX_LISTED_BYTES) {
      const largest = this.#guests.oldestOfLargest();
      const share = host === undefined ? 0 : this.#guests.sizeOf(host);
      if (largest === undefined || share + bytes >= largest.shareSize) {
        drops.countLimit("connection refused: too many links are up", nodeId);
        return false;
      }
      drops.countLimit("connection closed to make room for another", "", largest.item.remoteNode);
      largest.item.close("it made room for a neighbour at another address");
    }
    return true;
  }

  introduce(): Uint8Array {
    return this.#deps.events.introduce();
  }

  linkUp(link: Link): void {
    this.#leaveDoor(link);
    this.#up.set(link.remoteNode, link);
    const bytes = entryBytes(link.remoteNode, link.cost);
    this.#listedBytes += bytes;
    const { acceptedFrom, guest } = link;
    if (guest !== undefined) guest.up++;
    if (acceptedFrom !== undefined) this.#guests.put(link, networkOf(acceptedFrom), bytes);
    this.#idleCheck.begin();
    this.#deps.events.linkUp(link);
  }

  linkDown(link: Link, reason: string): void {
    this.#up.delete(link.remoteNode);
    this.#guests.delete(link);
    if (link.guest !== undefined) link.guest.up--;
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
