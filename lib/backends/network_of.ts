/**
 * Who an address belongs to, as far as it shows, so that everything one party holds counts
 * together.
 */

/** Groups of 16 bits in an IPv6 address, and in the part of it that a subscriber gets. */
const GROUPS = 8;
const NETWORK_GROUPS = 4;

/**
 * An IPv4 address itself; the /64 of an IPv6 one, whose other half its owner may choose freely.
 * `host` is an address as sockets report it.
 */
export function networkOf(host: string): string {
  if (!host.includes(":")) return host;
  const [head = [], tail] = host.replace(/%.*$/, "").split("::", 2).map(groupsOf);
  const zeros = Array(Math.max(0, GROUPS - head.length - (tail?.length ?? 0))).fill("0");
  const groups = tail === undefined ? head : [...head, ...zeros, ...tail];
  return `${groups.slice(0, NETWORK_GROUPS).join(":")}::/64`;
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}
