/**
 * Which local addresses a listener binds. As in Go's `net`, "all addresses" means those of both
 * families, whichever of the two is named.
 */

const ALL_ADDRESSES = ["", "0.0.0.0", "::"];

/** 1 if a socket on `::` does not take IPv4, which neither Deno nor `node:dgram` can change. */
const BIND_V6_ONLY = "/proc/sys/net/ipv6/bindv6only";

/**
 * The address to bind for `bindAddress`, a name or an IP address (IPv6 with or without brackets),
 * and what to bind instead if this machine has no IPv6.
 */
export function listenAddresses(
  bindAddress: string,
  bindsBothFamilies: () => boolean = systemBindsBothFamilies,
): [address: string, ...fallback: string[]] {
  const host = bindAddress.replace(/^\[(.*)\]$/, "$1");
  if (!ALL_ADDRESSES.includes(host)) return [host];
  return bindsBothFamilies() ? ["::", "0.0.0.0"] : ["0.0.0.0"];
}

function systemBindsBothFamilies(): boolean {
  try {
    return Deno.readTextFileSync(BIND_V6_ONLY).trim() !== "1";
  } catch {
    return true;
  }
}

/** A listener could not be bound. */
export class ListenError extends Error {
  override readonly name = "ListenError";

  /** Whether somebody else has the port. */
  get portTaken(): boolean {
    const { cause } = this;
    return cause instanceof Deno.errors.AddrInUse ||
      (cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE");
  }
}
