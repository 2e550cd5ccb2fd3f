/** A connection through an HTTP (CONNECT) or SOCKS proxy. */
import { type ByteConn, closeQuietly, writeAll } from "../base/byte_conn.ts";
import { messageOf } from "../base/error_message.ts";
import { LineReader } from "../base/line_reader.ts";
import { formatHostPort, type HostPort } from "./host_port.ts";
import { formatHttpHead, parseStatusLine, readHttpHead } from "./http_head.ts";
import { requestSocksTunnel, type SocksLogin } from "./socks_tunnel.ts";
import { connectTcp } from "./tcp_conn.ts";
import type { LinkClientTls } from "./tls.ts";

/** The kinds of proxies, by the scheme of their URL, with the port of each. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "socks5:": 1080,
  // The same: the proxy looks up names in any case.
  "socks5h:": 1080,
};

export interface ProxyOptions {
  /** For proxies of type `https:`, which are refused without it. */
  readonly tls?: LinkClientTls | undefined;
}

/**
 * Connects to `target` through `proxy`, a URL that may hold a user name and password: `http:`,
 * `socks5:`, `socks5h:` or with `tls` also `https:`. Throws an `Error` that says what the proxy
 * answered.
 */
export async function connectThroughProxy(
  proxy: URL,
  target: HostPort,
  signal: AbortSignal,
  { tls }: ProxyOptions = {},
): Promise<ByteConn> {
  const defaultPort = DEFAULT_PORTS[proxy.protocol];
  if (defaultPort === undefined || (proxy.protocol === "https:" && tls === undefined)) {
    const known = tls === undefined ? "http: and socks5: are" : "http:, https: and socks5: are";
    throw new Error(`cannot use a proxy of type ${proxy.protocol}, only ${known} known`);
  }
  const host = proxy.hostname.replace(/^\[(.*)\]$/, "$1");
  const address = { host, port: Number(proxy.port || defaultPort) };
  let conn: ByteConn = await connectTcp(address, signal);
  const abort = () => closeQuietly(conn);
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (proxy.protocol === "https:") {
      // The runtime's TLS takes long to load.
      const { connectTls } = await import("./tls.ts");
      const from = `proxy ${formatHostPort(address)}`;
      ({ conn } = await connectTls(conn, tls!, { host, from, signal }));
    }
    if (!proxy.protocol.startsWith("socks")) return await openTunnel(conn, proxy, target);
    await requestSocksTunnel(conn, target, loginOf(proxy));
    return conn;
  } catch (error) {
    closeQuietly(conn);
    const cause = signal.aborted ? signal.reason : error;
    throw new Error(
      `cannot connect to ${formatHostPort(target)} through the proxy ` +
        `${formatHostPort(address)}: ${messageOf(cause)}`,
      { cause },
    );
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function openTunnel(conn: ByteConn, proxy: URL, target: HostPort): Promise<ByteConn> {
  const address = formatHostPort(target);
  const headers: [string, string][] = [["Host", address]];
  const login = loginOf(proxy);
  if (login !== undefined) headers.push(["Proxy-Authorization", basicAuthorization(login)]);
  await writeAll(conn, formatHttpHead(`CONNECT ${address} HTTP/1.1`, headers));
  const reader = new LineReader(conn);
  const { status, text } = parseStatusLine((await readHttpHead(reader)).startLine);
  if (status !== 200) throw new Error(`it answered ${text}`);
  return reader;
}

/** The user name and password in a proxy's URL. */
function loginOf({ username, password }: URL): SocksLogin | undefined {
  if (username === "") return undefined;
  return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
}

function basicAuthorization({ username, password }: SocksLogin): string {
  return `Basic ${new TextEncoder().encode(`${username}:${password}`).toBase64()}`;
}
