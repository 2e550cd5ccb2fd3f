import { deepEqual, equal } from "node:assert/strict";
import { PeriodicTask } from "../../lib/netceptor/periodic_task.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";

function start() {
  const clock = new VirtualClock();
  const runs: number[] = [];
  const options = { intervalMs: 1000, minGapMs: 100 };
  const task = new PeriodicTask(clock, options, () => runs.push(clock.now()));
  return { clock, runs, task };
}

Deno.test("a periodic task runs at its interval", async () => {
  const { clock, runs, task } = start();
  await clock.advance(500);
  task.begin();
  task.begin();
  await clock.advance(3500);
  deepEqual(runs, [1500, 2500, 3500]);
  task[Symbol.dispose]();
  await clock.advance(5000);
  equal(runs.length, 3);
  equal(clock.pending, 0);
});

Deno.test("a request runs it at once, but never inside the request", async () => {
  const { clock, runs, task } = start();
  await clock.advance(500);
  task.request();
  deepEqual(runs, []);
  await clock.advance(0);
  deepEqual(runs, [500]);
  await clock.advance(1000);
  deepEqual(runs, [500, 1500]);
  task[Symbol.dispose]();
});

Deno.test("requests in quick succession become one run after the gap", async () => {
  const { clock, runs, task } = start();
  for (let i = 0; i < 10; i++) {
    task.request();
    await clock.advance(10);
  }
  await clock.advance(200);
  deepEqual(runs, [0, 100]);
  task[Symbol.dispose]();
});

Deno.test("a disposed task ignores requests", async () => {
  const { clock, runs, task } = start();
  task[Symbol.dispose]();
  task.request();
  await clock.advance(5000);
  deepEqual(runs, []);
});

Deno.test("a task that nobody has asked for anything sets no timer", async () => {
  const { clock, runs } = start();
  await clock.advance(5000);
  deepEqual(runs, []);
  equal(clock.pending, 0);
});
