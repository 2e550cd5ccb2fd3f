/**
 * What waits to be sent over one link: control messages and data are each copied into a buffer and
 * sent as one batch per turn of the event loop, control messages first. Both buffers are bounded,
 * so a neighbour that does not read costs a fixed amount of memory.
 */
import { FrameBatch } from "../wire/mod.ts";
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

export class LinkQueue {
  readonly #events: LinkQueueEvents;
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

  constructor(events: LinkQueueEvents) {
    this.#events = events;
  }

  /** Queues a copy of a route message, advertisement or reject; false if it was dropped. */
  sendControl(message: Uint8Array): boolean {
    if (this.#closed || !this.#control.append(message)) {
      this.#droppedControl++;
      return false;
    }
    this.#flush();
    return true;
  }

  /** Queues a copy of `head` and `tail` as one data packet; false if it was dropped. */
  sendData(head: Uint8Array, tail?: Uint8Array): boolean {
    if (this.#closed || !this.#data.append(head, tail)) {
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
    this.#control.clear();
    this.#data.clear();
  }

  #flush(): void {
    this.#flushing ??= this.#run();
  }

  async #run(): Promise<void> {
    // Whatever else arrives in this turn should leave in the same batch.
    await undefined;
    try {
      while (!this.#closed && this.#control.length + this.#data.length > 0) {
        if (this.#control.length > 0) {
          const batch = this.#control;
          this.#control = this.#spareControl;
          this.#spareControl = batch;
          await this.#events.send(batch.frames);
          batch.clear();
        } else {
          const batch = this.#data;
          this.#data = this.#spareData;
          this.#spareData = batch;
          const sent = this.#events.send(batch.frames);
          if (this.#askedToWait) {
            this.#askedToWait = false;
            this.#events.onWritable();
          }
          await sent;
          batch.clear();
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
