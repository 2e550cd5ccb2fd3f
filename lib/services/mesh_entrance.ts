/** Connections that come in on a service of this node. */
import { serveEach } from "../base/serve_each.ts";
import type { ListenOptions, Mesh, MeshListener } from "../netceptor/mesh.ts";
import type { Entrance, Incoming } from "./service.ts";

export class MeshEntrance implements Entrance {
  readonly #listener: MeshListener;

  private constructor(listener: MeshListener) {
    this.#listener = listener;
  }

  /** Rejects with a `RangeError` if the name is too long, or a `ServiceTakenError`. */
  static async open(
    mesh: Pick<Mesh, "listen">,
    service: string,
    options: ListenOptions,
  ): Promise<MeshEntrance> {
    return new MeshEntrance(await mesh.listen(service, options));
  }

  async serve(serve: (incoming: Incoming) => Promise<void>, signal: AbortSignal): Promise<void> {
    const close = () => void this.#listener[Symbol.asyncDispose]();
    signal.addEventListener("abort", close, { once: true });
    try {
      if (signal.aborted) return;
      await serveEach(this.#listener, (conn) => {
        const { remoteNode: source, remoteService, closed, tellsWindow } = conn;
        return serve({ conn, from: `${source}:${remoteService}`, source, closed, tellsWindow });
      });
    } finally {
      signal.removeEventListener("abort", close);
      await this.#listener[Symbol.asyncDispose]();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#listener[Symbol.asyncDispose]());
  }
}
