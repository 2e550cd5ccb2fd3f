/** What every session must do, whatever carries it. Each backend's tests run this suite. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import fc from "fast-check";
import type { Session } from "../../lib/backends/backend.ts";
import { FrameBatch } from "../../lib/wire/frame.ts";

export interface SessionPair extends AsyncDisposable {
  readonly near: Session;
  readonly far: Session;
}

/** What a carrier is not expected to do. */
export interface CarrierTraits {
  /**
   * Carries datagrams: nothing makes a sender wait or shows that a neighbour has closed, and what
   * the system has no room for is lost. The tests then send only what it has room for.
   */
  readonly datagrams?: boolean;
  readonly maxMessageBytes?: number;
}

/** Registers the suite for the sessions that `connect` makes. */
export function testSessionContract(
  carrier: string,
  connect: () => Promise<SessionPair>,
  { datagrams = false, maxMessageBytes = 65_535 }: CarrierTraits = {},
): void {
  Deno.test(`a ${carrier} session carries any messages, whole and in order`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { minLength: 1 }), {
          maxLength: 5,
        }),
        async (batches) => {
          await using pair = await connect();
          if (datagrams) {
            for (const batch of batches) {
              await pair.near.send(framesOf(batch));
              deepEqual(await collect(pair.far, batch.length), batch);
            }
            return;
          }
          const expected = batches.flat();
          const received = collect(pair.far, expected.length);
          for (const batch of batches) await pair.near.send(framesOf(batch));
          deepEqual(await received, expected);
        },
      ),
      { numRuns: 20 },
    );
  });

  Deno.test(`a ${carrier} session carries the largest message both ways at once`, async () => {
    await using pair = await connect();
    const message = new Uint8Array(maxMessageBytes).fill(7);
    const messages = datagrams ? [message] : [message, message, message];
    const [there, back] = await Promise.all([
      collect(pair.far, messages.length),
      collect(pair.near, messages.length),
      pair.near.send(framesOf(messages)),
      pair.far.send(framesOf(messages)),
    ]);
    deepEqual(there, messages);
    deepEqual(back, messages);
  });

  Deno.test(`a ${carrier} session lets the sender reuse its buffer`, async () => {
    await using pair = await connect();
    const received = collect(pair.far, 2);
    const frames = framesOf([Uint8Array.of(1)]);
    await pair.near.send(frames);
    frames[2] = 2;
    await pair.near.send(frames);
    deepEqual(await received, [Uint8Array.of(1), Uint8Array.of(2)]);
  });

  if (!datagrams) testStreamContract(carrier, connect);

  Deno.test(`a ${carrier} session that is closed ends its own receive`, async () => {
    await using pair = await connect();
    const end = pair.near.receive();
    pair.near.close();
    pair.near.close();
    equal(await end, null);
    equal(await pair.near.receive(), null);
    await rejects(pair.near.send(framesOf([Uint8Array.of(1)])));
  });

  Deno.test(`a ${carrier} session names its carrier`, async () => {
    await using pair = await connect();
    equal(pair.near.description.startsWith(carrier), true, pair.near.description);
  });
}

/** What only a carrier with a connection can do. */
function testStreamContract(carrier: string, connect: () => Promise<SessionPair>): void {
  Deno.test(`a ${carrier} session makes a sender wait for a receiver that does not read`, async () => {
    await using pair = await connect();
    const frames = framesOf(Array.from({ length: 16 }, () => new Uint8Array(60_000)));
    let sent = 0;
    const sending = (async () => {
      for (; sent < 100; sent++) await pair.near.send(frames);
    })();
    // Reads nothing until the sender stops, then everything.
    let before: number;
    do {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 50));
    } while (sent !== before);
    equal(sent < 100, true, "nothing stopped the sender");
    await collect(pair.far, 1600);
    await sending;
  });

  Deno.test(`a ${carrier} session tells the neighbour that it closed`, async () => {
    await using pair = await connect();
    const received = collect(pair.far, 1);
    await pair.near.send(framesOf([Uint8Array.of(1)]));
    deepEqual(await received, [Uint8Array.of(1)]);
    const end = pair.far.receive();
    pair.near.close();
    equal(await end, null);
  });
}

export function framesOf(messages: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const batch = new FrameBatch(16 * 1024 * 1024);
  for (const message of messages) batch.append(message);
  return batch.frames;
}

/** Copies of the first `count` messages. */
export async function collect(session: Session, count: number): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = [];
  while (messages.length < count) {
    const batch = await session.receive();
    if (batch === null) throw new Error(`closed after ${messages.length} of ${count} messages`);
    for (const message of batch) messages.push(message.slice());
  }
  return messages;
}
