/** A TCP link between two nodes that a test can cut, stall and heal. */

type Mode = "open" | "stalled" | "cut";

/** Small enough that `cutAfter` cuts close to the byte it was asked for. */
const CHUNK_BYTES = 16 * 1024;

export class LinkProxy implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #target: number;
  readonly #conns = new Set<Deno.TcpConn>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;
  #mode: Mode = "open";
  #modeChanged = Promise.withResolvers<void>();
  #forwarded = 0;
  #cutAt = Infinity;
  #cutHappened = Promise.withResolvers<void>();

  private constructor(listener: Deno.TcpListener, target: number) {
    this.#listener = listener;
    this.#target = target;
    this.#accepting = this.#accept();
  }

  /** Listens on a free loopback port and carries every connection to `targetPort` on loopback. */
  static start(targetPort: number): LinkProxy {
    return new LinkProxy(Deno.listen({ hostname: "127.0.0.1", port: 0 }), targetPort);
  }

  /** Where the dialling node must connect. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Bytes carried so far, both directions together. */
  get forwardedBytes(): number {
    return this.#forwarded;
  }

  /** Breaks every connection, and every new one at once, until `heal`. */
  cut(): void {
    this.#setMode("cut");
    for (const conn of this.#conns) closeQuietly(conn);
    this.#conns.clear();
    this.#cutHappened.resolve();
  }

  /**
   * Cuts once this many more bytes (both directions) have passed; resolves when that has happened.
   */
  cutAfter(bytes: number): Promise<void> {
    this.#cutHappened = Promise.withResolvers<void>();
    this.#cutAt = this.#forwarded + bytes;
    return this.#cutHappened.promise;
  }

  /** Carries nothing more, but keeps connections and accepts new ones: a dead but silent path. */
  stall(): void {
    this.#setMode("stalled");
  }

  /** Carries bytes again; what a stall held back is sent on. */
  heal(): void {
    this.#cutAt = Infinity;
    this.#setMode("open");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    try {
      this.#listener.close();
    } catch {
      // A second dispose.
    }
    await this.#accepting;
    await Promise.all(this.#tasks);
  }

  #setMode(mode: Mode): void {
    this.#mode = mode;
    this.#modeChanged.resolve();
    this.#modeChanged = Promise.withResolvers<void>();
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        if (this.#mode === "cut") {
          closeQuietly(conn);
          continue;
        }
        const task = this.#carry(conn).finally(() => this.#tasks.delete(task));
        this.#tasks.add(task);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #carry(near: Deno.TcpConn): Promise<void> {
    this.#conns.add(near);
    let far: Deno.TcpConn;
    try {
      far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    } catch {
      this.#conns.delete(near);
      closeQuietly(near);
      return;
    }
    // The link may have been cut while we dialled.
    if (!this.#conns.has(near)) {
      closeQuietly(far);
      return;
    }
    this.#conns.add(far);
    await Promise.all([this.#pump(near, far), this.#pump(far, near)]);
    for (const conn of [near, far]) {
      this.#conns.delete(conn);
      closeQuietly(conn);
    }
  }

  async #pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(CHUNK_BYTES);
    try {
      while (true) {
        const count = await from.read(buffer);
        while (this.#mode === "stalled") await this.#modeChanged.promise;
        if (count === null) {
          await to.closeWrite();
          return;
        }
        let written = 0;
        while (written < count) written += await to.write(buffer.subarray(written, count));
        this.#forwarded += count;
        if (this.#forwarded >= this.#cutAt) {
          this.#cutAt = Infinity;
          this.cut();
        }
      }
    } catch {
      // One side broke, or the link was cut: the other side must see it too.
      closeQuietly(from);
      closeQuietly(to);
    }
  }
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Already closed.
  }
}
