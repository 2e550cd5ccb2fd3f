/** Which packets go to which node, and which are taken from it: pure, from what nodes announce. */
import type { IpNetwork } from "../../base/ip_network.ts";
import type { MeshPath } from "../../netceptor/mesh.ts";
import { type OwnNetworks, refusalOf } from "./announcement.ts";
import { PrefixTable } from "./prefix_table.ts";

/**
 * Routes in the kernel at most. If more are announced, those of all neighbours through which they
 * come are taken in turn, and behind each neighbour those of all nodes, each node's first ones first.
 */
export const MAX_ROUTES = 1024;

/** Announced networks that are looked at for a plan, so that it never takes long to make. */
export const MAX_NETWORKS = 2048;

/** A node that can be reached and may announce networks. */
export interface Candidate extends MeshPath {
  readonly nodeId: string;
  /** Undefined if it is no router of this network. */
  networks(): readonly IpNetwork[] | undefined;
}

/** A node of the IP network that can be reached. */
export interface Announcer extends MeshPath {
  readonly nodeId: string;
  readonly networks: readonly IpNetwork[];
}

/**
 * The nodes whose networks count. If there are too many, each neighbour through which they are
 * reached has the same share of `maxNetworks`, for the nodes that are nearest to us.
 */
export function chooseAnnouncers(
  candidates: readonly Candidate[],
  maxNetworks = MAX_NETWORKS,
): Announcer[] {
  const behind = [...Map.groupBy(candidates, ({ via }) => via).values()].map((nodes) => ({
    nodes: nodes.sort((a, b) => a.cost - b.cost || compareText(a.nodeId, b.nodeId)).values(),
    taken: 0,
  }));
  const chosen: Announcer[] = [];
  for (let left = maxNetworks; left > 0 && behind.length > 0;) {
    const share = behind.reduce((least, one) => one.taken < least.taken ? one : least);
    const { value: node } = share.nodes.next();
    if (node === undefined) {
      behind.splice(behind.indexOf(share), 1);
      continue;
    }
    const { nodeId, via, cost } = node;
    const networks = node.networks();
    if (networks !== undefined) chosen.push({ nodeId, via, cost, networks });
    // To look costs something too.
    const spent = 1 + (networks?.length ?? 0);
    share.taken += spent;
    left -= spent;
  }
  return chosen;
}

export interface RoutePlan {
  /** Where a packet goes, by its destination: to the longest prefix, then at the lowest cost. */
  readonly nodes: PrefixTable<string>;
  /** What each node may send from: the networks that it announces. */
  readonly sources: ReadonlyMap<string, PrefixTable<true>>;
  /** What the kernel must send to the tun device, by its text. */
  readonly routes: ReadonlyMap<string, IpNetwork>;
  /** Why routes were refused: a line for each of them. */
  readonly refused: ReadonlySet<string>;
}

interface PossibleRoute {
  readonly announcer: Announcer;
  readonly network: IpNetwork;
  /** Its place among the networks of its node. */
  readonly place: number;
}

export function planRoutes(
  announcers: readonly Announcer[],
  own: OwnNetworks,
  maxRoutes = MAX_ROUTES,
): RoutePlan {
  const ownRoutes = new Set(own.routes.map(String));
  const sources = new Map<string, PrefixTable<true>>();
  const refused = new Set<string>();
  const possible: PossibleRoute[] = [];
  for (const announcer of announcers) {
    const mayUse = new PrefixTable<true>();
    sources.set(announcer.nodeId, mayUse);
    for (const [place, network] of announcer.networks.entries()) {
      const refusal = refusalOf(network, own.local);
      if (refusal !== undefined) {
        refused.add(`${network} of ${announcer.nodeId}: ${refusal}`);
        continue;
      }
      mayUse.set(network, true);
      // Our own way there is the shortest.
      if (!ownRoutes.has(String(network))) possible.push({ announcer, network, place });
    }
  }
  const best = new Map<string, PossibleRoute>();
  let left = 0;
  for (const route of inTurn(possible)) {
    const key = String(route.network);
    const known = best.get(key);
    if (known === undefined && best.size >= maxRoutes) left++;
    else if (known === undefined || isBetter(route.announcer, known.announcer)) {
      best.set(key, route);
    }
  }
  if (left > 0) refused.add(`${left} networks: there are more than ${maxRoutes}`);
  const nodes = new PrefixTable<string>();
  for (const { network, announcer } of best.values()) nodes.set(network, announcer.nodeId);
  const routes = new Map(Array.from(best, ([key, { network }]) => [key, network]));
  return { nodes, sources, routes, refused };
}

function isBetter(one: Announcer, other: Announcer): boolean {
  return one.cost < other.cost || (one.cost === other.cost && one.nodeId < other.nodeId);
}

/** In the order in which they get the room that there is; see `MAX_ROUTES`. */
function inTurn(possible: readonly PossibleRoute[]): PossibleRoute[] {
  const turns: { turn: number; route: PossibleRoute }[] = [];
  for (const behind of Map.groupBy(possible, ({ announcer }) => announcer.via).values()) {
    behind.sort((a, b) => a.place - b.place || compareText(a.announcer.nodeId, b.announcer.nodeId));
    for (const [turn, route] of behind.entries()) turns.push({ turn, route });
  }
  turns.sort((a, b) =>
    a.turn - b.turn || compareText(a.route.announcer.via, b.route.announcer.via)
  );
  return turns.map(({ route }) => route);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
