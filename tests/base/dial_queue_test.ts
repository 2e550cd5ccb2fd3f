import assert from "node:assert/strict";
import { DialQueue } from "../../lib/base/dial_queue.ts";
import { settle } from "../sim/virtual_clock.ts";

class Silence extends Error {}

const signal = new AbortController().signal;

/** Dials that a test answers, in the order in which they were begun. */
class Dials {
  readonly begun: (PromiseWithResolvers<string> & { name: string })[] = [];
  readonly queue = new DialQueue((error) => error instanceof Silence);

  dial(name: string, options: { signal?: AbortSignal; urgent?: boolean } = {}): Promise<string> {
    const dialled = this.queue.dial("far", () => {
      const dial = { ...Promise.withResolvers<string>(), name };
      this.begun.push(dial);
      return dial.promise;
    }, { signal, ...options });
    dialled.catch(() => {});
    return dialled;
  }

  get names(): string[] {
    return this.begun.map(({ name }) => name);
  }

  /** Begins dials until one has to wait; resolves to how many are under way. */
  async fill(): Promise<number> {
    let count = 0;
    do {
      void this.dial(`${count++}`);
      await settle();
    } while (this.begun.length === count);
    return this.begun.length;
  }
}

Deno.test("a bounded number of dials to a node are under way, and the next begins when one ends", async () => {
  const dials = new Dials();
  const most = await dials.fill();
  await dials.queue.dial("elsewhere", () => Promise.resolve("not held up"), { signal });
  dials.begun[0]!.resolve("done");
  await settle();
  assert.equal(dials.begun.length, most + 1);
  dials.begun[1]!.reject(new Error("refused"));
  await settle();
  assert.equal(dials.begun.length, most + 1, "nobody waits any more");
});

Deno.test("urgent dials go ahead, and abandoned ones lose their place", async () => {
  const dials = new Dials();
  await dials.fill();
  const abort = new AbortController();
  const reason = new Error("changed my mind");
  const given = dials.dial("given up", { signal: abort.signal, urgent: true });
  void dials.dial("urgent", { urgent: true });
  abort.abort(reason);
  await assert.rejects(given, reason);
  dials.begun[0]!.resolve("done");
  await settle();
  assert.equal(dials.names.at(-1), "urgent");
});

Deno.test("those that wait for a silent node are told with the first", async () => {
  const dials = new Dials();
  const most = await dials.fill();
  const waiting = dials.dial("waits");
  const error = new Silence("nothing heard");
  dials.begun[0]!.reject(error);
  await assert.rejects(waiting, error);
  for (const { resolve } of dials.begun.slice(1)) resolve("after all");
  await settle();
  assert.equal(dials.begun.length, most);
  const again = dials.dial("again");
  await settle();
  dials.begun.at(-1)!.resolve("again");
  assert.equal(await again, "again");
});
