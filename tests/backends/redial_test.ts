import { deepEqual, equal } from "node:assert/strict";
import type { Session } from "../../lib/backends/backend.ts";
import { memorySessionPair } from "../../lib/backends/memory.ts";
import { nextRedialMs, runDialler } from "../../lib/backends/redial.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { RecordingLog } from "../sim/recording_log.ts";

Deno.test("nextRedialMs grows by half up to 20 s", () => {
  const delays = [5000];
  while (delays.length < 6) delays.push(nextRedialMs(delays.at(-1)!));
  deepEqual(delays, [5000, 7500, 11250, 16875, 20000, 20000]);
});

/** Runs a dialler whose dials and sessions the test decides; records when it dialled. */
function startDialler(options: {
  redial: boolean;
  dial?: (signal: AbortSignal) => Promise<Session>;
  established?: () => boolean;
}) {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const dialledAt: number[] = [];
  const abort = new AbortController();
  const done = runDialler(
    { clock, log },
    {
      redial: options.redial,
      dial(signal) {
        dialledAt.push(clock.now());
        return options.dial?.(signal) ?? Promise.reject(new Error("refused"));
      },
    },
    (session) => {
      session.close();
      return Promise.resolve({ established: options.established?.() ?? false });
    },
    abort.signal,
  );
  return { clock, log, dialledAt, abort, done };
}

Deno.test("a dialler waits longer after each failure", async () => {
  const { clock, log, dialledAt, abort, done } = startDialler({ redial: true });
  await clock.advance(65_000);
  deepEqual(dialledAt, [0, 5000, 12500, 23750, 40625, 60625]);
  equal(log.lines[0], "WARNING Backend connection failed (will retry): refused");
  abort.abort();
  await done;
  equal(clock.pending, 0);
});

Deno.test("a dialler begins with a short wait again once a link was up", async () => {
  let sessions = 0;
  const { clock, log, dialledAt, abort, done } = startDialler({
    redial: true,
    dial: () => Promise.resolve(memorySessionPair()[0]),
    established: () => ++sessions === 3,
  });
  await clock.advance(20_000);
  deepEqual(dialledAt, [0, 5000, 12500, 17500]);
  equal(log.lines[0], "WARNING Backend connection exited (will retry)");
  abort.abort();
  await done;
});

Deno.test("a dialler without redial tries once", async () => {
  const { clock, log, dialledAt, done } = startDialler({ redial: false });
  await done;
  await clock.advance(60_000);
  deepEqual(dialledAt, [0]);
  deepEqual(log.lines, ["ERROR Backend connection failed: refused"]);
});

Deno.test("an unanswered dial is given up after 15 s", async () => {
  const { clock, log, done } = startDialler({
    redial: false,
    dial: (signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  await clock.advance(15_000);
  await done;
  deepEqual(log.lines, ["ERROR Backend connection failed: no answer within 15 s"]);
  equal(clock.pending, 0);
});

Deno.test("a dialler that is stopped ends at once and says nothing", async () => {
  const { log, abort, done } = startDialler({
    redial: true,
    dial: (signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  abort.abort();
  await done;
  deepEqual(log.lines, []);
});
