/**
 * Routes: what this node tells the mesh about its links, what it hears, and what follows from that.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type Random, randomText } from "../base/random.ts";
import { SourceLog } from "../base/source_log.ts";
import { encodeRouteMessage, type RouteMessage } from "../wire/route_message.ts";
import type { DropLog } from "./drop_log.ts";
import { newEpoch } from "./epoch.ts";
import {
  DUPLICATE_TOLD_WITHIN_MS,
  MAX_SEEN_UPDATES,
  RECALCULATION_MIN_GAP_MS,
  ROUTE_INTERVAL_MS,
  ROUTE_MIN_GAP_MS,
} from "./limits.ts";
import { KnownUpdates } from "./known_updates.ts";
import { LinkStateTable } from "./link_state_table.ts";
import type { NextHop, NodeTable } from "./node_table.ts";
import { PeriodicTask } from "./periodic_task.ts";
import { RouteLog } from "./route_log.ts";
import { RestartWatch } from "./restart_watch.ts";
import { SeenFloods } from "./seen_floods.ts";
import { type ConnectionCosts, shortestPaths } from "./shortest_paths.ts";

/** A link that is up, as far as routing is concerned. */
export interface RoutedLink extends NextHop {
  readonly cost: number;
}

export interface RouterDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly drops: DropLog;
  readonly nodes: NodeTable;
  /** The links that are up, by neighbour. */
  readonly links: ReadonlyMap<string, RoutedLink>;
  /** Sends a control message over all links but the one to `except`. */
  readonly flood: (message: Uint8Array, except?: string) => void;
  /** A node was heard of for the first time, or has started anew. */
  readonly onNewNode: () => void;
  /** A node has restarted: it knows nothing about its earlier dealings with us. */
  readonly onNodeRestarted: (nodeId: string, sinceMs: number) => void;
  /** The next hop of some node changed; `before` is the previous routing table. */
  readonly onRoutesChanged: (before: ReadonlyMap<string, string>) => void;
  /** Another node has our id and was there first. */
  readonly onDuplicate: () => void;
}

const UPDATE_ID_LENGTH = 8;

export class Router implements Disposable {
  readonly #deps: RouterDeps;
  readonly #self: string;
  readonly #epoch: bigint;
  #sequence = 0n;
  /** Epoch of the node that must be told that it is our duplicate. */
  #suspect = 0n;
  readonly #linkState: LinkStateTable;
  readonly #restarts: RestartWatch;
  readonly #known = new KnownUpdates();
  readonly #seen: SeenFloods;
  readonly #flooding: PeriodicTask;
  readonly #recalculation: PeriodicTask;
  readonly #routeLog: RouteLog;
  readonly #duplicateLines: SourceLog;
  /** When the first link came up, in monotonic time. */
  #joinedMs: number | undefined;
  #routes = new Map<string, string>();

  constructor(deps: RouterDeps) {
    this.#deps = deps;
    this.#self = deps.nodes.self.id;
    this.#epoch = newEpoch(deps.clock, deps.random);
    this.#linkState = new LinkStateTable(this.#self);
    this.#restarts = new RestartWatch({
      clock: deps.clock,
      epochOf: (nodeId) => this.#linkState.epochOf(nodeId),
      onRestarted: deps.onNodeRestarted,
    });
    this.#seen = new SeenFloods(deps.clock.now(), MAX_SEEN_UPDATES);
    this.#flooding = new PeriodicTask(
      deps.clock,
      { intervalMs: ROUTE_INTERVAL_MS, minGapMs: ROUTE_MIN_GAP_MS },
      () => this.#flood(),
    );
    this.#recalculation = new PeriodicTask(
      deps.clock,
      // Nothing changes without an event.
      { intervalMs: Infinity, minGapMs: RECALCULATION_MIN_GAP_MS },
      () => this.#recalculate(),
    );
    this.#routeLog = new RouteLog({ log: deps.log, clock: deps.clock, tables: this });
    this.#duplicateLines = new SourceLog(deps);
  }

  /** The neighbour to go through, for each node that can be reached. */
  get routes(): ReadonlyMap<string, string> {
    return this.#routes;
  }

  get costs(): ConnectionCosts {
    return this.#linkState.costs;
  }

  /** A new route message about this node. */
  introduce(): Uint8Array<ArrayBuffer> {
    return encodeRouteMessage(this.#makeUpdate(0n));
  }

  /** What a new neighbour should hear of the other nodes at once. */
  updatesFor(neighbour: string): Iterable<Uint8Array> {
    return this.#known.for(neighbour, this.#routes);
  }

  linkUp(link: RoutedLink): void {
    this.#joinedMs ??= this.#deps.clock.now();
    this.#deps.nodes.add(link.remoteNode);
    this.#linkState.connect(link.remoteNode, link.cost);
    this.#flooding.request();
    this.#recalculation.request();
  }

  linkDown(link: RoutedLink): void {
    const { remoteNode } = link;
    if (this.#linkState.disconnect(remoteNode)) this.#forget(remoteNode);
    this.#flooding.request();
    this.#recalculation.request();
  }

  /** Handles an update that came over the link to `via`, and passes it on. */
  receive(update: RouteMessage, via: string): void {
    const { log, clock, flood } = this.#deps;
    // From a neighbour that is still starting.
    if (update.nodeId === "") return;
    if (update.nodeId === this.#self) return this.#receiveOurs(update, via);
    if (!this.#seen.add(update.updateId, clock.now())) return;
    if (update.suspectedDuplicate !== 0n) {
      this.#duplicateLines.of(via).warning(
        `Node ${update.nodeId} with epoch ${update.epoch} sent update ${update.updateId} ` +
          `suspecting a duplicate node with epoch ${update.suspectedDuplicate}`,
      );
      this.#linkState.applySuspicion(update);
      this.#known.delete(update.nodeId);
    } else {
      log.debug(`Received routing update ${update.updateId} from ${update.nodeId} via ${via}`);
      if (!this.#apply(update, via)) return;
    }
    const message = encodeRouteMessage({ ...update, forwardingNode: this.#self });
    if (update.suspectedDuplicate === 0n) this.#known.put(update.nodeId, message);
    flood(message, via);
  }

  [Symbol.dispose](): void {
    this.#flooding[Symbol.dispose]();
    this.#recalculation[Symbol.dispose]();
    this.#routeLog[Symbol.dispose]();
    this.#restarts[Symbol.dispose]();
  }

  /** Whether the update was news. */
  #apply(update: RouteMessage, via: string): boolean {
    const { clock, drops, nodes, onNewNode } = this.#deps;
    const outcome = this.#linkState.apply(update, via, clock.now());
    if (outcome.kind === "stale") return false;
    for (const nodeId of outcome.forgotten) {
      this.#forget(nodeId);
      this.#recalculation.request();
      drops.countLimit("node forgotten because the table of nodes is full", nodeId);
    }
    if (outcome.kind === "full") {
      drops.countLimit(
        "routing update dropped because the table of nodes is full",
        update.nodeId,
        via,
      );
      return false;
    }
    nodes.add(update.nodeId);
    if (outcome.isRestarted) this.#restarts.heard(update.nodeId, update.epoch);
    // Its neighbour may be one that does not tell it of us, as the original does not.
    if (outcome.isNew || outcome.isRestarted) {
      this.#flooding.request();
      onNewNode();
    }
    if (outcome.changed) this.#recalculation.request();
    return true;
  }

  #forget(nodeId: string): void {
    this.#deps.nodes.delete(nodeId);
    this.#known.delete(nodeId);
    this.#restarts.forget(nodeId);
  }

  /** An update with our own node id: an echo, or from another node with the same id. */
  #receiveOurs(update: RouteMessage, via: string): void {
    const { log, drops, onDuplicate } = this.#deps;
    if (update.epoch === this.#epoch) {
      // An echo, unless somebody forged it in our name: then our own messages would look stale.
      if (update.sequence > this.#sequence) this.#suspectDuplicate(update.epoch);
      return;
    }
    if (update.suspectedDuplicate === this.#epoch) {
      if (this.#mayBeDuplicateOf(update)) {
        log.error(
          `We are a duplicate node with ID ${this.#self} and epoch ${this.#epoch}.  Shutting down.`,
        );
        return onDuplicate();
      }
      drops.count(
        "Ignored the claim that another node had our node ID first",
        `epoch ${update.epoch}`,
        via,
      );
    }
    if (update.epoch > this.#epoch) {
      // If clocks agree, the node that started later is the duplicate.
      this.#duplicateLines.of(via).error(`Duplicate node ID ${this.#self} detected via ${via}`);
      this.#suspectDuplicate(update.epoch);
    }
  }

  /** Makes the mesh forget what it last heard from a node with our id and that epoch. */
  #suspectDuplicate(epoch: bigint): void {
    this.#suspect = epoch;
    this.#flooding.request();
  }

  /**
   * Whether to believe the node with our id that sent `update` and suspects us. Anybody in the mesh
   * can forge such a message, so it must be plausible: the other node started before us, and can
   * only just have learned of us, since we have not been in the mesh for long.
   */
  #mayBeDuplicateOf(update: RouteMessage): boolean {
    const joinedMs = this.#joinedMs ?? Infinity;
    const isNewHere = this.#deps.clock.now() - joinedMs < DUPLICATE_TOLD_WITHIN_MS;
    return isNewHere && update.epoch < this.#epoch;
  }

  #flood(): void {
    const { log, links, flood } = this.#deps;
    const suspect = this.#suspect;
    this.#suspect = 0n;
    if (links.size === 0) return;
    if (suspect !== 0n) {
      const notification = this.#makeUpdate(suspect);
      this.#duplicateLines.of(this.#self)
        .warning(`Sending duplicate node notification ${describeUpdate(notification)}`);
      flood(encodeRouteMessage(notification));
    }
    const update = this.#makeUpdate(0n);
    log.debug(`Sending routing update ${describeUpdate(update)}`);
    flood(encodeRouteMessage(update));
  }

  #makeUpdate(suspectedDuplicate: bigint): RouteMessage {
    const { random, links } = this.#deps;
    this.#sequence++;
    return {
      nodeId: this.#self,
      updateId: randomText(random, UPDATE_ID_LENGTH),
      epoch: this.#epoch,
      sequence: this.#sequence,
      connections: new Map(Array.from(links, ([node, { cost }]) => [node, cost])),
      forwardingNode: this.#self,
      suspectedDuplicate,
    };
  }

  #recalculate(): void {
    const { log, nodes, links, onRoutesChanged } = this.#deps;
    log.debug("Re-calculating routing table");
    const before = this.#routes;
    this.#routes = shortestPaths(this.#linkState.costs, this.#self);
    this.#linkState.classify(this.#routes);
    for (const node of nodes) {
      if (node === nodes.self) continue;
      const neighbour = this.#routes.get(node.id);
      node.nextHop = neighbour === undefined ? undefined : links.get(neighbour);
    }
    this.#routeLog.changed(before);
    if (!sameEntries(before, this.#routes)) onRoutesChanged(before);
  }
}

function describeUpdate({ updateId, connections }: RouteMessage): string {
  const list = Array.from(connections, ([node, cost]) => `${node}(${cost.toFixed(2)})`);
  return `${updateId}. Connections: ${list.join(" ")}`;
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
