import { deepEqual, equal, rejects } from "node:assert/strict";
import {
  clientLimits,
  RequestRate,
} from "../../../../lib/workceptor/kubernetes/api/client_limits.ts";
import { RecordingLog } from "../../../sim/recording_log.ts";

/** A clock that stands still until a test moves it. */
class StillClock {
  #now = 0;
  #due: { at: number; action: () => void }[] = [];
  now = () => this.#now;
  wallTime = () => this.#now;
  after(delayMs: number, action: () => void): Disposable {
    const entry = { at: this.#now + delayMs, action };
    this.#due.push(entry);
    return { [Symbol.dispose]: () => void (this.#due = this.#due.filter((x) => x !== entry)) };
  }
  async move(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#due.filter(({ at }) => at <= this.#now);
    this.#due = this.#due.filter(({ at }) => at > this.#now);
    for (const { action } of due) action();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

Deno.test("limits are the original's unless they are set", () => {
  const log = new RecordingLog();
  deepEqual(clientLimits({}, log), { kind: "bucket", perSecond: 100, burst: 1000 });
  deepEqual(clientLimits({ qps: "5" }, log), { kind: "bucket", perSecond: 5, burst: 50 });
  deepEqual(clientLimits({ qps: "5", burst: "7", rateLimiter: "tokenbucket" }, log), {
    kind: "bucket",
    perSecond: 5,
    burst: 7,
  });
  deepEqual(clientLimits({ rateLimiter: "always" }, log), { kind: "unlimited" });
  deepEqual(clientLimits({ rateLimiter: "never" }, log), { kind: "never" });
  deepEqual(clientLimits({ qps: "0", burst: "0" }, log), {
    kind: "bucket",
    perSecond: 5,
    burst: 10,
  });
  deepEqual(log.lines, []);
  deepEqual(clientLimits({ qps: "many" }, log), { kind: "bucket", perSecond: 100, burst: 1000 });
  deepEqual(log.lines, ['WARNING Invalid value for RECEPTOR_KUBE_CLIENTSET_QPS: "many". Ignoring']);
});

Deno.test("requests beyond the burst are let through at the rate, in order", async () => {
  const clock = new StillClock();
  const rate = new RequestRate(clock, { kind: "bucket", perSecond: 10, burst: 2 });
  const { signal } = new AbortController();
  const through: number[] = [];
  for (let i = 0; i < 5; i++) void rate.take(signal).then(() => through.push(i));
  await clock.move(0);
  deepEqual(through, [0, 1]);
  await clock.move(100);
  deepEqual(through, [0, 1, 2]);
  await clock.move(200);
  deepEqual(through, [0, 1, 2, 3, 4]);
});

Deno.test("a request that is given up leaves its place to another", async () => {
  const clock = new StillClock();
  const rate = new RequestRate(clock, { kind: "bucket", perSecond: 1, burst: 1 });
  const { signal } = new AbortController();
  await rate.take(signal);
  const given = new AbortController();
  const waiting = rate.take(given.signal);
  given.abort(new Error("enough"));
  await rejects(waiting, /enough/);
  let through = false;
  void rate.take(signal).then(() => through = true);
  await clock.move(1000);
  equal(through, true);
});

Deno.test("with the limiter never, no request is made", async () => {
  const rate = new RequestRate(new StillClock(), { kind: "never" });
  await rejects(rate.take(new AbortController().signal), /lets no request through/);
});
