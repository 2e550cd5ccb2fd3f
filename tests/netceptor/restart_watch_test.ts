import { deepEqual } from "node:assert/strict";
import { RESTART_STANDS_MS } from "../../lib/netceptor/limits.ts";
import { RestartWatch } from "../../lib/netceptor/restart_watch.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";

function watch() {
  const clock = new VirtualClock();
  const epochs = new Map<string, bigint>();
  const restarted: string[] = [];
  const since: number[] = [];
  const it = new RestartWatch({
    clock,
    epochOf: (nodeId) => epochs.get(nodeId),
    onRestarted: (nodeId, sinceMs) => {
      restarted.push(nodeId);
      since.push(sinceMs);
    },
  });
  const heard = (nodeId: string, epoch: bigint) => {
    epochs.set(nodeId, epoch);
    it.heard(nodeId, epoch);
  };
  return { clock, epochs, restarted, since, it, heard };
}

Deno.test("a node has restarted once its higher epoch has stood for a while", async () => {
  const { clock, restarted, heard } = watch();
  heard("a", 2n);
  await clock.advance(RESTART_STANDS_MS - 1);
  deepEqual(restarted, []);
  await clock.advance(1);
  deepEqual(restarted, ["a"]);
});

Deno.test("a higher epoch that is taken back, or of a forgotten node, is no restart", async () => {
  const { clock, epochs, restarted, it, heard } = watch();
  heard("a", 9n);
  epochs.set("a", 1n);
  heard("b", 9n);
  it.forget("b");
  await clock.advance(2 * RESTART_STANDS_MS);
  deepEqual(restarted, []);
});

Deno.test("of two restarts in a row only the second is reported", async () => {
  const { clock, restarted, since, heard } = watch();
  heard("a", 2n);
  await clock.advance(RESTART_STANDS_MS / 2);
  const second = clock.now();
  heard("a", 3n);
  await clock.advance(RESTART_STANDS_MS / 2);
  deepEqual(restarted, []);
  await clock.advance(RESTART_STANDS_MS / 2);
  deepEqual([restarted, since], [["a"], [second]]);
});

Deno.test("a disposed RestartWatch leaves no timer", () => {
  const { it, heard } = watch();
  heard("a", 2n);
  it[Symbol.dispose]();
});
