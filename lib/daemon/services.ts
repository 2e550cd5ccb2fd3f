/** The services of a configuration, as actions that a reload starts and stops. */
import type { BackendObserver } from "../backends/observer.ts";
import type { ListenerDeps } from "../backends/socket_listener.ts";
import type { Random } from "../base/random.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import {
  commandService,
  ipRouter,
  tcpClient,
  tcpServer,
  udpClient,
  udpServer,
  unixSocketClient,
  unixSocketServer,
} from "../config/actions/services.ts";
import type { Mesh } from "../netceptor/mesh.ts";
import type { NetceptorObserver } from "../netceptor/observer.ts";
import { meshExit, tcpExit, unixExit } from "../services/exits.ts";
import { IpRouter, type IpRouterDeps } from "../services/ip/ip_router.ts";
import { MeshEntrance } from "../services/mesh_entrance.ts";
import type { Entrance, Exit, Service } from "../services/service.ts";
import { StreamService } from "../services/stream_service.ts";
import { TcpEntrance } from "../services/tcp_entrance.ts";
import { MAX_TERMINALS, TerminalExit } from "../services/terminal_exit.ts";
import { UdpClient } from "../services/udp_client.ts";
import { UdpServer } from "../services/udp_server.ts";
import { UnixEntrance } from "../services/unix_entrance.ts";
import { ActionHandlers } from "./action_handlers.ts";
import type { PreparedAction } from "./running_actions.ts";
import type { Security } from "./security.ts";

export interface ServiceDeps extends ListenerDeps {
  readonly observer: Required<BackendObserver & NetceptorObserver>;
  readonly random: Random;
  readonly mesh: Pick<Mesh, "dial" | "listen"> & IpRouterDeps["mesh"];
  readonly security: Pick<Security, "server" | "client">;
}

/** A service whose parameters are all valid, and which holds nothing yet. */
interface PreparedService {
  /** What `open` takes that only one can have. */
  readonly holds: readonly string[];
  open(): Promise<Service>;
}

/** Rejects if a parameter is wrong: an unknown TLS configuration, a malformed address. */
const serviceActions = new ActionHandlers<ServiceDeps, Promise<PreparedService>>()
  .on(tcpServer, async ({ port, bindaddr: bindAddress, tlsserver, ...to }, deps) => {
    const tls = serverTls(tlsserver, deps);
    const exit = await exitTo(to, to.tlsclient, deps);
    const entrance = () => Promise.resolve(new TcpEntrance(deps, { bindAddress, port, tls }));
    return streams(deps, { name: `tcp-server ${port}`, holds: [`tcp ${port}`], entrance, exit });
  })
  .on(tcpClient, async ({ service, address, tlsserver, tlsclient }, deps) => {
    const exit = tcpExit(address, await clientTls(tlsclient, deps));
    const tags = { type: "TCP Proxy", address };
    return fromMesh(deps, { name: "tcp-client", service, tls: tlsserver, tags, exit });
  })
  .on(unixSocketServer, async ({ filename, permissions: mode, tls, ...to }, deps) => {
    const exit = await exitTo(to, tls, deps);
    const entrance = () => UnixEntrance.open(filename, { ...deps, mode });
    const name = `unix-socket-server ${filename}`;
    return streams(deps, { name, holds: [`file ${filename}`], entrance, exit });
  })
  // deno-lint-ignore require-await -- what it throws must be a rejection
  .on(commandService, async ({ service, command, tls }, deps) => {
    const tags = { type: "Command Service" };
    const exit = new TerminalExit(deps, { command, environment: Deno.env.toObject() });
    return fromMesh(deps, {
      name: "command-service",
      service,
      tls,
      tags,
      exit,
      takesWindow: true,
      maxConnections: MAX_TERMINALS,
    });
  })
  // deno-lint-ignore require-await -- what it throws must be a rejection
  .on(udpServer, async ({ port, bindaddr: bindAddress, remotenode: node, remoteservice }, deps) => {
    const options = { bindAddress, port, node, service: remoteservice };
    return { holds: [`udp ${port}`], open: () => UdpServer.bind(deps, options) };
  })
  // deno-lint-ignore require-await -- what it throws must be a rejection
  .on(udpClient, async ({ service, address }, deps) => {
    const open = () => Promise.resolve(new UdpClient(deps, { service, address }));
    return { holds: [`service ${service}`], open };
  })
  // deno-lint-ignore require-await -- what it throws must be a rejection
  .on(ipRouter, async ({ networkname: network, localnet: local, routes = [], ...values }, deps) => {
    const options = { network, interface: values.interface, local, routes };
    const taken = options.interface === undefined ? [] : [`interface ${options.interface}`];
    return {
      holds: [`service ${network}`, ...taken],
      open: () => IpRouter.open(deps, options),
    };
  })
  // deno-lint-ignore require-await -- what it throws must be a rejection
  .on(unixSocketClient, async ({ service, filename, tls }, deps) => {
    const tags = { type: "Unix Proxy", filename };
    const exit = unixExit(filename);
    return fromMesh(deps, { name: "unix-socket-client", service, tls, tags, exit });
  });

export function isService(configured: Configured<ActionSpec>): boolean {
  return serviceActions.handles(configured);
}

/** Rejects if a parameter is wrong. */
export async function prepareService(
  configured: Configured<ActionSpec>,
  deps: ServiceDeps,
): Promise<PreparedAction> {
  const { holds, open } = await serviceActions.handle(configured, deps);
  return {
    holds,
    stopsFirst: true,
    async open() {
      const service = await open();
      return {
        run: () => runService(service, configured, deps),
        [Symbol.asyncDispose]: async () => await service[Symbol.asyncDispose](),
      };
    },
  };
}

function runService(service: Service, { action }: Configured<ActionSpec>, { log }: ServiceDeps) {
  const stop = new AbortController();
  const ended = service.run(stop.signal).catch((error) => {
    log.error(`Error running ${action.name}: ${error}`);
  });
  return {
    ended,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("the service is stopped"));
      await ended;
    },
  };
}

interface Streams {
  /** For messages. */
  readonly name: string;
  readonly holds: readonly string[];
  readonly entrance: () => Promise<Entrance>;
  readonly exit: Exit;
  readonly maxConnections?: number | undefined;
}

function streams(
  { log, clock }: ServiceDeps,
  { name, holds, entrance, exit, maxConnections }: Streams,
): PreparedService {
  return {
    holds,
    async open() {
      const deps = { log, clock, entrance: await entrance(), exit };
      return new StreamService(deps, name, maxConnections);
    },
  };
}

interface StreamsFromMesh {
  readonly name: string;
  readonly service: string;
  readonly tls: string | undefined;
  /** What the original advertises the service under. */
  readonly tags: Record<string, string>;
  readonly exit: Exit;
  readonly takesWindow?: boolean;
  readonly maxConnections?: number;
}

function fromMesh(deps: ServiceDeps, options: StreamsFromMesh): PreparedService {
  const { name, service, tags, exit, takesWindow, maxConnections } = options;
  const tls = serverTls(options.tls, deps)?.mesh;
  return streams(deps, {
    name: `${name} ${service}`,
    holds: [`service ${service}`],
    entrance: () =>
      MeshEntrance.open(deps.mesh, service, { tls, advertise: { tags }, takesWindow }),
    exit,
    maxConnections,
  });
}

interface RemoteValues {
  readonly remotenode: string;
  readonly remoteservice: string;
}

async function exitTo(
  { remotenode: node, remoteservice: service }: RemoteValues,
  tlsClientName: string | undefined,
  deps: ServiceDeps,
): Promise<Exit> {
  const tls = (await clientTls(tlsClientName, deps))?.mesh;
  return meshExit(deps.mesh, { node, service, tls });
}

function serverTls(name: string | undefined, { security }: ServiceDeps) {
  return name ? security.server(name) : undefined;
}

async function clientTls(name: string | undefined, { security }: ServiceDeps) {
  return name ? await security.client(name) : undefined;
}
