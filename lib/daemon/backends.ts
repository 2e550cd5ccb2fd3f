/** The backends of a configuration, as actions that a reload starts and stops. */
import type { Backend, LinkPolicy } from "../backends/backend.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import { localOnly } from "../config/actions/general.ts";
import type { Config } from "../config/config.ts";
import { backendActions, type BackendDeps } from "./prepare_backend.ts";
import type { OpenAction, PreparedAction, RunningAction } from "./running_actions.ts";

/** The slice of the mesh node that runs backends. */
export interface BackendHost {
  /** Runs `backend` until the result is disposed of, which resolves when its last link is down. */
  addBackend(backend: Backend, policy: LinkPolicy): RunningAction;
}

/** Whether a configuration gives the node anything to do. */
export function hasBackend(config: Config): boolean {
  return config.find(localOnly) !== undefined ||
    config.actions.some((configured) => backendActions.handles(configured));
}

/** Rejects if a parameter is wrong. */
export async function prepareBackend(
  configured: Configured<ActionSpec>,
  deps: BackendDeps,
  host: BackendHost,
): Promise<PreparedAction> {
  const { policy, holds, open } = await backendActions.handle(configured, deps);
  return {
    holds,
    async open(): Promise<OpenAction> {
      const backend = await open();
      return {
        run: () => host.addBackend(backend, policy),
        [Symbol.asyncDispose]: () => giveBack(backend),
      };
    },
  };
}

/** An open backend gives back its port if it is run with an already aborted signal. */
async function giveBack(backend: Backend): Promise<void> {
  const noSession = () => Promise.resolve({ established: false });
  await backend.run(noSession, AbortSignal.abort());
}
