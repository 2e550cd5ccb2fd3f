/** The control services of other nodes, through which all remote units of this node reach them. */
import { DialQueue } from "../../base/dial_queue.ts";
import type { ControlClient } from "../../control/client.ts";
import { CommandLines } from "./command_lines.ts";
import {
  connectToRemote,
  NoAnswerError,
  type RemoteAccess,
  type RemoteTarget,
} from "./remote_access.ts";

export class RemoteNodes implements Disposable {
  readonly #access: RemoteAccess;
  readonly #dials = new DialQueue((error) => error instanceof NoAnswerError);
  readonly #lines: CommandLines;

  constructor(access: RemoteAccess) {
    this.#access = access;
    this.#lines = new CommandLines({
      clock: access.clock,
      // Commands that free something, or tell what there is to do, go ahead of new work.
      connect: (target, signal) => this.#dial(target, { signal, urgent: true }),
    });
  }

  /** A connection for one user, which closes it. */
  connect(target: RemoteTarget, signal: AbortSignal): Promise<ControlClient> {
    return this.#dial(target, { signal });
  }

  /** Runs a short exchange, safe to repeat, over a connection that is shared with others. */
  // deno-lint-ignore require-await -- what it throws must be a rejection
  async run<T>(
    target: RemoteTarget,
    exchange: (client: ControlClient) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    // A connection outlives its route for a while, but nothing would come over it.
    this.#checkRoute(target);
    return this.#lines.run(target, exchange, signal);
  }

  [Symbol.dispose](): void {
    this.#lines[Symbol.dispose]();
  }

  async #dial(
    target: RemoteTarget,
    options: { signal: AbortSignal; urgent?: boolean },
  ): Promise<ControlClient> {
    this.#checkRoute(target);
    return await this.#dials.dial(target.RemoteNode, () => {
      this.#checkRoute(target);
      return connectToRemote(this.#access, target, options.signal);
    }, options);
  }

  /** Without a route there is nothing to wait for. */
  #checkRoute({ RemoteNode }: RemoteTarget): void {
    if (!this.#access.mesh.hasRoute(RemoteNode)) throw new Error("no route to node");
  }
}
