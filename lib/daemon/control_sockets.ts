/** Where the control service can be reached: the mesh, TCP, Unix sockets, or the default one. */
import { formatHostPort, type HostPort } from "../backends/host_port.ts";
import type { BackendObserver } from "../backends/observer.ts";
import { SocketListener } from "../backends/socket_listener.ts";
import { hostPortOf } from "../backends/tcp_conn.ts";
import { defaultSocketPaths, type Environment, ownFolder } from "../base/default_socket.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { listenUnix, SocketInUseError } from "../base/unix_listener.ts";
import { controlService } from "../config/actions/control_service.ts";
import type { Configured } from "../config/action.ts";
import type { Config } from "../config/config.ts";
import { meshCaller, serveConnections, unixCaller } from "../control/accept_loop.ts";
import type { ControlServer } from "../control/server.ts";
import { makeOwnFolder } from "../control/own_folder.ts";
import type { Mesh, MeshConn } from "../netceptor/mesh.ts";
import type { TlsServerProfile } from "../pki/tls_server_profile.ts";
import { failedAction } from "./failed_action.ts";
import type { Security } from "./security.ts";
import { parseTcpListen } from "./tcp_listen_address.ts";

/** Tags under which the original advertises a control service; AWX and receptorctl look for them. */
const CONTROL_SERVICE_TAGS = { type: "Control Service" };
/** Only the user who started the node. */
const DEFAULT_SOCKET_MODE = 0o600;

export interface ControlSocketsDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly mesh: Pick<Mesh, "listen">;
  readonly server: ControlServer;
  readonly environment: Environment;
  readonly security: Pick<Security, "server">;
  readonly observer: BackendObserver;
}

/** Everything that listens for control clients; disposing closes it and ends the sessions. */
export class ControlSockets implements AsyncDisposable {
  readonly #deps: ControlSocketsDeps;
  readonly #listeners = new AsyncDisposableStack();
  readonly #ending = new AbortController();
  readonly #loops: Promise<void>[] = [];

  private constructor(deps: ControlSocketsDeps) {
    this.#deps = deps;
  }

  /** Throws a `ConfigError` that names the action whose socket or service cannot be opened. */
  static async open(deps: ControlSocketsDeps, config: Config): Promise<ControlSockets> {
    const sockets = new ControlSockets(deps);
    try {
      const configured = config.all(controlService);
      for (const action of configured) await sockets.#openConfigured(action);
      if (configured.length === 0) await sockets.#openDefault();
      return sockets;
    } catch (error) {
      await sockets[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #openConfigured(configured: Configured<typeof controlService>) {
    const { service, filename, permissions, tls, tcplisten, tcptls } = configured.values;
    const { log, security } = this.#deps;
    if (tls && tcplisten && !tcptls) {
      log.warning(
        `Control service ${service} has TLS configured on the Receptor listener but not the TCP ` +
          "listener.",
      );
    }
    try {
      if (filename !== undefined) await this.#serveUnix(filename, permissions);
      if (tcplisten) {
        this.#serveTcp(parseTcpListen(tcplisten), tcptls ? security.server(tcptls) : undefined);
      }
      if (service !== "") await this.#serveMesh(service, tls ? security.server(tls) : undefined);
    } catch (cause) {
      throw failedAction(configured, cause);
    }
    log.info(`Running control service ${service}`);
  }

  /**
   * A node without a `control-service` should still be reachable on its own machine. If it cannot
   * have a socket it runs without one, since nobody asked for it.
   */
  async #openDefault(): Promise<void> {
    const { environment, log } = this.#deps;
    const [path] = defaultSocketPaths(environment);
    const own = ownFolder(Deno.uid() ?? 0);
    try {
      if (path.startsWith(`${own}/`)) await makeOwnFolder(own);
      await this.#serveUnix(path, DEFAULT_SOCKET_MODE);
      log.info(`Running control service on ${path}`);
    } catch (error) {
      const reason = messageOf(error);
      const advice = error instanceof SocketInUseError
        ? "; give this node its own with --control-service filename=PATH"
        : "";
      log.warning(`No default control socket: ${reason}${advice}`);
    }
  }

  async #serveUnix(path: string, mode: number): Promise<void> {
    const { log, clock, random } = this.#deps;
    const options = { mode, what: "control socket", log, clock, random };
    const listener = this.#listeners.use(await listenUnix(path, options));
    this.#run(serveConnections(this.#deps.server, listener, unixCaller, this.#ending.signal), path);
  }

  #serveTcp({ host, port }: HostPort, tls: TlsServerProfile | undefined): void {
    const { log, clock, server, observer } = this.#deps;
    const listener = SocketListener.bind({ log, clock, observer }, { bindAddress: host, port });
    const open = async (conn: Deno.TcpConn) => {
      const { stream, certifiedNodes } = tls === undefined
        ? { stream: conn }
        : await secured(conn, tls);
      return {
        stream,
        caller: {
          via: "tcp",
          secure: tls !== undefined,
          certifiedNodes,
          description: addressOf(conn),
          peer: hostPortOf(conn.remoteAddr).host,
        } as const,
        close: () => conn.close(),
      };
    };
    const { signal } = this.#ending;
    this.#run(
      listener.run(open, ({ stream, caller }) => server.serve(stream, caller, signal), signal),
      `TCP ${formatHostPort(listener.address)}`,
    );
  }

  async #serveMesh(service: string, tls: TlsServerProfile | undefined): Promise<void> {
    const listener = this.#listeners.use(
      await this.#deps.mesh.listen(service, {
        tls: tls?.mesh,
        advertise: { tags: CONTROL_SERVICE_TAGS },
      }),
    );
    const { server } = this.#deps;
    const certified = tls?.options.requireClientCert === true;
    const callerOf = (conn: MeshConn) => meshCaller(conn, { certified });
    this.#run(serveConnections(server, listener, callerOf, this.#ending.signal), service);
  }

  #run(loop: Promise<void>, what: string): void {
    this.#loops.push(
      loop.catch((error) => this.#deps.log.error(`Control service on ${what} ended: ${error}`)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error("the node is shutting down"));
    await this.#listeners.disposeAsync();
    await Promise.all(this.#loops);
  }
}

/** Takes a connection through the handshake, and notes whom the client's certificate names. */
async function secured(conn: Deno.TcpConn, tls: TlsServerProfile) {
  const { acceptTls } = await import("../backends/tls.ts");
  const { conn: stream, certifiedNodes } = await acceptTls(conn, tls, { from: addressOf(conn) });
  return { stream, certifiedNodes };
}

function addressOf(conn: Deno.TcpConn): string {
  return `tcp ${formatHostPort(hostPortOf(conn.remoteAddr))}`;
}
