/**
 * How the nodes of an IP network tell each other which addresses are behind them: by the tags under
 * which each advertises the service of the network's name. The names of tags are the original's:
 *
 *     {"type":"IP Router","network":NAME,"route_local":"10.9.0.0/30","route_0":"10.20.0.0/16",…}
 */
import { IpNetwork } from "../../base/ip_network.ts";
import { MAX_TAGS } from "../../wire/advertisement.ts";

const TYPE = "IP Router";

/** What a node announces beside its own /30; the other tags need room too. */
export const MAX_ANNOUNCED_ROUTES = MAX_TAGS - 3;

export interface OwnNetworks {
  /** The /30 of the tun device. */
  readonly local: IpNetwork;
  /** Networks that can be reached through this node. */
  readonly routes: readonly IpNetwork[];
}

export function announcementTags(
  network: string,
  { local, routes }: OwnNetworks,
): Record<string, string> {
  return {
    type: TYPE,
    network,
    route_local: String(local),
    ...Object.fromEntries(routes.map((route, index) => [`route_${index}`, String(route)])),
  };
}

/**
 * The networks that a node announces for the IP network called `network`, each once; a text that is
 * none is ignored, as by the original. Undefined if the tags are not those of such a node.
 */
export function announcedNetworks(
  network: string,
  tags: ReadonlyMap<string, string> | null,
): IpNetwork[] | undefined {
  if (tags?.get("type") !== TYPE || tags.get("network") !== network) return undefined;
  const networks = new Map<string, IpNetwork>();
  for (const [name, text] of tags) {
    if (!name.startsWith("route")) continue;
    try {
      const announced = IpNetwork.parse(text);
      networks.set(String(announced), announced);
    } catch {
      continue;
    }
  }
  return [...networks.values()];
}

/** Addresses that are not for routing between nodes. */
const SPECIAL = [
  "0.0.0.0/8",
  "127.0.0.0/8",
  "169.254.0.0/16",
  // Multicast, and what lies above.
  "224.0.0.0/3",
  // Unspecified, loopback, and IPv4 in the form of IPv6.
  "::/127",
  "::ffff:0:0/96",
  "fe80::/10",
  "ff00::/8",
].map((text) => IpNetwork.parse(text));

/** The shortest prefix, apart from a default route: two shorter ones could stand for that. */
const SHORTEST_PREFIX = 8;

/**
 * Why a network that another node announces gets no route here; undefined if it may. The original
 * takes everything that the kernel takes, and thereby lets any node have the traffic of all.
 */
export function refusalOf(announced: IpNetwork, local: IpNetwork): string | undefined {
  if (local.contains(announced)) return `it is in our own network ${local}`;
  // A default route is the last resort: any other is preferred.
  if (announced.prefix === 0) return undefined;
  if (announced.prefix < SHORTEST_PREFIX) return `it is wider than a /${SHORTEST_PREFIX}`;
  if (SPECIAL.some((special) => special.contains(announced))) {
    return "its addresses are not for routing";
  }
  return undefined;
}
