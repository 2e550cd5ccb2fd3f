/**
 * A node of an IP network within the mesh: it routes IP between a tun device and the nodes that
 * announce networks under the same name, each packet in one datagram.
 */
import { messageOf } from "../../base/error_message.ts";
import { formatIpAddress, type IpNetwork } from "../../base/ip_network.ts";
import type { Datagram, DatagramPort } from "../../netceptor/datagram_port.ts";
import type { DropLog } from "../../netceptor/drop_log.ts";
import type { Mesh } from "../../netceptor/mesh.ts";
import { PeriodicTask } from "../../netceptor/periodic_task.ts";
import { type DatagramServiceDeps, dropLogOf } from "../datagrams.ts";
import type { Service } from "../service.ts";
import { announcedNetworks, announcementTags, type OwnNetworks } from "./announcement.ts";
import { packetAddresses } from "./packet.ts";
import { PrefixTable } from "./prefix_table.ts";
import {
  type Announcer,
  type Candidate,
  chooseAnnouncers,
  planRoutes,
  type RoutePlan,
} from "./route_plan.ts";
import { TunDevice, type TunOptions } from "./tun_device.ts";

/** How long changes in the mesh may wait for each other, in milliseconds. */
const PLAN_MIN_GAP_MS = 500;
/** How often routes that somebody removed are put back: as often as the original does. */
const REPAIR_INTERVAL_MS = 10_000;
/** No packet is longer. */
const MAX_PACKET_BYTES = 65_535;

/** The network interface of a router. */
export interface IpDevice extends AsyncDisposable {
  readonly name: string;
  /** Reads one packet. Rejects when the interface is gone, or the device disposed of. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Throws if the kernel does not take it. */
  write(packet: Uint8Array<ArrayBuffer>): void;
  /** Those that are there already stay. Returns what failed; throws if nothing is possible. */
  addRoutes(networks: readonly IpNetwork[]): Error[];
  deleteRoutes(networks: readonly IpNetwork[]): Error[];
}

export interface IpRouterDeps extends Omit<DatagramServiceDeps, "mesh"> {
  readonly mesh: Pick<
    Mesh,
    "nodeId" | "openDatagramPort" | "paths" | "offersOf" | "onOffer" | "onRoutesChanged"
  >;
  /** For tests. @default {TunDevice.open} */
  readonly openDevice?: ((options: TunOptions) => Promise<IpDevice>) | undefined;
}

export interface IpRouterOptions extends OwnNetworks {
  /** Name of the network, and of the service. */
  readonly network: string;
  /** Name of the tun device. @default the first free one of `tun0`, `tun1`, … */
  readonly interface?: string | undefined;
}

export class IpRouter implements Service {
  readonly #deps: IpRouterDeps;
  readonly #options: IpRouterOptions;
  readonly #drops: DropLog;
  readonly #port: DatagramPort;
  readonly #device: IpDevice;
  /** What packets may come in for. */
  readonly #own = new PrefixTable<true>();
  #plan: RoutePlan;
  /** What the kernel may have. */
  #routes: RoutePlan["routes"] = new Map();
  /** Lines about what failed the last time, so that each is written once. */
  #known: ReadonlySet<string> = new Set();

  private constructor(
    deps: IpRouterDeps,
    options: IpRouterOptions,
    { port, device }: { port: DatagramPort; device: IpDevice },
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#drops = dropLogOf(deps);
    this.#port = port;
    this.#device = device;
    this.#plan = planRoutes([], options);
    for (const network of [options.local, ...options.routes]) this.#own.set(network, true);
  }

  /**
   * Rejects with a `ServiceTakenError`, an `InterfaceTakenError`, or an `Error` that says what a tun
   * device takes.
   */
  static async open(deps: IpRouterDeps, options: IpRouterOptions): Promise<IpRouter> {
    const { mesh, openDevice = TunDevice.open } = deps;
    const { network, local } = options;
    let router: IpRouter | undefined;
    // The name first: a router of that name may be about to give back its interface.
    const port = mesh.openDatagramPort(network, {
      datagram: (datagram) => {
        if (router !== undefined) router.#fromMesh(datagram);
      },
    });
    try {
      const device = await openDevice({ name: options.interface, local });
      router = new IpRouter(deps, options, { port, device });
    } catch (error) {
      port[Symbol.dispose]();
      throw error;
    }
    port.advertise(announcementTags(network, options));
    return router;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, clock, mesh } = this.#deps;
    const { network } = this.#options;
    await using _router = this;
    const close = () => void this[Symbol.asyncDispose]();
    signal.addEventListener("abort", close, { once: true });
    using planning = new PeriodicTask(
      clock,
      { intervalMs: REPAIR_INTERVAL_MS, minGapMs: PLAN_MIN_GAP_MS },
      () => this.#replan(),
    );
    using _offers = mesh.onOffer(network, () => planning.request());
    using _routes = mesh.onRoutesChanged(() => planning.request());
    planning.request();
    log.info(`Routing the IP network ${network} on ${this.#device.name}`);
    try {
      const buffer = new Uint8Array(MAX_PACKET_BYTES);
      while (!signal.aborted) {
        const length = await this.#device.read(buffer);
        this.#toMesh(buffer.subarray(0, length));
      }
    } catch (error) {
      if (signal.aborted) return;
      throw new Error(`the interface ${this.#device.name} is gone: ${messageOf(error)}`);
    } finally {
      signal.removeEventListener("abort", close);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#port[Symbol.dispose]();
    await this.#device[Symbol.asyncDispose]();
  }

  #toMesh(packet: Uint8Array): void {
    const addresses = packetAddresses(packet);
    if (addresses === undefined) return;
    const { destinationAt: at, length } = addresses;
    const node = this.#plan.nodes.find(packet, at, length);
    if (node === undefined) {
      const destination = packet.subarray(at, at + length);
      if (!isForTheLink(destination)) {
        this.#drop(`no node announces ${formatIpAddress(destination)}`);
      }
      return;
    }
    try {
      this.#port.send(node, this.#options.network, packet);
    } catch (error) {
      this.#drop(`to ${node}: ${messageOf(error)}`);
    }
  }

  #fromMesh({ fromNode, fromService, payload }: Datagram): void {
    const problem = this.#problemOf({ fromNode, fromService, payload });
    if (problem !== undefined) return this.#drop(`from ${fromNode}:${fromService}: ${problem}`);
    try {
      this.#device.write(payload);
    } catch (error) {
      this.#drop(`${this.#device.name}: ${messageOf(error)}`);
    }
  }

  /**
   * Why a packet from the mesh is not let in. The original lets in everything, from everyone; what
   * its routers send each other has no problem here.
   */
  #problemOf({ fromNode, fromService, payload }: Datagram): string | undefined {
    if (fromService !== this.#options.network) return "it is not from a router of this network";
    const addresses = packetAddresses(payload);
    if (addresses === undefined) return "it is no IP packet";
    const { length, sourceAt, destinationAt } = addresses;
    const textAt = (at: number) => formatIpAddress(payload.subarray(at, at + length));
    if (!this.#own.find(payload, destinationAt, length)) {
      return `we do not announce its destination ${textAt(destinationAt)}`;
    }
    if (!this.#plan.sources.get(fromNode)?.find(payload, sourceAt, length)) {
      return `the node does not announce its source ${textAt(sourceAt)}`;
    }
    return undefined;
  }

  /** Follows what other nodes announce, and which of them can be reached. */
  #replan(): void {
    const plan = this.#plan = planRoutes(this.#announcers(), this.#options);
    let failed: ReadonlySet<string>;
    try {
      failed = new Set(this.#changeKernel(plan.routes).map(messageOf));
    } catch (error) {
      failed = new Set([messageOf(error)]);
    }
    this.#tell(plan.refused, failed);
  }

  /** Returns what failed; throws if the kernel does not answer. */
  #changeKernel(wanted: RoutePlan["routes"]): Error[] {
    const { log } = this.#deps;
    const gone = [...this.#routes].filter(([key]) => !wanted.has(key));
    for (const [key] of gone) log.debug(`Removing route to ${key}`);
    for (const key of wanted.keys()) {
      if (!this.#routes.has(key)) log.debug(`Adding route to ${key}`);
    }
    // Should it throw, they have all to be removed some time.
    this.#routes = new Map([...gone, ...wanted]);
    const failed = [
      ...this.#device.deleteRoutes(gone.map(([, network]) => network)),
      ...this.#device.addRoutes([...wanted.values()]),
    ];
    this.#routes = wanted;
    return failed;
  }

  #announcers(): Announcer[] {
    const { mesh } = this.#deps;
    const { network } = this.#options;
    const paths = mesh.paths();
    const candidates: Candidate[] = [];
    for (const { nodeId, tags } of mesh.offersOf(network)) {
      const path = paths.get(nodeId);
      if (path === undefined) continue;
      candidates.push({ nodeId, ...path, networks: () => announcedNetworks(network, tags()) });
    }
    return chooseAnnouncers(candidates);
  }

  /** Writes what was not the case before, as far as the bound on lines allows. */
  #tell(refused: ReadonlySet<string>, failed: ReadonlySet<string>): void {
    const name = `ip-router ${this.#options.network}`;
    for (const line of refused) {
      if (!this.#known.has(line)) this.#drops.count(`${name}: no route`, line);
    }
    for (const line of failed) {
      if (!this.#known.has(line)) this.#drops.count(`${name}: route`, line);
    }
    this.#known = refused.union(failed);
  }

  /** Counts a packet that goes nowhere; a line now and then says so. */
  #drop(reason: string): void {
    this.#drops.count(`ip-router ${this.#options.network}: packet dropped`, reason);
  }
}

/** Multicast, broadcast, and IPv6 within the link: the kernel sends them of its own accord. */
function isForTheLink(address: Uint8Array): boolean {
  if (address.length === 4) return address[0]! >= 224;
  return address[0] === 0xff || (address[0] === 0xfe && (address[1]! & 0xc0) === 0x80);
}
