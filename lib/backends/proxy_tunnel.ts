/** A connection through an HTTP proxy (CONNECT). */
import { type ByteConn, closeQuietly, writeAll } from "../base/byte_conn.ts";
import { messageOf } from "../base/error_message.ts";
import { LineReader } from "../base/line_reader.ts";
import { formatHostPort, type HostPort } from "./host_port.ts";
import { formatHttpHead, parseStatusLine, readHttpHead } from "./http_head.ts";
import { connectTcp } from "./tcp_conn.ts";

const DEFAULT_PROXY_PORT = 80;

/**
 * Connects to `target` through `proxy`, an `http:` URL that may hold a user name and password.
 * Throws an `Error` that says what the proxy answered.
 */
export async function connectThroughProxy(
  proxy: URL,
  target: HostPort,
  signal: AbortSignal,
): Promise<ByteConn> {
  if (proxy.protocol !== "http:") {
    throw new Error(`cannot use a proxy of type ${proxy.protocol}, only http: is known`);
  }
  const address = {
    host: proxy.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(proxy.port || DEFAULT_PROXY_PORT),
  };
  const conn = await connectTcp(address, signal);
  const abort = () => closeQuietly(conn);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await openTunnel(conn, proxy, formatHostPort(target));
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

async function openTunnel(conn: ByteConn, proxy: URL, target: string): Promise<ByteConn> {
  const headers: [string, string][] = [["Host", target]];
  if (proxy.username !== "") headers.push(["Proxy-Authorization", basicAuthorization(proxy)]);
  await writeAll(conn, formatHttpHead(`CONNECT ${target} HTTP/1.1`, headers));
  const reader = new LineReader(conn);
  const { status, text } = parseStatusLine((await readHttpHead(reader)).startLine);
  if (status !== 200) throw new Error(`it answered ${text}`);
  return reader;
}

function basicAuthorization({ username, password }: URL): string {
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${new TextEncoder().encode(credentials).toBase64()}`;
}
