/** The node in the mesh, put together. */
import type { Backend, LinkPolicy } from "../backends/backend.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { guardObserver } from "../base/observer.ts";
import type { Random } from "../base/random.ts";
import { Shares } from "../base/shares.ts";
import { isLocalhost, isNodeId, MAX_NODE_ID_BYTES } from "../wire/node_id.ts";
import { isCost } from "../wire/route_message.ts";
import { Advertisements } from "./advertisements.ts";
import { type DatagramHandler, DatagramPort, type DatagramPortOptions } from "./datagram_port.ts";
import { DropLog } from "./drop_log.ts";
import { compileFirewall, type FirewallRule } from "./firewall.ts";
import {
  MAX_TOLD_BYTES_PER_SECOND,
  MIN_IDLE_TIMEOUT_MS,
  REJECT_LINGER_MS,
  ROUTE_GRACE_MS,
} from "./limits.ts";
import type { Link } from "./link.ts";
import { type Door, LinkTable } from "./link_table.ts";
import { Listeners } from "./listeners.ts";
import { Loopback } from "./loopback.ts";
import type {
  AdvertisedService,
  AdvertisedWorkType,
  DialOptions,
  ListenOptions,
  Mesh,
  MeshConn,
  MeshListener,
  MeshPath,
  MeshStatus,
  OfferedService,
  PingReply,
} from "./mesh.ts";
import { NodeTable } from "./node_table.ts";
import { type LinkEvent, netceptorEvents, type NetceptorObserver } from "./observer.ts";
import { PacketSwitch } from "./packet_switch.ts";
import { ping, type PingDeps, type PingOptions, traceroute } from "./ping.ts";
import { RateLimit } from "./rate_limit.ts";
import { registerReservedServices } from "./reserved_services.ts";
import { waitForRoute } from "./route_wait.ts";
import { Router } from "./router.ts";
import { ServiceRegistry } from "./service_registry.ts";
import { pathCosts } from "./shortest_paths.ts";
import { Streams } from "./streams.ts";

export interface NetceptorDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** Is told what happens; without it, only the log is. */
  readonly observer?: NetceptorObserver | undefined;
}

export interface NetceptorOptions {
  readonly nodeId: string;
  /**
   * A link with nothing received for this long is dropped, in milliseconds. @default {21_000} the
   * minimum
   */
  readonly maxIdleTimeoutMs?: number | undefined;
  readonly firewallRules?: readonly FirewallRule[] | undefined;
  /** Takes a line for each data packet that comes or goes (`--trace`). */
  readonly trace?: ((line: string) => void) | undefined;
}

/** A backend that the node runs. Disposing stops it and resolves when its last link is down. */
export interface RunningBackend extends AsyncDisposable {
  readonly description: string;
  /** Resolves when it has stopped, with the error if it had to; never rejects. */
  readonly ended: Promise<Error | undefined>;
}

export class Netceptor implements Mesh, AsyncDisposable {
  readonly nodeId: string;
  /** Resolves if the node has to stop because another one has its id. */
  readonly failed: Promise<Error>;
  readonly #log: Log;
  readonly #observer: Required<NetceptorObserver>;
  readonly #clock: Clock;
  readonly #drops: DropLog;
  readonly #nodes: NodeTable;
  readonly #links: LinkTable;
  readonly #router: Router;
  readonly #advertisements: Advertisements;
  readonly #services: ServiceRegistry;
  readonly #packets: PacketSwitch;
  readonly #loopback: Loopback;
  readonly #streams: Streams;
  readonly #shutdown = new AbortController();
  readonly #backends = new Set<RunningBackend>();
  /** Bytes that new neighbours are told. */
  readonly #told: RateLimit;
  readonly #routeListeners: Listeners<void>;
  readonly #offerListeners: Listeners<string>;
  /** Or when the node started, in monotonic time. */
  #lastLinkUpMs: number;
  #closing: Promise<void> | undefined;

  /** Throws a `RangeError` or `SyntaxError` for an invalid option. */
  constructor(deps: NetceptorDeps, options: NetceptorOptions) {
    const { nodeId, maxIdleTimeoutMs = MIN_IDLE_TIMEOUT_MS, firewallRules = [] } = options;
    checkOptions(nodeId, maxIdleTimeoutMs);
    const { clock, random } = deps;
    const log = withNodeId(deps.log, nodeId);
    this.nodeId = nodeId;
    this.#log = log;
    this.#clock = clock;
    this.#lastLinkUpMs = clock.now();
    this.#told = new RateLimit(clock, MAX_TOLD_BYTES_PER_SECOND);
    this.#routeListeners = new Listeners(log, "changed routes");
    this.#offerListeners = new Listeners(log, "an offered service");
    const observer = this.#observer = guardObserver(deps.observer ?? {}, netceptorEvents, {
      log,
      what: "the mesh",
    });
    const drops = this.#drops = new DropLog({ log, clock, observer });
    const nodes = this.#nodes = new NodeTable(nodeId);
    const services = this.#services = new ServiceRegistry(random);
    this.#packets = new PacketSwitch({
      clock,
      drops,
      nodes,
      handlerOf: (service) => services.get(service),
      firewall: firewallRules.length > 0 ? compileFirewall(firewallRules) : undefined,
      trace: options.trace,
    });
    this.#links = this.#makeLinks(maxIdleTimeoutMs);
    const flood = (message: Uint8Array, except?: string) => this.#links.flood(message, except);
    this.#advertisements = new Advertisements({
      selfId: nodeId,
      log,
      clock,
      drops,
      flood,
      onOffer: (service) => this.#offerListeners.tell(service),
    });
    const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
    this.failed = failed;
    this.#router = new Router({
      log,
      clock,
      random,
      drops,
      nodes,
      links: this.#links.up,
      flood,
      onNewNode: () => this.#advertisements.announceSoon(),
      onNodeRestarted: (node, sinceMs) => this.#streams.forgetNode(node, sinceMs),
      onRoutesChanged: (before) => {
        observer.routesChanged({ before, routes: this.#router.routes });
        this.#routeListeners.tell();
      },
      onDuplicate: () => {
        fail(new Error(`another node has our node ID ${nodeId}`));
        void this[Symbol.asyncDispose]();
      },
    });
    this.#loopback = new Loopback(nodeId, (packet) => this.#packets.deliver(packet), {
      onError: (error) => log.error(`Error handling message data: ${error}`),
      onWritable: () => this.#streams.resume(),
    });
    nodes.self.nextHop = this.#loopback;
    const packets = this.#packets;
    registerReservedServices({ selfId: nodeId, log, clock, drops, services, packets });
    const advertisements = this.#advertisements;
    this.#streams = new Streams({
      log,
      clock,
      random,
      drops,
      nodes,
      services,
      packets,
      advertisements,
    });
  }

  /**
   * Runs `backend` until the result or the node is disposed of; its links follow `policy`. Throws a
   * `RangeError` for an invalid cost.
   */
  addBackend(backend: Backend, policy: LinkPolicy): RunningBackend {
    checkPolicy(policy);
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#shutdown.signal]);
    const door: Door = { policy, newcomers: new Shares() };
    const running = backend.run((session) => this.#links.run(session, door, signal), signal);
    const ended = running.then(() => undefined, (error: unknown) => {
      const failure = error instanceof Error ? error : new Error(String(error));
      this.#log.error(`Backend error: ${backend.description}: ${failure.message}`);
      return failure;
    }).finally(() => this.#backends.delete(result));
    const result: RunningBackend = {
      description: backend.description,
      ended,
      async [Symbol.asyncDispose]() {
        stop.abort();
        await ended;
      },
    };
    this.#backends.add(result);
    return result;
  }

  status<Field extends keyof MeshStatus = keyof MeshStatus>(
    fields?: readonly Field[],
  ): Pick<MeshStatus, Field> {
    const parts: { [F in keyof MeshStatus]: () => MeshStatus[F] } = {
      NodeID: () => this.nodeId,
      Connections: () =>
        Array.from(this.#links.up, ([NodeID, { cost }]) => ({ NodeID, Cost: cost })),
      RoutingTable: () => Object.fromEntries(this.#router.routes),
      Advertisements: () => [...this.advertisements()],
      KnownConnectionCosts: () =>
        Object.fromEntries(
          this.connectionCosts().map(([node, costs]) => [node, Object.fromEntries(costs)]),
        ),
    };
    const wanted = fields ?? Object.keys(parts) as Field[];
    const built = Object.fromEntries(wanted.map((field) => [field, parts[field]()]));
    return built as Pick<MeshStatus, Field>;
  }

  advertisements(): Iterable<AdvertisedService> {
    return this.#advertisements.list();
  }

  connectionCosts(): [node: string, costs: ReadonlyMap<string, number>][] {
    return [...this.#router.costs];
  }

  /** How many messages were dropped, by reason. */
  get dropped(): Record<string, number> {
    let data = 0;
    for (const link of this.#links.up.values()) data += link.dropped.data;
    return { ...this.#drops.totals, "data dropped: the link's queue is full": data };
  }

  async ping(node: string, options: PingOptions = {}): Promise<PingReply> {
    const reply = await ping(this.#pingDeps, this.#resolve(node), options);
    if (reply.error !== "") throw new Error(reply.error);
    return reply;
  }

  traceroute(node: string, options: { signal?: AbortSignal } = {}): AsyncIterable<PingReply> {
    return traceroute(this.#pingDeps, this.#resolve(node), options);
  }

  openDatagramPort(
    service: string,
    handler: DatagramHandler,
    options: DatagramPortOptions = {},
  ): DatagramPort {
    const deps = {
      nodes: this.#nodes,
      services: this.#services,
      packets: this.#packets,
      advertisements: this.#advertisements,
    };
    return new DatagramPort(deps, service, handler, options);
  }

  async dial(node: string, service: string, options: DialOptions = {}): Promise<MeshConn> {
    const target = this.#resolve(node);
    // Who has just joined hears of the others any moment.
    const timeoutMs = this.#lastLinkUpMs + ROUTE_GRACE_MS - this.#clock.now();
    const signals = [options.signal, this.#shutdown.signal];
    await waitForRoute({ clock: this.#clock, mesh: this }, target, { timeoutMs, signals });
    return await this.#streams.dial(target, service, options);
  }

  // deno-lint-ignore require-await -- what it throws should be a rejection
  async listen(service: string, options: ListenOptions = {}): Promise<MeshListener> {
    return this.#streams.listen(service, options);
  }

  advertiseWorkTypes(types: AdvertisedWorkType[]): void {
    this.#advertisements.setWorkTypes(types);
  }

  hasRoute(node: string): boolean {
    return this.#nodes.get(this.#resolve(node))?.nextHop !== undefined;
  }

  onRoutesChanged(listener: () => void): Disposable {
    return this.#routeListeners.add(listener);
  }

  paths(): Map<string, MeshPath> {
    const costs = pathCosts(this.#router.costs, this.nodeId);
    const paths = new Map<string, MeshPath>();
    for (const [node, via] of this.#router.routes) {
      // Routes lag a moment behind the costs that they follow from.
      const cost = costs.get(node);
      if (cost !== undefined) paths.set(node, { via, cost });
    }
    return paths;
  }

  offersOf(service: string): OfferedService[] {
    return this.#advertisements.of(service);
  }

  onOffer(service: string, listener: () => void): Disposable {
    return this.#offerListeners.add((offered) => {
      if (offered === service) listener();
    });
  }

  /**
   * Call it before closing the services of a stopping node: the mesh then keeps them on record, as
   * with the original, and is not told that they end.
   */
  leaveServicesOnRecord(): void {
    this.#advertisements.leaveOnRecord();
  }

  /** Leaves the mesh: ends all streams and links. May be repeated. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#advertisements[Symbol.dispose]();
    this.#router[Symbol.dispose]();
    this.#links[Symbol.dispose]();
    this.#streams[Symbol.dispose]();
    await this.#drainLinks();
    this.#shutdown.abort(new Error("netceptor shutdown"));
    this.#loopback.close();
    await Promise.all(Array.from(this.#backends, ({ ended }) => ended));
  }

  /** Gives the links a moment to send the last messages. */
  async #drainLinks(): Promise<void> {
    const { promise: lingered, resolve } = Promise.withResolvers<void>();
    using _timer = this.#clock.after(REJECT_LINGER_MS, resolve);
    await Promise.race([this.#links.drained(), lingered]);
  }

  #makeLinks(maxIdleMs: number): LinkTable {
    return new LinkTable({
      selfId: this.nodeId,
      log: this.#log,
      clock: this.#clock,
      drops: this.#drops,
      services: this.#services,
      events: {
        introduce: () => this.#router.introduce(),
        linkUp: (link) => {
          this.#lastLinkUpMs = this.#clock.now();
          this.#router.linkUp(link);
          this.#introduceOthers(link);
          this.#observer.linkUp(describeLink(link));
        },
        linkDown: (link, reason) => {
          this.#router.linkDown(link);
          this.#advertisements.linkDown(link.remoteNode);
          const { upMs, dropped } = link;
          this.#observer.linkDown({ ...describeLink(link), reason, upMs, dropped });
        },
        refused: ({ description }, { remoteNode, by, reason }) =>
          this.#observer.peerRefused({ neighbour: remoteNode, description, refusedBy: by, reason }),
        linkWritable: () => this.#streams.resume(),
        receivePacket: (packet, link) => this.#packets.receive(packet, link),
        receiveRoute: (message, link) => this.#router.receive(message, link.remoteNode),
        receiveAdvertisement: (message, link) =>
          this.#advertisements.receive(message, link.remoteNode),
      },
    }, { maxIdleMs });
  }

  /** Tells a new neighbour of what it would hear with the next floods. */
  #introduceOthers(link: Link): void {
    const send = (message: Uint8Array) => this.#links.sendControl(message, link);
    const tell = (message: Uint8Array) => {
      if (this.#told.take(message.length)) send(message);
    };
    for (const update of this.#router.updatesFor(link.remoteNode)) tell(update);
    this.#advertisements.linkUp(link.remoteNode, { send, tell });
  }

  get #pingDeps(): PingDeps {
    return {
      nodeId: this.nodeId,
      clock: this.#clock,
      shutdown: this.#shutdown.signal,
      openPort: (handler) => this.openDatagramPort("", handler),
    };
  }

  /** `localhost` is this node. */
  #resolve(node: string): string {
    return isLocalhost(node) ? this.nodeId : node;
  }
}

function describeLink({ remoteNode, cost, description }: Link): LinkEvent {
  return { neighbour: remoteNode, cost, description };
}

function checkOptions(nodeId: string, maxIdleTimeoutMs: number): void {
  if (isLocalhost(nodeId)) throw new RangeError(`node ID "${nodeId}" is reserved`);
  if (!isNodeId(nodeId)) {
    throw new RangeError(
      `node ID ${JSON.stringify(nodeId)} must be 1 to ${MAX_NODE_ID_BYTES} bytes of text ` +
        `without control characters`,
    );
  }
  if (!(maxIdleTimeoutMs >= MIN_IDLE_TIMEOUT_MS)) {
    throw new RangeError(
      `maxidleconnectiontimeout of ${formatSeconds(maxIdleTimeoutMs)} is below the minimum, ` +
        formatSeconds(MIN_IDLE_TIMEOUT_MS),
    );
  }
}

function checkPolicy({ cost, nodeCost }: LinkPolicy): void {
  if (!isCost(cost)) throw new RangeError(`connection cost must be positive, not ${cost}`);
  for (const [node, nodeSpecific] of Object.entries(nodeCost)) {
    if (!isCost(nodeSpecific)) {
      throw new RangeError(`connection cost must be positive for ${node}, not ${nodeSpecific}`);
    }
  }
}

function formatSeconds(ms: number): string {
  return `${ms / 1000} s`;
}

/** The original names the node in every line. */
function withNodeId(log: Log, nodeId: string): Log {
  const base = { node_id: nodeId };
  return {
    error: (message, fields) => log.error(message, { ...base, ...fields }),
    warning: (message, fields) => log.warning(message, { ...base, ...fields }),
    info: (message, fields) => log.info(message, { ...base, ...fields }),
    debug: (message, fields) => log.debug(message, { ...base, ...fields }),
  };
}
