/**
 * Turns a backend's action into something that can be opened. Everything that can be checked
 * beforehand is checked here.
 */
import type { Backend, LinkPolicy } from "../backends/backend.ts";
import { TcpListener, TcpPeer } from "../backends/tcp.ts";
import type { ListenerDeps } from "../backends/socket_listener.ts";
import type { WebSocketPeerDeps } from "../backends/websocket.ts";
import {
  tcpListener,
  tcpPeer,
  udpListener,
  udpPeer,
  wsListener,
  wsPeer,
} from "../config/actions/backends.ts";
import { ActionHandlers } from "./action_handlers.ts";
import type { Security } from "./security.ts";

/** A backend whose parameters are all valid, and which holds nothing yet. */
export interface PreparedBackend {
  readonly policy: LinkPolicy;
  /** The port that `open` binds, such as `tcp 7323`; undefined for a peer. */
  readonly holds?: readonly string[];
  /** Binds a listener. Rejects with a `ListenError` if that fails. */
  open(): Promise<Backend>;
}

export interface BackendDeps extends WebSocketPeerDeps, ListenerDeps {
  readonly security: Pick<Security, "server" | "client">;
}

/** Rejects if a parameter is wrong: an unknown TLS configuration, a malformed address. */
export const backendActions = new ActionHandlers<BackendDeps, Promise<PreparedBackend>>()
  // deno-lint-ignore require-await -- what it throws must be a rejection
  .on(tcpListener, async (values, deps) => {
    const { bindaddr: bindAddress, port } = values;
    const tls = serverTls(values, deps);
    return listener(
      values,
      "tcp",
      async () => await TcpListener.bind(deps, { bindAddress, port, tls }),
    );
  })
  .on(tcpPeer, async (values, deps) => {
    const { address, redial } = values;
    return peer(values, new TcpPeer(deps, { address, redial, tls: await clientTls(values, deps) }));
  })
  .on(udpListener, async (values, deps) => {
    const { bindaddr: bindAddress, port } = values;
    const { UdpListener } = await import("../backends/udp.ts");
    return listener(values, "udp", () => UdpListener.bind(deps, { bindAddress, port }));
  })
  .on(udpPeer, async (values, deps) => {
    const { UdpPeer } = await import("../backends/udp.ts");
    return peer(values, new UdpPeer(deps, values));
  })
  .on(wsListener, async (values, deps) => {
    const { bindaddr: bindAddress, port, path } = values;
    const { checkServedPath, WebSocketListener } = await import("../backends/websocket.ts");
    const tls = serverTls(values, deps);
    checkServedPath(path);
    const options = { bindAddress, port, path, tls };
    return listener(values, "tcp", async () => await WebSocketListener.bind(deps, options));
  })
  .on(wsPeer, async (values, deps) => {
    const { address, redial, extraheader: extraHeader } = values;
    const { WebSocketPeer } = await import("../backends/websocket.ts");
    const tls = await clientTls(values, deps);
    return peer(values, new WebSocketPeer(deps, { address, redial, extraHeader, tls }));
  });

interface PolicyValues {
  readonly cost: number;
  readonly allowedpeers: readonly string[] | undefined;
  readonly verifynodeid?: boolean;
}

interface ListenerValues extends PolicyValues {
  readonly port: number;
  readonly nodecost: Readonly<Record<string, number>> | undefined;
}

function listener(
  values: ListenerValues,
  transport: "tcp" | "udp",
  open: () => Promise<Backend>,
): PreparedBackend {
  const { nodecost: nodeCost = {}, port } = values;
  return { policy: { ...policyOf(values), nodeCost }, holds: [`${transport} ${port}`], open };
}

function peer(values: PolicyValues, backend: Backend): PreparedBackend {
  return { policy: policyOf(values), open: () => Promise.resolve(backend) };
}

function policyOf({ cost, allowedpeers, verifynodeid }: PolicyValues): LinkPolicy {
  return { cost, nodeCost: {}, allowedPeers: allowedpeers, verifyNodeId: verifynodeid };
}

interface TlsValues {
  readonly tls: string | undefined;
  readonly verifynodeid: boolean;
}

function serverTls({ tls, verifynodeid }: TlsValues, { security }: BackendDeps) {
  const profile = tls === undefined ? undefined : security.server(tls);
  if (verifynodeid && !profile?.wantsClientCertificate) {
    throw new Error("verifynodeid needs a tls-server with requireclientcert or clientcas");
  }
  return profile;
}

async function clientTls({ tls, verifynodeid }: TlsValues, { security }: BackendDeps) {
  if (verifynodeid && tls === undefined) throw new Error("verifynodeid needs a tls-client");
  return tls === undefined ? undefined : await security.client(tls);
}
