import { deepEqual, equal } from "node:assert/strict";
import { BusyTurns } from "../../lib/netceptor/busy_turns.ts";
import { MAX_BUSY_MS } from "../../lib/netceptor/limits.ts";

/** Resolves in the next turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

Deno.test("all links together are busy for no longer than one may be", async () => {
  const turns = new BusyTurns();
  equal(turns.isOver(MAX_BUSY_MS - 1), false);
  equal(turns.isOver(MAX_BUSY_MS), true);
  turns.spend(MAX_BUSY_MS / 2);
  turns.spend(MAX_BUSY_MS / 2);
  equal(turns.isOver(0), true, "for a link that has done nothing yet, too");
  await turns.next("host");
  equal(turns.isOver(0), false);
});

Deno.test("one link goes on in each turn, and a host with many holds up another by one turn", async () => {
  const turns = new BusyTurns();
  const done: string[] = [];
  for (let i = 0; i < 3; i++) void turns.next("flooder").then(() => done.push(`flooder ${i}`));
  void turns.next("honest").then(() => done.push("honest"));
  for (let count = 1; count <= 4; count++) {
    await turn();
    equal(done.length, count);
  }
  deepEqual(done, ["flooder 0", "honest", "flooder 1", "flooder 2"]);
});
