/**
 * The last route message of each node, as passed on: it tells a new neighbour about the mesh, which
 * would otherwise have to wait for the next floods.
 */
import { MAX_KNOWN_UPDATE_BYTES, MAX_TOLD_BYTES } from "./limits.ts";

export class KnownUpdates {
  readonly #messages = new Map<string, Uint8Array>();
  #bytes = 0;

  /** Keeps `message`, which must not change any more, unless there is no room. */
  put(nodeId: string, message: Uint8Array): void {
    this.delete(nodeId);
    if (this.#bytes + message.length > MAX_KNOWN_UPDATE_BYTES) return;
    this.#messages.set(nodeId, message);
    this.#bytes += message.length;
  }

  delete(nodeId: string): void {
    const message = this.#messages.get(nodeId);
    if (message === undefined) return;
    this.#messages.delete(nodeId);
    this.#bytes -= message.length;
  }

  /**
   * What to tell `neighbour`: messages of others that can be reached, as many as it should get at
   * once.
   */
  *for(neighbour: string, reachable: { has(nodeId: string): boolean }): Generator<Uint8Array> {
    let bytes = 0;
    for (const [nodeId, message] of this.#messages) {
      if (nodeId === neighbour || !reachable.has(nodeId)) continue;
      bytes += message.length;
      if (bytes > MAX_TOLD_BYTES) return;
      yield message;
    }
  }
}
