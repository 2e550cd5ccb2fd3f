/** Connections that come in on a Unix socket. */
import { serveEach } from "../base/serve_each.ts";
import { listenUnix, type UnixListener, type UnixListenerOptions } from "../base/unix_listener.ts";
import type { Entrance, Incoming } from "./service.ts";

export class UnixEntrance implements Entrance {
  readonly #listener: UnixListener;

  private constructor(listener: UnixListener) {
    this.#listener = listener;
  }

  /** Rejects with a `SocketInUseError` if somebody listens on `path`. */
  static async open(path: string, options: UnixListenerOptions): Promise<UnixEntrance> {
    return new UnixEntrance(await listenUnix(path, options));
  }

  async serve(serve: (incoming: Incoming) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { path } = this.#listener;
    const close = () => void this.#listener.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      if (signal.aborted) return;
      await serveEach(
        this.#listener,
        (conn) => serve({ conn, from: `unix ${path}`, source: path }),
      );
    } finally {
      signal.removeEventListener("abort", close);
      await this.#listener.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#listener.close();
  }
}
