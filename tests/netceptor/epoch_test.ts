import { equal, ok } from "node:assert/strict";
import { systemClock } from "../../lib/base/clock.ts";
import { newEpoch } from "../../lib/netceptor/epoch.ts";

function epochAt(wallTime: number, fill: number): bigint {
  const clock = { ...systemClock, wallTime: () => wallTime };
  return newEpoch(clock, { fill: (bytes) => bytes.fill(fill) });
}

Deno.test("a node that starts again a millisecond later has the higher epoch, whatever the random bits", () => {
  for (const start of [0, 1_700_000_000_000, 1_700_000_000_998, 1_700_000_000_999.7]) {
    ok(epochAt(start + 1, 0) > epochAt(start, 255), `${start}`);
  }
});

Deno.test("an epoch has the seconds since 1970 above 24 bits, as the original's", () => {
  equal(epochAt(1_700_000_000_999, 255) >> 24n, 1_700_000_000n);
  ok(epochAt(1_700_000_000_999, 255) < 1n << 64n);
});

Deno.test("two nodes that start at the same moment differ by chance", () => {
  ok(epochAt(1_700_000_000_000, 1) !== epochAt(1_700_000_000_000, 200));
});
