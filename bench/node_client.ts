/**
 * The one client that drives every node: our control client over the node's unix socket, a new
 * connection for each command, as AWX does it.
 */
import { ControlClient, type SubmitFields } from "../lib/control/client.ts";

const READ_BYTES = 256 * 1024;

/** How `work release` was answered. */
export type Release = "released" | "release pending";

export class NodeClient {
  readonly #socket: string;
  readonly #signal: AbortSignal;

  /** Everything that this client does ends when `signal` aborts. */
  constructor(node: { socket: string }, signal: AbortSignal) {
    this.#socket = node.socket;
    this.#signal = signal;
  }

  /** A connection for many commands. */
  async connect(): Promise<ControlClient> {
    const conn = await Deno.connect({ transport: "unix", path: this.#socket });
    return await ControlClient.connect(conn, { signal: this.#signal });
  }

  async command(line: string): Promise<Record<string, unknown>> {
    using client = await this.connect();
    return await client.command(line, { signal: this.#signal });
  }

  /** Resolves to the unit's id once the node has the payload. */
  async submit(
    fields: SubmitFields,
    payload: Iterable<Uint8Array> | AsyncIterable<Uint8Array> = [],
  ): Promise<string> {
    using client = await this.connect();
    const { unitId } = await client.submit(fields, payload, { signal: this.#signal });
    return unitId;
  }

  /**
   * Reads a unit's output to its end; resolves to its bytes. `onBytes` is called for each piece.
   */
  async countResults(unitId: string, onBytes: (count: number) => void = () => {}): Promise<number> {
    using client = await this.connect();
    const signal = this.#signal;
    const stream = await client.results(unitId, 0, { signal });
    const giveUp = () => stream.close();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      const into = new Uint8Array(READ_BYTES);
      let size = 0;
      for (let count; (count = await stream.read(into)) !== null;) {
        size += count;
        onBytes(count);
      }
      return size;
    } finally {
      signal.removeEventListener("abort", giveUp);
      signal.throwIfAborted();
    }
  }

  async release(unitId: string): Promise<Release> {
    const reply = await this.command(`work release ${unitId}`);
    return "released" in reply ? "released" : "release pending";
  }
}
