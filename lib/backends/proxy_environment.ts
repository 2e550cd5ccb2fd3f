/** Which proxy the environment names for a URL, by the rules of Go's `net/http`. */
import { BlockList, isIP } from "node:net";
import type { Environment } from "../base/default_socket.ts";

/** Where a connection shall go in the end. */
export interface ProxyTarget {
  /** Over TLS, which HTTPS_PROXY is for. */
  readonly secure: boolean;
  /** DNS name or IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

/**
 * The proxy for `target`, or undefined for none. Names in capitals win over the others; loopback
 * is never asked of a proxy. Throws a `SyntaxError` that names the variable when its value is no
 * URL.
 */
export function proxyFor(target: ProxyTarget, environment: Environment): URL | undefined {
  const name = target.secure ? "HTTPS_PROXY" : "HTTP_PROXY";
  // A web server gives the header "Proxy:" of anybody under this name to its programs.
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

/** Whether NO_PROXY lets `target` be asked of a proxy. */
function wantsProxy({ host, port }: ProxyTarget, noProxy: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  if (name === "localhost" || isLoopback(name)) return false;
  return !noProxy.split(",").some((entry) => matches(entry.trim().toLowerCase(), name, port));
}

function matches(entry: string, host: string, port: number): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  if (entry.includes("/")) return inNetwork(entry, host);
  const { name, entryPort } = splitPort(entry);
  if (entryPort !== undefined && entryPort !== port) return false;
  if (isIP(name)) return sameAddress(name, host);
  if (isIP(host)) return false;
  // ".example.org" and "*.example.org" are for what is below, "example.org" for itself too.
  const domain = name.replace(/^\*?\./, "");
  return host.endsWith(`.${domain}`) || (domain === name && host === name);
}

function splitPort(entry: string): { name: string; entryPort: number | undefined } {
  const match = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(entry);
  if (match === null) return { name: entry, entryPort: undefined };
  const entryPort = match[3] === undefined ? undefined : Number(match[3]);
  return { name: match[1] ?? match[2]!, entryPort };
}

function inNetwork(entry: string, host: string): boolean {
  const [network, bits] = entry.split("/", 2);
  const family = isIP(network!);
  if (family === 0 || isIP(host) === 0 || !/^\d{1,3}$/.test(bits!)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network!, Number(bits), family === 4 ? "ipv4" : "ipv6");
  return list.check(host, isIP(host) === 4 ? "ipv4" : "ipv6");
}

function sameAddress(a: string, b: string): boolean {
  if (isIP(b) === 0) return false;
  const list = new BlockList();
  list.addAddress(a, isIP(a) === 4 ? "ipv4" : "ipv6");
  return list.check(b, isIP(b) === 4 ? "ipv4" : "ipv6");
}

function isLoopback(host: string): boolean {
  return inNetwork("127.0.0.0/8", host) || (isIP(host) !== 0 && sameAddress("::1", host));
}
