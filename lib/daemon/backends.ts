/** The backends of a configuration as running links: what a reload starts, keeps and stops. */
import type { Backend, LinkPolicy } from "../backends/backend.ts";
import { TcpListener, TcpPeer } from "../backends/mod.ts";
import type { WebSocketPeerDeps } from "../backends/websocket.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import {
  tcpListener,
  tcpPeer,
  udpListener,
  udpPeer,
  wsListener,
  wsPeer,
} from "../config/actions/backends.ts";
import { localOnly } from "../config/actions/general.ts";
import { type Config, sameAction } from "../config/config.ts";
import { type ConfigError, InvalidConfigError } from "../config/config_error.ts";
import { failedAction } from "./failed_action.ts";
import type { Security } from "./security.ts";

/** The slice of the mesh node that runs backends. */
export interface LinkHost {
  /** Runs `backend` until the result is disposed, which resolves when its last link is down. */
  addBackend(backend: Backend, policy: LinkPolicy): AsyncDisposable;
}

export interface LinksDeps extends WebSocketPeerDeps {
  readonly security: Pick<Security, "server" | "client">;
}

interface RunningLink {
  readonly configured: Configured<ActionSpec>;
  readonly backend: AsyncDisposable;
}

/** Whether a configuration gives the node anything to do. */
export function hasBackend(config: Config): boolean {
  return config.actions.some((configured) => configured.action === localOnly) ||
    backendActions(config).length > 0;
}

export class Links implements AsyncDisposable {
  readonly #host: LinkHost;
  readonly #deps: LinksDeps;
  #running: RunningLink[] = [];

  constructor(host: LinkHost, deps: LinksDeps) {
    this.#host = host;
    this.#deps = deps;
  }

  /**
   * Brings the running backends in line with `config`: what is no longer there stops, what is new
   * starts, and an unchanged backend keeps its links. Throws an `InvalidConfigError` that names
   * the action when one cannot start (its port is taken); the others run nevertheless.
   */
  async apply(config: Config): Promise<void> {
    const wanted = backendActions(config);
    const kept = this.#running.filter(({ configured }) =>
      wanted.some((action) => sameAction(action, configured))
    );
    // A port must be free again before its new owner binds it.
    const stopped = this.#running.filter((link) => !kept.includes(link));
    this.#running = kept;
    await Promise.all(stopped.map(({ backend }) => backend[Symbol.asyncDispose]()));

    const failures: ConfigError[] = [];
    for (const configured of wanted) {
      if (kept.some((link) => sameAction(link.configured, configured))) continue;
      try {
        const backend = await makeBackend(configured, this.#deps);
        const running = this.#host.addBackend(backend, linkPolicy(configured));
        this.#running.push({ configured, backend: running });
      } catch (cause) {
        failures.push(failedAction(configured, cause));
      }
    }
    if (failures.length > 0) throw new InvalidConfigError(failures);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#running;
    this.#running = [];
    await Promise.all(running.map(({ backend }) => backend[Symbol.asyncDispose]()));
  }
}

function backendActions(config: Config): Configured<ActionSpec>[] {
  return config.actions.filter(({ action }) => action.section === "backends");
}

function linkPolicy({ values }: Configured<ActionSpec>): LinkPolicy {
  const { cost, nodecost = {}, allowedpeers: allowedPeers } = values as {
    cost: number;
    nodecost?: Record<string, number>;
    allowedpeers?: string[];
  };
  return { cost, nodeCost: nodecost, allowedPeers };
}

/** Listeners are bound here. Throws what the backend throws. */
async function makeBackend(
  configured: Configured<ActionSpec>,
  deps: LinksDeps,
): Promise<Backend> {
  const { security } = deps;
  const server = (name: string | undefined) => name ? security.server(name) : undefined;
  const client = (name: string | undefined) => name ? security.client(name) : undefined;
  switch (configured.action) {
    case tcpListener: {
      const { bindaddr: bindAddress, port, tls } =
        (configured as Configured<typeof tcpListener>).values;
      return TcpListener.bind(deps, { bindAddress, port, tls: server(tls) });
    }
    case tcpPeer: {
      const { address, redial, tls } = (configured as Configured<typeof tcpPeer>).values;
      return new TcpPeer(deps, { address, redial, tls: client(tls) });
    }
    case udpListener: {
      const { bindaddr: bindAddress, port } = (configured as Configured<typeof udpListener>).values;
      const { UdpListener } = await import("../backends/udp.ts");
      return await UdpListener.bind(deps, { bindAddress, port });
    }
    case udpPeer: {
      const { address, redial } = (configured as Configured<typeof udpPeer>).values;
      const { UdpPeer } = await import("../backends/udp.ts");
      return new UdpPeer(deps, { address, redial });
    }
    case wsListener: {
      const { bindaddr: bindAddress, port, path, tls } =
        (configured as Configured<typeof wsListener>).values;
      const { WebSocketListener } = await import("../backends/websocket.ts");
      return WebSocketListener.bind(deps, { bindAddress, port, path, tls: server(tls) });
    }
    case wsPeer: {
      const { address, redial, extraheader: extraHeader, tls } =
        (configured as Configured<typeof wsPeer>).values;
      const { WebSocketPeer } = await import("../backends/websocket.ts");
      // As in the original, wss:// without a configuration trusts what the system trusts.
      return new WebSocketPeer(deps, { address, redial, extraHeader, tls: client(tls) });
    }
    default:
      throw new TypeError(`not a backend: ${configured.action.name}`);
  }
}
