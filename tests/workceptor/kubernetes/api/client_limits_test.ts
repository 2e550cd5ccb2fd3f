import { deepEqual, equal, rejects } from "node:assert/strict";
import {
  clientLimits,
  RequestRate,
} from "../../../../lib/workceptor/kubernetes/api/client_limits.ts";
import { RecordingLog } from "../../../sim/recording_log.ts";
import { VirtualClock } from "../../../sim/virtual_clock.ts";

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
  const clock = new VirtualClock();
  const rate = new RequestRate(clock, { kind: "bucket", perSecond: 10, burst: 2 });
  const { signal } = new AbortController();
  const through: number[] = [];
  for (let i = 0; i < 5; i++) void rate.take(signal).then(() => through.push(i));
  await clock.advance(0);
  deepEqual(through, [0, 1]);
  await clock.advance(100);
  deepEqual(through, [0, 1, 2]);
  await clock.advance(200);
  deepEqual(through, [0, 1, 2, 3, 4]);
});

Deno.test("a request that is given up leaves its place to another", async () => {
  const clock = new VirtualClock();
  const rate = new RequestRate(clock, { kind: "bucket", perSecond: 1, burst: 1 });
  const { signal } = new AbortController();
  await rate.take(signal);
  const given = new AbortController();
  const waiting = rate.take(given.signal);
  given.abort(new Error("enough"));
  await rejects(waiting, /enough/);
  let through = false;
  void rate.take(signal).then(() => through = true);
  await clock.advance(1000);
  equal(through, true);
});

Deno.test("with the limiter never, no request is made", async () => {
  const rate = new RequestRate(new VirtualClock(), { kind: "never" });
  await rejects(rate.take(new AbortController().signal), /lets no request through/);
});
