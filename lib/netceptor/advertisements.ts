/**
 * The services that the nodes of the mesh offer: ours, which we advertise, and theirs, of which we
 * hear.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import {
  type Advertisement,
  type ConnectionType,
  decodeAdvertisement,
  encodeAdvertisement,
} from "../wire/advertisement.ts";
import { MalformedMessage } from "../wire/json_fields.ts";
import { formatTimestamp } from "../wire/timestamp.ts";
import { AdvertisementTable } from "./advertisement_table.ts";
import type { DropLog } from "./drop_log.ts";
import {
  ADVERTISEMENT_INTERVAL_MS,
  ADVERTISEMENT_MIN_GAP_MS,
  MAX_SEEN_ADVERTISEMENTS,
  MAX_TOLD_BYTES,
} from "./limits.ts";
import type { AdvertisedService, AdvertisedWorkType, OfferedService } from "./mesh.ts";
import { PeriodicTask } from "./periodic_task.ts";
import { SeenFloods } from "./seen_floods.ts";

export interface AdvertisementsDeps {
  readonly selfId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly drops: DropLog;
  /** Sends a control message over all links but the one to `except`. */
  readonly flood: (message: Uint8Array, except?: string) => void;
  /** Another node has advertised or withdrawn a service. */
  readonly onOffer: (service: string) => void;
}

/** A service of this node. */
interface OwnService {
  readonly connectionType: ConnectionType;
  readonly tags: ReadonlyMap<string, string>;
}

/** Work types are advertised with the service that has this `type` among its tags. */
const CONTROL_SERVICE_TYPE = "Control Service";
const NS_PER_MS = 1_000_000n;

export class Advertisements implements Disposable {
  readonly #deps: AdvertisementsDeps;
  readonly #own = new Map<string, OwnService>();
  #workTypes: readonly AdvertisedWorkType[] = [];
  readonly #table = new AdvertisementTable();
  /**
   * The table may have to forget advertisements that are still travelling; each must still pass
   * only once.
   */
  readonly #seen: SeenFloods;
  readonly #sending: PeriodicTask;
  #lastTimeNs = 0n;
  /** Before the first link there is nobody to tell. */
  #hadLink = false;
  #leavesOnRecord = false;

  constructor(deps: AdvertisementsDeps) {
    this.#deps = deps;
    this.#seen = new SeenFloods(deps.clock.now(), MAX_SEEN_ADVERTISEMENTS);
    this.#sending = new PeriodicTask(
      deps.clock,
      { intervalMs: ADVERTISEMENT_INTERVAL_MS, minGapMs: ADVERTISEMENT_MIN_GAP_MS },
      () => this.#sendOwn(deps.flood),
    );
  }

  /** Offers a service of ours to the mesh; disposing the result withdraws it. */
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
        if (this.#leavesOnRecord) return;
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

  /**
   * From now on nobody is told when a service of ours ends. A node that stops leaves its services
   * on record, as the original does: it is likely to be back soon, and a withdrawal would circulate
   * for ever in a ring of the original's nodes.
   */
  leaveOnRecord(): void {
    this.#leavesOnRecord = true;
  }

  setWorkTypes(types: readonly AdvertisedWorkType[]): void {
    this.#workTypes = types.map(({ WorkType, Secure }) => ({ WorkType, Secure }));
    this.announceSoon();
  }

  /** Somebody may not have heard of all our services. */
  announceSoon(): void {
    if (this.#hadLink && this.#own.size > 0) this.#sending.request();
  }

  /** A new neighbour hears at once of our services by `send`, and of all others by `tell`. */
  linkUp(
    neighbour: string,
    { send, tell }: Record<"send" | "tell", (message: Uint8Array) => void>,
  ): void {
    this.#hadLink = true;
    this.#sending.begin();
    this.#sendOwn(send);
    let bytes = 0;
    for (const message of this.#table.offered(neighbour)) {
      bytes += message.length;
      if (bytes > MAX_TOLD_BYTES) return;
      tell(message);
    }
  }

  /** Handles a message that came over the link to `via`, and passes it on if it is news. */
  receive(message: Uint8Array, via: string): void {
    const { log, clock, drops, flood, selfId, onOffer } = this.#deps;
    let advertisement: Advertisement;
    try {
      advertisement = decodeAdvertisement(message);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      drops.count("Error handling service advertisement", error.message, via);
      return;
    }
    const { nodeId } = advertisement;
    log.debug(`Received service advertisement from ${nodeId}`);
    // What others say about our services cannot be news to us.
    if (nodeId === selfId) return;
    const nowMs = clock.now();
    if (!this.#seen.add(floodId(advertisement), nowMs)) return;
    const wallNs = BigInt(Math.round(clock.wallTime())) * NS_PER_MS;
    const outcome = this.#table.enter(advertisement, message, { via, nowMs, wallNs });
    switch (outcome.kind) {
      case "news":
        if (outcome.evicted > 0) {
          drops.countLimit("service advertisement forgotten: no room for all", "", via);
        }
        flood(message, via);
        return onOffer(advertisement.service);
      case "too many":
        return drops.countLimit("service advertisement dropped: too many of one node", nodeId, via);
      case "old":
        return;
    }
  }

  /** The link to `neighbour` is gone. */
  linkDown(neighbour: string): void {
    this.#table.neighbourGone(neighbour);
  }

  /** The services called `service` that other nodes offer. */
  of(service: string): OfferedService[] {
    return Array.from(this.#table.offeredAs(service), ([nodeId, message]) => ({
      nodeId,
      tags: () => decodeAdvertisement(message).tags,
    }));
  }

  /** Everything that is known now, as `status` prints it; each is decoded when it is asked for. */
  *list(): Generator<AdvertisedService> {
    const others = [...this.#table.offered()];
    for (const advertisement of this.#ownAdvertisements()) yield asInStatus(advertisement);
    for (const message of others) yield asInStatus(decodeAdvertisement(message));
  }

  /** Sends nothing more. */
  [Symbol.dispose](): void {
    this.#leavesOnRecord = true;
    this.#sending[Symbol.dispose]();
  }

  /** Passes an advertisement of each of our services to `send`. */
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

  /** Now, but always later than the previous time: the newer of two advertisements wins. */
  #newTime(): string {
    const now = BigInt(Math.round(this.#deps.clock.wallTime() * 1000)) * 1000n;
    this.#lastTimeNs = now > this.#lastTimeNs ? now : this.#lastTimeNs + 1n;
    return formatTimestamp(this.#lastTimeNs);
  }
}

function asInStatus(advertisement: Advertisement): AdvertisedService {
  return {
    NodeID: advertisement.nodeId,
    Service: advertisement.service,
    Time: advertisement.time,
    ConnType: advertisement.connectionType,
    Tags: advertisement.tags === null ? null : Object.fromEntries(advertisement.tags),
    WorkCommands: advertisement.workCommands?.map((command) => ({ ...command })) ?? null,
  };
}

/** What identifies an advertisement. */
function floodId({ nodeId, service, time }: Advertisement): string {
  return `${nodeId}\0${service}\0${time}`;
}
