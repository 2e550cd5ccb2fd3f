/** The backends of a configuration as running links: what a reload starts, keeps and stops. */
import type { Backend, LinkPolicy } from "../backends/backend.ts";
import { TcpListener, TcpPeer } from "../backends/mod.ts";
import type { DiallerDeps } from "../backends/redial.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import { tcpListener, tcpPeer } from "../config/actions/backends.ts";
import { localOnly } from "../config/actions/general.ts";
import { type Config, sameAction } from "../config/config.ts";
import { ConfigError, InvalidConfigError } from "../config/config_error.ts";

/** The slice of the mesh node that runs backends. */
export interface LinkHost {
  /** Runs `backend` until the result is disposed, which resolves when its last link is down. */
  addBackend(backend: Backend, policy: LinkPolicy): AsyncDisposable;
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
  readonly #deps: DiallerDeps;
  #running: RunningLink[] = [];

  constructor(host: LinkHost, deps: DiallerDeps) {
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
        const { backend, policy } = makeBackend(configured, this.#deps);
        this.#running.push({ configured, backend: this.#host.addBackend(backend, policy) });
      } catch (cause) {
        const { action, position } = configured;
        const reason = cause instanceof Error ? cause.message : String(cause);
        failures.push(new ConfigError(reason, { action: action.name, position, cause }));
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
  return [...config.all(tcpListener), ...config.all(tcpPeer)];
}

/** Listeners are bound here. Throws what the backend throws. */
function makeBackend(
  configured: Configured<ActionSpec>,
  deps: DiallerDeps,
): { backend: Backend; policy: LinkPolicy } {
  switch (configured.action) {
    case tcpListener: {
      const { values } = configured as Configured<typeof tcpListener>;
      const { bindaddr: bindAddress, port, cost, nodecost, allowedpeers: allowedPeers } = values;
      return {
        backend: TcpListener.bind(deps, { bindAddress, port }),
        policy: { cost, nodeCost: nodecost ?? {}, allowedPeers },
      };
    }
    case tcpPeer: {
      const { values } = configured as Configured<typeof tcpPeer>;
      const { address, redial, cost, allowedpeers: allowedPeers } = values;
      return {
        backend: new TcpPeer(deps, { address, redial }),
        policy: { cost, nodeCost: {}, allowedPeers },
      };
    }
    default:
      throw new TypeError(`not a backend: ${configured.action.name}`);
  }
}
