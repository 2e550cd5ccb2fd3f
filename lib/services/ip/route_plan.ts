/** Which packets go to which node, and which are taken from it: pure, from what nodes announce. */
import type { IpNetwork } from "../../base/ip_network.ts";
import { type OwnNetworks, refusalOf } from "./announcement.ts";
import { PrefixTable } from "./prefix_table.ts";

/**
 * Routes in the kernel at most. If more are announced, those of all neighbours through which they
 * come are taken in turn, and behind each neighbour those of all nodes, each node's first ones first.
 */
export const MAX_ROUTES = 1024;

/** A node of the IP network that can be reached. */
export interface Announcer {
  readonly nodeId: string;
  /** The neighbour to go through, and the cost of the path. */
  readonly via: string;
  readonly cost: number;
  readonly networks: readonly IpNetwork[];
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

interface Candidate {
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
  const candidates: Candidate[] = [];
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
      if (!ownRoutes.has(String(network))) candidates.push({ announcer, network, place });
    }
  }
  const best = new Map<string, Candidate>();
  let left = 0;
  for (const candidate of inTurn(candidates)) {
    const key = String(candidate.network);
    const known = best.get(key);
    if (known === undefined && best.size >= maxRoutes) left++;
    else if (known === undefined || isBetter(candidate.announcer, known.announcer)) {
      best.set(key, candidate);
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
function inTurn(candidates: readonly Candidate[]): Candidate[] {
  const turns: { turn: number; candidate: Candidate }[] = [];
  for (const behind of Map.groupBy(candidates, ({ announcer }) => announcer.via).values()) {
    behind.sort((a, b) => a.place - b.place || compareText(a.announcer.nodeId, b.announcer.nodeId));
    for (const [turn, candidate] of behind.entries()) turns.push({ turn, candidate });
  }
  turns.sort((a, b) =>
    a.turn - b.turn || compareText(a.candidate.announcer.via, b.candidate.announcer.via)
  );
  return turns.map(({ candidate }) => candidate);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
