import { deepEqual, equal } from "node:assert/strict";
import { FairQueue } from "../../lib/base/fair_queue.ts";

Deno.test("owners take turns, and each one's items keep their order", () => {
  const queue = new FairQueue<string>();
  for (let i = 0; i < 3; i++) queue.add("many", `m${i}`);
  queue.add("few", "f0");
  queue.add("other", "o0");
  const order = [queue.take(), queue.take()];
  queue.add("few", "f1");
  while (!queue.isEmpty) order.push(queue.take());
  deepEqual(order, ["m0", "f0", "o0", "m1", "f1", "m2"]);
  equal(queue.take(), undefined);
});
