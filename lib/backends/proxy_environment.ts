/** Which proxy the environment names for a URL, by the rules of Go's `net/http`. */
import type { Environment } from "../base/default_socket.ts";
import { parseIpAddress } from "../pki/host_name.ts";
import { sameBytes } from "../pki/same_bytes.ts";

/** The final destination of a connection. */
export interface ProxyTarget {
  /** Whether over TLS, for which HTTPS_PROXY applies. */
  readonly secure: boolean;
  /** DNS name or IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = ["127.0.0.0/8", "::1/128"];

/**
 * The proxy for `target`, or undefined for none. Upper-case names win over lower-case ones;
 * loopback never goes through a proxy. Throws a `SyntaxError` that names the variable if its value
 * is not a URL.
 */
export function proxyFor(target: ProxyTarget, environment: Environment): URL | undefined {
  const name = target.secure ? "HTTPS_PROXY" : "HTTP_PROXY";
  // Under this name, a web server passes anybody's "Proxy:" header to its CGI programs.
  if (!target.secure && environment("REQUEST_METHOD")) return undefined;
  const value = read(environment, name);
  if (value === "" || !wantsProxy(target, read(environment, "NO_PROXY"))) return undefined;
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(value);
  const url = hasScheme ? value : `http://${value}`;
  if (!URL.canParse(url)) {
    // It may hold a password.
    throw new SyntaxError(`the value of ${name} is not the URL of a proxy`);
  }
  return new URL(url);
}

function read(environment: Environment, name: string): string {
  return environment(name) || environment(name.toLowerCase()) || "";
}

/** Whether NO_PROXY allows a proxy for `target`. */
function wantsProxy({ host, port }: ProxyTarget, noProxy: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  if (name === "localhost" || LOOPBACK.some((network) => inNetwork(network, name))) return false;
  return !noProxy.split(",").some((entry) => matches(entry.trim().toLowerCase(), name, port));
}

function matches(entry: string, host: string, port: number): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  if (entry.includes("/")) return inNetwork(entry, host);
  const { name, entryPort } = splitPort(entry);
  if (entryPort !== undefined && entryPort !== port) return false;
  const address = parseIpAddress(name);
  const hostAddress = parseIpAddress(host);
  if (address !== undefined && hostAddress !== undefined) return sameBytes(address, hostAddress);
  if (address !== undefined || hostAddress !== undefined) return false;
  // ".example.org" and "*.example.org" match what is below, "example.org" also itself.
  const domain = name.replace(/^\*?\./, "");
  return host.endsWith(`.${domain}`) || (domain === name && host === name);
}

function splitPort(entry: string): { name: string; entryPort: number | undefined } {
  const match = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(entry);
  if (match === null) return { name: entry, entryPort: undefined };
  const entryPort = match[3] === undefined ? undefined : Number(match[3]);
  return { name: match[1] ?? match[2]!, entryPort };
}

/** Whether an address is in `network`, such as `192.0.2.0/24`. */
function inNetwork(network: string, host: string): boolean {
  const [base = "", bits = ""] = network.split("/", 2);
  const prefix = parseIpAddress(base);
  const address = parseIpAddress(host);
  if (prefix === undefined || prefix.length !== address?.length) return false;
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > 8 * prefix.length) return false;
  return prefix.every((byte, index) => {
    const free = Math.min(8, Math.max(0, 8 * (index + 1) - Number(bits)));
    return byte >> free === address[index]! >> free;
  });
}
