/** What services the nodes of the mesh offer: ours, told to all, and theirs, as told to us. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import {
  type Advertisement,
  type ConnectionType,
  decodeAdvertisement,
  encodeAdvertisement,
  formatTimestamp,
  MalformedMessage,
  parseTimestamp,
} from "../wire/mod.ts";
import type { DropLog } from "./drop_log.ts";
import {
  ADVERTISEMENT_INTERVAL_MS,
  ADVERTISEMENT_MIN_GAP_MS,
  MAX_ADVERTISEMENTS_PER_NODE,
  MAX_ADVERTISING_NODES,
} from "./limits.ts";
import type { AdvertisedWorkType, MeshStatus } from "./mesh.ts";
import { PeriodicTask } from "./periodic_task.ts";

export interface AdvertisementsDeps {
  readonly selfId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly drops: DropLog;
  /** Sends a control message over all links but the one to `except`. */
  readonly flood: (message: Uint8Array, except?: string) => void;
}

/** A service of this node. */
interface OwnService {
  readonly connectionType: ConnectionType;
  readonly tags: ReadonlyMap<string, string>;
}

interface Known {
  readonly advertisement: Advertisement;
  readonly timeNs: bigint;
}

/** Its tags say which service the work types come with. */
const CONTROL_SERVICE_TYPE = "Control Service";

export class Advertisements implements Disposable {
  readonly #deps: AdvertisementsDeps;
  readonly #own = new Map<string, OwnService>();
  #workTypes: readonly AdvertisedWorkType[] = [];
  /** By node, the one heard of least recently first, and service. */
  readonly #known = new Map<string, Map<string, Known>>();
  readonly #sending: PeriodicTask;
  #lastTimeNs = 0n;
  /** Before the first link there is nobody to tell anything. */
  #hadLink = false;
  #disposed = false;

  constructor(deps: AdvertisementsDeps) {
    this.#deps = deps;
    this.#sending = new PeriodicTask(
      deps.clock,
      { intervalMs: ADVERTISEMENT_INTERVAL_MS, minGapMs: ADVERTISEMENT_MIN_GAP_MS },
      () => this.#sendOwn(deps.flood),
    );
  }

  /** Offers a service of ours to the mesh; disposing the result takes it back. */
  offer(
    service: string,
    connectionType: ConnectionType,
    tags: Readonly<Record<string, string>>,
  ): Disposable {
    this.#own.set(service, { connectionType, tags: new Map(Object.entries(tags)) });
    this.announceSoon();
    let offered = true;
    return {
      [Symbol.dispose]: () => {
        if (!offered) return;
        offered = false;
        this.#own.delete(service);
        // A node that shuts down leaves its services on record, as the original does: they are
        // likely to be back soon.
        if (this.#disposed) return;
        this.#deps.flood(encodeAdvertisement({
          nodeId: this.#deps.selfId,
          service,
          time: this.#newTime(),
          connectionType,
          tags: null,
          workCommands: null,
          cancel: true,
        }));
      },
    };
  }

  setWorkTypes(types: readonly AdvertisedWorkType[]): void {
    this.#workTypes = types.map(({ WorkType, Secure }) => ({ WorkType, Secure }));
    this.announceSoon();
  }

  /** There is somebody who may not have heard of all our services. */
  announceSoon(): void {
    if (this.#hadLink && this.#own.size > 0) this.#sending.request();
  }

  /** A new neighbour hears of our services at once; `send` reaches it. */
  linkUp(send: (message: Uint8Array) => void): void {
    this.#hadLink = true;
    this.#sending.begin();
    this.#sendOwn(send);
  }

  /** Takes in a message that came over the link to `via`, and passes it on if it is news. */
  receive(message: Uint8Array, via: string): void {
    const { log, drops, flood, selfId } = this.#deps;
    let advertisement: Advertisement;
    try {
      advertisement = decodeAdvertisement(message);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      drops.count("Error handling service advertisement", error.message, { remote_id: via });
      return;
    }
    log.debug(`Received service advertisement from ${advertisement.nodeId}`);
    // What others say of our services cannot be news to us.
    if (advertisement.nodeId === selfId) return;
    if (this.#enter(advertisement)) flood(message, via);
  }

  /** All that is known, as `status` prints it. */
  list(): MeshStatus["Advertisements"] {
    const list: MeshStatus["Advertisements"] = [];
    const add = (advertisement: Advertisement) =>
      list.push({
        NodeID: advertisement.nodeId,
        Service: advertisement.service,
        Time: advertisement.time,
        ConnType: advertisement.connectionType,
        Tags: advertisement.tags === null ? null : Object.fromEntries(advertisement.tags),
        WorkCommands: advertisement.workCommands?.map((command) => ({ ...command })) ?? null,
      });
    for (const advertisement of this.#ownAdvertisements()) add(advertisement);
    for (const services of this.#known.values()) {
      for (const { advertisement } of services.values()) add(advertisement);
    }
    return list;
  }

  /** Sends nothing more. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#sending[Symbol.dispose]();
  }

  /** Gives an advertisement of each of our services to `send`. */
  #sendOwn(send: (message: Uint8Array) => void): void {
    for (const advertisement of this.#ownAdvertisements()) {
      this.#deps.log.debug(
        `Sending service advertisement: ${advertisement.nodeId} ${advertisement.service} ` +
          advertisement.time,
      );
      send(encodeAdvertisement(advertisement));
    }
  }

  #ownAdvertisements(): Advertisement[] {
    return Array.from(this.#own, ([service, { connectionType, tags }]) => {
      const isControl = tags.get("type") === CONTROL_SERVICE_TYPE;
      return {
        nodeId: this.#deps.selfId,
        service,
        time: this.#newTime(),
        connectionType,
        tags,
        workCommands: isControl && this.#workTypes.length > 0 ? this.#workTypes : null,
        cancel: false,
      };
    });
  }

  /** Whether the advertisement is news. */
  #enter(advertisement: Advertisement): boolean {
    const { nodeId, service } = advertisement;
    const timeNs = parseTimestamp(advertisement.time)!;
    const services = this.#known.get(nodeId) ?? new Map<string, Known>();
    const known = services.get(service);
    if (known !== undefined && timeNs <= known.timeNs) return false;
    if (advertisement.cancel) {
      services.delete(service);
      if (services.size === 0) this.#known.delete(nodeId);
      return true;
    }
    if (known === undefined && services.size >= MAX_ADVERTISEMENTS_PER_NODE) {
      this.#deps.drops.count("service advertisement dropped: too many of one node", nodeId);
      return false;
    }
    services.set(service, { advertisement, timeNs });
    this.#known.delete(nodeId);
    this.#known.set(nodeId, services);
    if (this.#known.size > MAX_ADVERTISING_NODES) {
      const [leastRecent] = this.#known.keys();
      this.#known.delete(leastRecent!);
    }
    return true;
  }

  /** Now, but always later than the time before: the newer of two advertisements wins. */
  #newTime(): string {
    const now = BigInt(Math.round(this.#deps.clock.wallTime() * 1000)) * 1000n;
    this.#lastTimeNs = now > this.#lastTimeNs ? now : this.#lastTimeNs + 1n;
    return formatTimestamp(this.#lastTimeNs);
  }
}
