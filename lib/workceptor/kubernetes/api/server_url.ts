/** The `server` and `proxy-url` of a cluster as URLs. */
import { printable } from "../../../base/printable.ts";
import type { ClusterEntry } from "./kubeconfig.ts";

/**
 * Where a cluster's API is: `https:` or `http:`, with a path that does not end in a slash. As in
 * kubectl, an address without a scheme is `https` only if something about TLS is configured. Throws
 * a `SyntaxError` that says what a server looks like.
 */
export function serverUrl(cluster: ClusterEntry, hasCertificate: boolean): URL {
  const { server, ca, insecure, tlsServerName } = cluster;
  const hasTls = ca !== undefined || insecure || tlsServerName !== undefined || hasCertificate;
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(server);
  const complete = hasScheme ? server : `${hasTls ? "https" : "http"}://${server}`;
  const url = URL.canParse(complete) ? new URL(complete) : undefined;
  const known = url?.protocol === "https:" || url?.protocol === "http:";
  if (url === undefined || !known || url.username !== "" || url.search !== "") {
    const shown = server.includes("@") ? "this" : printable(server);
    throw new SyntaxError(
      `${shown} is not the URL of an API server: expected https://host:port, without a user name`,
    );
  }
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}

/** Throws a `SyntaxError` that does not show the URL, which may hold a password. */
export function proxyUrl({ proxyUrl: text }: ClusterEntry): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(https?|socks5h?):$/.test(url.protocol) || url.hostname === "") {
    throw new SyntaxError("proxy-url is not a URL of type http, https or socks5");
  }
  return url;
}

/** The DNS name or address in a URL, without brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** The port that a URL names or its scheme stands for. */
export function portOf({ port, protocol }: URL): number {
  return Number(port || (protocol === "https:" ? 443 : 80));
}
