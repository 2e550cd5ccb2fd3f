/** The value of `tcplisten`. */
import { type HostPort, parseHostPort } from "../backends/host_port.ts";

const ALL_ADDRESSES = "0.0.0.0";

/**
 * Reads a port, for all addresses of this machine, or `host:port`, whose host may be left out.
 * Throws a `SyntaxError`.
 */
export function parseTcpListen(written: string): HostPort {
  const address = written.includes(":") ? written : `:${written}`;
  return parseHostPort(address.startsWith(":") ? `${ALL_ADDRESSES}${address}` : address);
}
