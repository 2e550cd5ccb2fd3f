/**
 * The services of other nodes that this node has heard of: those on offer and, for a time, those
 * withdrawn. Pure state, bounded in bytes.
 *
 * Of two advertisements of one service, the one with the later `Time` counts, which is from its
 * node's own clock. A `Time` far ahead of our clock must not hide the real ones until then: it
 * gives way to any that is not ahead, and replaces such a one only if that has not been renewed for
 * a while. So a node whose clock is always ahead is still heard.
 *
 * A withdrawn service stays in the table with the time of its withdrawal, so that an older
 * advertisement that arrives late, or an echo of the withdrawal in a ring, is not news.
 */
import type { Advertisement } from "../wire/advertisement.ts";
import { parseTimestamp } from "../wire/timestamp.ts";
import {
  ADVERTISED_ITEM_OVERHEAD_BYTES,
  ADVERTISEMENT_OVERHEAD_BYTES,
  ADVERTISEMENT_RENEWED_WITHIN_MS,
  MAX_ADVERTISEMENT_BYTES,
  MAX_ADVERTISEMENTS_PER_NODE,
  MAX_CLOCK_AHEAD_MS,
  WITHDRAWN_KEPT_MS,
} from "./limits.ts";
import { Shares } from "../base/shares.ts";

/** What `enter` made of an advertisement. */
export type AdvertisementOutcome =
  /** To be passed on; `evicted` others had to make room. */
  | { readonly kind: "news"; readonly evicted: number }
  /** No newer than what is known. */
  | { readonly kind: "old" }
  /** Its node already offers as many services as it may. */
  | { readonly kind: "too many" };

/** The moment at which an advertisement arrives. */
export interface Arrival {
  /** The neighbour that brought it. */
  readonly via: string;
  /** Monotonic time in milliseconds. */
  readonly nowMs: number;
  /** Wall-clock time in nanoseconds since 1970. */
  readonly wallNs: bigint;
}

interface Entry {
  readonly nodeId: string;
  readonly service: string;
  readonly timeNs: bigint;
  /** Monotonic time. */
  readonly heardAtMs: number;
  /** The message as it came, which is the smallest form; undefined for a withdrawn service. */
  readonly message: Uint8Array | undefined;
  /** What counts for the bound. */
  readonly bytes: number;
}

const NS_PER_MS = 1_000_000n;

export class AdvertisementTable {
  readonly #maxBytes: number;
  /** By node and service. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #shares = new Shares<Entry>();
  /** The withdrawn ones, in the order in which they were heard of. */
  readonly #withdrawn = new Set<Entry>();

  constructor({ maxBytes = MAX_ADVERTISEMENT_BYTES } = {}) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that count for the bound. */
  get bytes(): number {
    return this.#shares.size;
  }

  /** The messages of all services that are offered, but those of node `except`. */
  *offered(except?: string): Generator<Uint8Array> {
    for (const [nodeId, services] of this.#entries) {
      if (nodeId === except) continue;
      for (const { message } of services.values()) if (message !== undefined) yield message;
    }
  }

  /** The services called `service` that are offered: their nodes, and their messages. */
  *offeredAs(service: string): Generator<[nodeId: string, message: Uint8Array]> {
    for (const [nodeId, services] of this.#entries) {
      const message = services.get(service)?.message;
      if (message !== undefined) yield [nodeId, message];
    }
  }

  /** Takes in what `message` says; keeps a copy of its bytes. */
  enter(
    advertisement: Advertisement,
    message: Uint8Array,
    arrival: Arrival,
  ): AdvertisementOutcome {
    const { nodeId, service, time, cancel, tags, workCommands } = advertisement;
    const timeNs = parseTimestamp(time)!;
    this.#forgetWithdrawn(arrival.nowMs);
    const services = this.#entries.get(nodeId);
    const known = services?.get(service);
    if (known !== undefined && !replaces(timeNs, known, arrival)) return { kind: "old" };
    if (known !== undefined) this.#remove(known);
    else if (services !== undefined && !this.#makeRoomForService(services, arrival)) {
      return { kind: "too many" };
    }
    this.#add({
      nodeId,
      service,
      timeNs,
      heardAtMs: arrival.nowMs,
      message: cancel ? undefined : message.slice(),
      bytes: ADVERTISEMENT_OVERHEAD_BYTES + (cancel ? 0 : message.length +
        ADVERTISED_ITEM_OVERHEAD_BYTES * ((tags?.size ?? 0) + (workCommands?.length ?? 0))),
    }, arrival.via);
    return { kind: "news", evicted: this.#evict() };
  }

  /** The link to `neighbour` is gone; what it told us about others is kept. */
  neighbourGone(neighbour: string): void {
    this.#shares.leave(neighbour);
  }

  #add(entry: Entry, via: string): void {
    const { nodeId, service, message } = entry;
    let services = this.#entries.get(nodeId);
    if (services === undefined) this.#entries.set(nodeId, services = new Map());
    services.set(service, entry);
    this.#shares.put(entry, via, entry.bytes);
    if (message === undefined) this.#withdrawn.add(entry);
  }

  #remove(entry: Entry): void {
    const services = this.#entries.get(entry.nodeId)!;
    services.delete(entry.service);
    if (services.size === 0) this.#entries.delete(entry.nodeId);
    this.#shares.delete(entry);
    this.#withdrawn.delete(entry);
  }

  #forgetWithdrawn(nowMs: number): void {
    for (const entry of this.#withdrawn) {
      if (nowMs - entry.heardAtMs < WITHDRAWN_KEPT_MS) return;
      this.#remove(entry);
    }
  }

  /** Whether a node may have one more service, which `arrival` brings. */
  #makeRoomForService(services: ReadonlyMap<string, Entry>, arrival: Arrival): boolean {
    if (services.size < MAX_ADVERTISEMENTS_PER_NODE) return true;
    const entries = [...services.values()];
    const victim = entries.find(({ message }) => message === undefined) ??
      entries.find(({ heardAtMs }) =>
        arrival.nowMs - heardAtMs >= ADVERTISEMENT_RENEWED_WITHIN_MS
      ) ?? this.#oldestOfBusiest(entries, arrival.via);
    if (victim === undefined) return false;
    this.#remove(victim);
    return true;
  }

  /**
   * The oldest `entries` of the neighbour that brought the most; undefined if that is not more than
   * `via` brought. This way, others cannot use up the services of a node.
   */
  #oldestOfBusiest(entries: readonly Entry[], via: string): Entry | undefined {
    const byNeighbour = Map.groupBy(entries, (entry) => this.#shares.ownerOf(entry)!);
    let busiest = byNeighbour.get(via) ?? [];
    for (const brought of byNeighbour.values()) {
      if (brought.length > busiest.length) busiest = brought;
    }
    return busiest === byNeighbour.get(via) ? undefined : busiest[0];
  }

  #evict(): number {
    let evicted = 0;
    for (; this.#shares.size > this.#maxBytes; evicted++) {
      this.#remove(this.#shares.oldestOfLargest()!.item);
    }
    return evicted;
  }
}

/** Whether an advertisement with `timeNs` replaces `known`. */
function replaces(timeNs: bigint, known: Entry, { nowMs, wallNs }: Arrival): boolean {
  const latest = wallNs + BigInt(MAX_CLOCK_AHEAD_MS) * NS_PER_MS;
  const isAhead = timeNs > latest;
  const isKnownAhead = known.timeNs > latest;
  if (isAhead === isKnownAhead) return timeNs > known.timeNs;
  return isKnownAhead || nowMs - known.heardAtMs >= ADVERTISEMENT_RENEWED_WITHIN_MS;
}
