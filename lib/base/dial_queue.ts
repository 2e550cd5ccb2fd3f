/**
 * Bounds how many connections to one node are being set up at a time. Hundreds of handshakes at
 * once all finish late, some too late; with a queue, the first is served at once, and the event loop
 * stays free for everything else.
 */

/** Most handshakes with one node at a time: enough to hide the round trips of a slow path. */
const MAX_DIALS = 32;

interface NodeQueue {
  dialling: number;
  readonly waiting: PromiseWithResolvers<void>[];
}

export class DialQueue {
  readonly #isSilence: (error: unknown) => boolean;
  readonly #nodes = new Map<string, NodeQueue>();

  /** `isSilence` knows the errors of a dial that found no answer at all. */
  constructor(isSilence: (error: unknown) => boolean = () => false) {
    this.#isSilence = isSilence;
  }

  /**
   * Calls `dial` when its turn has come; with `urgent` it goes ahead of the others. If a dial finds
   * the node silent, those that wait are told too: otherwise they would find out one after the
   * other.
   */
  async dial<T>(
    node: string,
    dial: () => Promise<T>,
    { signal, urgent = false }: { signal: AbortSignal; urgent?: boolean },
  ): Promise<T> {
    const queue = this.#nodes.get(node) ?? { dialling: 0, waiting: [] };
    this.#nodes.set(node, queue);
    if (queue.dialling < MAX_DIALS) queue.dialling++;
    else await this.#turn(queue, signal, urgent);
    try {
      signal.throwIfAborted();
      return await dial();
    } catch (error) {
      if (this.#isSilence(error)) rejectAll(queue, error);
      throw error;
    } finally {
      this.#next(node, queue);
    }
  }

  /** Resolves when a place has been handed over; one that comes together with an abort counts. */
  async #turn(queue: NodeQueue, signal: AbortSignal, urgent: boolean): Promise<void> {
    signal.throwIfAborted();
    const turn = Promise.withResolvers<void>();
    const giveUp = () => {
      const at = queue.waiting.indexOf(turn);
      if (at === -1) return;
      queue.waiting.splice(at, 1);
      turn.reject(signal.reason);
    };
    if (urgent) queue.waiting.unshift(turn);
    else queue.waiting.push(turn);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await turn.promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Hands the place of a dial that has ended to the next one. */
  #next(node: string, queue: NodeQueue): void {
    const turn = queue.waiting.shift();
    if (turn !== undefined) return turn.resolve();
    if (--queue.dialling === 0) this.#nodes.delete(node);
  }
}

function rejectAll(queue: NodeQueue, error: unknown): void {
  for (const turn of queue.waiting.splice(0)) turn.reject(error);
}
