import { deepEqual, equal, ok } from "node:assert/strict";
import { GuestHost } from "../../lib/netceptor/guest_hosts.ts";
import { LinkQueue } from "../../lib/netceptor/link_queue.ts";
import {
  MAX_GUEST_QUEUE_BYTES,
  MAX_QUEUED_CONTROL_BYTES,
  MAX_QUEUED_DATA_BYTES,
  QUEUE_HIGH_WATER_BYTES,
} from "../../lib/netceptor/limits.ts";
import { messagesIn } from "../../lib/wire/frame.ts";
import { settle } from "../sim/virtual_clock.ts";

/** A carrier that takes a batch when the test says so. */
class Carrier {
  readonly batches: number[][] = [];
  errors: unknown[] = [];
  writableAgain = 0;
  held = false;
  #release: (() => void) | undefined;
  readonly queue = new LinkQueue({
    send: async (frames) => {
      this.batches.push([...messagesIn(frames)].map((message) => message[0]!));
      if (this.held) await new Promise<void>((resolve) => this.#release = resolve);
    },
    onError: (error) => this.errors.push(error),
    onWritable: () => this.writableAgain++,
  });

  async release(): Promise<void> {
    this.#release?.();
    await settle();
  }
}

const message = (first: number, length = 1) => new Uint8Array(length).fill(first);

Deno.test("all messages of one turn are sent as one batch, control before data", async () => {
  const { queue, batches } = new Carrier();
  queue.sendData(message(1));
  queue.sendControl(message(10));
  queue.sendData(message(2), message(3));
  queue.sendControl(message(11));
  equal(batches.length, 0);
  await settle();
  deepEqual(batches, [[10, 11], [1, 2]]);
});

Deno.test("what comes while a batch is being sent makes up the next one", async () => {
  const carrier = new Carrier();
  carrier.held = true;
  carrier.queue.sendData(message(1));
  await settle();
  carrier.queue.sendData(message(2));
  carrier.queue.sendControl(message(10));
  await settle();
  deepEqual(carrier.batches, [[1]]);
  await carrier.release();
  await carrier.release();
  deepEqual(carrier.batches, [[1], [10], [2]]);
});

Deno.test("control messages without end do not keep data waiting", async () => {
  const carrier = new Carrier();
  carrier.held = true;
  carrier.queue.sendControl(message(10));
  carrier.queue.sendData(message(1));
  for (let round = 0; round < 3; round++) {
    await settle();
    carrier.queue.sendControl(message(11));
    await carrier.release();
  }
  deepEqual(carrier.batches.slice(0, 3), [[10], [1], [11, 11]]);
});

Deno.test("no message is left behind, whenever it comes", async () => {
  for (let delay = 0; delay < 20; delay++) {
    const { queue, batches } = new Carrier();
    queue.sendControl(message(1));
    for (let i = 0; i < delay; i++) await undefined;
    queue.sendControl(message(2));
    await queue.drained();
    await settle();
    deepEqual(batches.flat(), [1, 2], `after ${delay} microtasks`);
  }
});

Deno.test("data over the bound is dropped and counted; control has its own bound", async () => {
  const carrier = new Carrier();
  carrier.held = true;
  carrier.queue.sendControl(message(0));
  await settle();
  const big = message(1, 60_000);
  let taken = 0;
  while (carrier.queue.sendData(big)) taken++;
  equal(taken, Math.floor(MAX_QUEUED_DATA_BYTES / 60_002));
  ok(carrier.queue.sendControl(big));
  taken = 1;
  while (carrier.queue.sendControl(big)) taken++;
  equal(taken, Math.floor(MAX_QUEUED_CONTROL_BYTES / 60_002));
  deepEqual(carrier.queue.dropped, { data: 1, control: 1 });
  carrier.held = false;
  await carrier.release();
});

Deno.test("a sender that was asked to wait is told when to go on", async () => {
  const carrier = new Carrier();
  carrier.held = true;
  carrier.queue.sendData(message(0));
  await settle();
  ok(carrier.queue.writable);
  while (carrier.queue.writable) carrier.queue.sendData(message(1, 10_000));
  equal(carrier.writableAgain, 0);
  await carrier.release();
  equal(carrier.writableAgain, 1);
  ok(carrier.queue.writable);
  await carrier.release();
  equal(carrier.writableAgain, 1, "nobody waits any more");
  ok(QUEUE_HIGH_WATER_BYTES < MAX_QUEUED_DATA_BYTES);
});

Deno.test("a carrier that fails ends the queue and is reported once", async () => {
  const failure = new Error("broken");
  const errors: unknown[] = [];
  const queue = new LinkQueue({
    send: () => Promise.reject(failure),
    onError: (error) => errors.push(error),
    onWritable: () => {},
  });
  queue.sendData(message(1));
  await settle();
  equal(queue.sendData(message(2)), false);
  equal(queue.sendControl(message(3)), false);
  await settle();
  deepEqual(errors, [failure]);
});

Deno.test("a closed queue sends nothing more", async () => {
  const { queue, batches } = new Carrier();
  queue.sendData(message(1));
  queue.close();
  await queue.drained();
  deepEqual(batches, []);
});

Deno.test("queues of one host hold no more than its part together", () => {
  const host = new GuestHost();
  const events = { onError() {}, onWritable() {} };
  const never = new Promise<void>(() => {});
  const queues = Array.from(
    { length: 40 },
    () => new LinkQueue({ ...events, send: () => never }, host),
  );
  const message = new Uint8Array(60_000);
  let queued = 0;
  for (const queue of queues) while (queue.sendControl(message)) queued += message.length;
  equal(queued <= MAX_GUEST_QUEUE_BYTES, true);
  equal(queued > 0.99 * MAX_GUEST_QUEUE_BYTES, true);
  equal(queues.at(-1)!.sendControl(message), false);
  const other = new LinkQueue({ ...events, send: () => never }, new GuestHost());
  equal(other.sendControl(message), true);
});

Deno.test("a queue gives its host's part back when it has sent, failed or closed", async () => {
  const host = new GuestHost();
  const events = { onError() {}, onWritable() {} };
  const message = new Uint8Array(60_000);
  for (const send of [() => Promise.resolve(), () => Promise.reject(new Error("broken"))]) {
    for (let round = 0; round < 2 * MAX_GUEST_QUEUE_BYTES / message.length / 50; round++) {
      const queue = new LinkQueue({ ...events, send }, host);
      for (let count = 0; count < 50; count++) equal(queue.sendControl(message), true);
      await queue.drained();
      queue.sendControl(message);
      queue.close();
    }
  }
  equal(host.takeQueue(MAX_GUEST_QUEUE_BYTES), true);
});
