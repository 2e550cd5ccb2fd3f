/** `host:port` addresses, with IPv6 hosts in brackets. */

export interface HostPort {
  /** Without brackets; empty if it was left out. */
  readonly host: string;
  /** 0 to 65535; 0 stands for any free port when listening. */
  readonly port: number;
}

const MAX_PORT = 65535;

/** Splits `address`. Throws a `SyntaxError` that says what an address looks like. */
export function parseHostPort(address: string): HostPort {
  const match = /^(?:\[([^\[\]]+)\]|([^:\[\]\s]*)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= MAX_PORT)) {
    throw new SyntaxError(
      `${JSON.stringify(address)} is not an address: expected host:port, or [host]:port for ` +
        `IPv6, with a port up to ${MAX_PORT}`,
    );
  }
  return { host, port };
}

/** What stands for this machine in an address to connect to, as in Go's `net`. */
const THIS_MACHINE: Readonly<Record<string, string>> = {
  "": "localhost",
  "0.0.0.0": "127.0.0.1",
  "::": "::1",
};

/** As `parseHostPort`, for an address to connect to. */
export function parseDialAddress(address: string): HostPort {
  const { host, port } = parseHostPort(address);
  return { host: THIS_MACHINE[host] ?? host, port };
}

/** Turns an IPv4 address that a dual-stack socket reports in IPv6 notation into IPv4 notation. */
export function unmapped(host: string): string {
  if (!host.startsWith("::ffff:")) return host;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(host)?.[1] ?? host;
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
