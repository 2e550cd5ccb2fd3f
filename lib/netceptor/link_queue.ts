/**
 * What waits to be sent over one link: control messages and data are each copied into a buffer and
 * sent as one batch per turn of the event loop, control messages first. When both go on coming, they
 * take turns. Both buffers are bounded, so a neighbour that does not read costs a fixed amount of
 * memory.
 */
import { FRAME_HEADER_BYTES, FrameBatch } from "../wire/frame.ts";
import {
  MAX_QUEUED_CONTROL_BYTES,
  MAX_QUEUED_DATA_BYTES,
  QUEUE_HIGH_WATER_BYTES,
} from "./limits.ts";

export interface LinkQueueEvents {
  /** Sends frames; the queue waits for it before it sends more. */
  readonly send: (frames: Uint8Array<ArrayBuffer>) => Promise<void>;
  /** Sending failed; the queue sends no more. */
  readonly onError: (error: unknown) => void;
  /** The queue has become writable again. */
  readonly onWritable: () => void;
}

/** What several queues share. */
export interface QueueBudget {
  takeQueue(bytes: number): boolean;
  giveQueue(bytes: number): void;
}

const UNLIMITED: QueueBudget = { takeQueue: () => true, giveQueue() {} };

export class LinkQueue {
  readonly #events: LinkQueueEvents;
  readonly #budget: QueueBudget;
  #control = new FrameBatch(MAX_QUEUED_CONTROL_BYTES);
  #data = new FrameBatch(MAX_QUEUED_DATA_BYTES);
  /** Batches are swapped with these while they are being sent. */
  #spareControl = new FrameBatch(MAX_QUEUED_CONTROL_BYTES);
  #spareData = new FrameBatch(MAX_QUEUED_DATA_BYTES);
  #flushing: Promise<void> | undefined;
  #closed = false;
  #askedToWait = false;
  #droppedData = 0;
  #droppedControl = 0;

  constructor(events: LinkQueueEvents, budget = UNLIMITED) {
    this.#events = events;
    this.#budget = budget;
  }

  /** Queues a copy of a route message, advertisement or reject; false if it was dropped. */
  sendControl(message: Uint8Array): boolean {
    if (!this.#append(this.#control, message)) {
      this.#droppedControl++;
      return false;
    }
    this.#flush();
    return true;
  }

  /** Queues a copy of `head` and `tail` as one data packet; false if it was dropped. */
  sendData(head: Uint8Array, tail?: Uint8Array): boolean {
    if (!this.#append(this.#data, head, tail)) {
      this.#droppedData++;
      return false;
    }
    this.#flush();
    return true;
  }

  /** Whether a considerate sender of data may go on; if not, `onWritable` follows. */
  get writable(): boolean {
    const writable = this.#data.length < QUEUE_HIGH_WATER_BYTES;
    if (!writable) this.#askedToWait = true;
    return writable;
  }

  /** Messages for which there was no room, or the queue was closed. */
  get dropped(): { readonly data: number; readonly control: number } {
    return { data: this.#droppedData, control: this.#droppedControl };
  }

  /** Resolves when everything queued is sent or given up. */
  async drained(): Promise<void> {
    await this.#flushing;
  }

  /** Drops what waits. */
  close(): void {
    this.#closed = true;
    for (const batch of [this.#control, this.#data]) {
      this.#budget.giveQueue(batch.length);
      batch.clear();
    }
  }

  #append(batch: FrameBatch, head: Uint8Array, tail?: Uint8Array): boolean {
    const bytes = FRAME_HEADER_BYTES + head.length + (tail?.length ?? 0);
    if (this.#closed || !this.#budget.takeQueue(bytes)) return false;
    if (batch.append(head, tail)) return true;
    this.#budget.giveQueue(bytes);
    return false;
  }

  /** Sends a batch and empties it. */
  async #send(batch: FrameBatch): Promise<void> {
    try {
      await this.#events.send(batch.frames);
    } finally {
      this.#budget.giveQueue(batch.length);
      batch.clear();
    }
  }

  #flush(): void {
    this.#flushing ??= this.#run();
  }

  async #run(): Promise<void> {
    // Whatever else arrives in this turn should leave in the same batch.
    await undefined;
    try {
      let isDataNext = false;
      while (!this.#closed && this.#control.length + this.#data.length > 0) {
        if (this.#control.length > 0 && !(isDataNext && this.#data.length > 0)) {
          isDataNext = true;
          const batch = this.#control;
          this.#control = this.#spareControl;
          this.#spareControl = batch;
          await this.#send(batch);
        } else {
          isDataNext = false;
          const batch = this.#data;
          this.#data = this.#spareData;
          this.#spareData = batch;
          const sent = this.#send(batch);
          if (this.#askedToWait) {
            this.#askedToWait = false;
            this.#events.onWritable();
          }
          await sent;
        }
      }
    } catch (error) {
      this.close();
      this.#events.onError(error);
    } finally {
      // In the same step as the last check of the queues, or a message could be left behind.
      this.#flushing = undefined;
    }
  }
}
