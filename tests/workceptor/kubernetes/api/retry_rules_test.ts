import { equal } from "node:assert/strict";
import {
  DialError,
  StaleConnectionError,
} from "../../../../lib/workceptor/kubernetes/api/http_client.ts";
import {
  asKubeError,
  isTransient,
  KubeError,
  SetupError,
} from "../../../../lib/workceptor/kubernetes/api/kube_error.ts";
import { retryDelayMs } from "../../../../lib/workceptor/kubernetes/api/retry_rules.ts";

const refusal = (code: number, retryAfterMs?: number) =>
  new KubeError("no", { code, retryAfterMs });

Deno.test("a busy or broken server is asked again, with growing pauses, and then no more", () => {
  const delays = [1, 2, 3, 4].map((count) => retryDelayMs(refusal(503), count, "repeatable"));
  equal(delays.join(), "200,800,3200,");
  equal(retryDelayMs(refusal(429, 2000), 1, "repeatable"), 2000);
  equal(retryDelayMs(refusal(429, 60_000), 1, "repeatable"), undefined);
  equal(retryDelayMs(refusal(403), 1, "repeatable"), undefined);
  equal(retryDelayMs(new Error("connection reset"), 1, "repeatable"), 200);
  equal(retryDelayMs(new KubeError("no answer within 60 s"), 1, "repeatable"), undefined);
});

Deno.test("what may have been carried out is not sent twice", () => {
  equal(retryDelayMs(refusal(500), 1, "once"), undefined);
  equal(retryDelayMs(new Error("connection reset"), 1, "once"), undefined);
  equal(retryDelayMs(new StaleConnectionError("closed"), 1, "once"), undefined);
  equal(retryDelayMs(new DialError("connection refused"), 1, "once"), 200);
  equal(retryDelayMs(refusal(429), 1, "once"), 200);
});

Deno.test("a connection that has gone stale is replaced at once", () => {
  equal(retryDelayMs(new StaleConnectionError("closed"), 1, "repeatable"), 0);
});

Deno.test("what somebody has to put right is not tried again", () => {
  const cause = new SetupError("cannot read /ca.crt");
  const error = new DialError(cause.message, { cause });
  equal(retryDelayMs(error, 1, "repeatable"), undefined);
  equal(isTransient(asKubeError(error)), false);
  equal(isTransient(asKubeError(new DialError("connection refused"))), true);
  equal(isTransient(refusal(503)), true);
  equal(isTransient(refusal(403)), false);
});
