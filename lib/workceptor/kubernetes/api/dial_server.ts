/** Connections to an API server: directly or through a proxy, secured if its URL is `https:`. */
import type { LinkClientTls } from "../../../backends/tls.ts";
import { proxyFor } from "../../../backends/proxy_environment.ts";
import { connectThroughProxy } from "../../../backends/proxy_tunnel.ts";
import { connectTcp } from "../../../backends/tcp_conn.ts";
import type { ByteConn } from "../../../base/byte_conn.ts";
import type { Environment } from "../../../base/default_socket.ts";
import type { Credentials } from "./credentials.ts";
import type { ServerTls } from "./server_tls.ts";
import { hostOf, portOf } from "./server_url.ts";

/** How to reach a server, and as whom. */
export interface ServerAccess {
  readonly server: URL;
  /** For SNI and the check of the certificate, instead of the URL's host. */
  readonly tlsServerName: string | undefined;
  /** From the kubeconfig: wins over the environment's. */
  readonly proxy: URL | undefined;
  readonly tls: ServerTls;
  /** For proxies of type `https:`. */
  readonly proxyTls: ServerTls;
  readonly credentials: Credentials;
}

/** Throws an `Error` that says where to and why it failed. */
export async function dialServer(
  access: ServerAccess,
  environment: Environment,
  signal: AbortSignal,
): Promise<ByteConn> {
  const { server, credentials, tlsServerName } = access;
  const target = { host: hostOf(server), port: portOf(server) };
  const secure = server.protocol === "https:";
  // Before anything is dialled: a file may be missing, or a plug-in take its time.
  const tls = secure
    ? await access.tls.forHandshake(await credentials.certificate(signal))
    : undefined;
  const proxy = access.proxy ?? proxyFor({ ...target, secure }, environment);
  const conn = proxy === undefined
    ? await connectTcp(target, signal)
    : await connectThroughProxy(proxy, target, signal, { tls: await proxyTls(access, proxy) });
  if (tls === undefined) return conn;
  // The runtime's TLS takes long to load.
  const { connectTls } = await import("../../../backends/tls.ts");
  const host = tlsServerName ?? target.host;
  const secured = await connectTls(conn, tls, { host, from: server.host, signal });
  return secured.conn;
}

async function proxyTls(access: ServerAccess, proxy: URL): Promise<LinkClientTls | undefined> {
  return proxy.protocol === "https:" ? await access.proxyTls.forHandshake(undefined) : undefined;
}
