/**
 * The path of packets from this node to itself: through a queue like that of a link, so that a
 * service that answers at once neither recurses nor blocks the event loop.
 */
import { messagesIn } from "../wire/frame.ts";
import { LinkQueue, type LinkQueueEvents } from "./link_queue.ts";
import type { NextHop } from "./node_table.ts";

export class Loopback implements NextHop {
  readonly remoteNode: string;
  readonly #queue: LinkQueue;

  constructor(
    selfId: string,
    deliver: (packet: Uint8Array<ArrayBuffer>) => void,
    events: Pick<LinkQueueEvents, "onError" | "onWritable">,
  ) {
    this.remoteNode = selfId;
    this.#queue = new LinkQueue({
      async send(frames) {
        for (const packet of messagesIn(frames)) {
          try {
            deliver(packet);
          } catch (error) {
            events.onError(error);
          }
        }
        await nextTurn();
      },
      ...events,
    });
  }

  get writable(): boolean {
    return this.#queue.writable;
  }

  sendData(head: Uint8Array, tail?: Uint8Array): boolean {
    return this.#queue.sendData(head, tail);
  }

  close(): void {
    this.#queue.close();
  }
}

/** Resolves once the event loop has handled timers and sockets. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
