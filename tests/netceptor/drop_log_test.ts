import { deepEqual } from "node:assert/strict";
import { DropLog } from "../../lib/netceptor/drop_log.ts";
import type { DropEvent } from "../../lib/netceptor/observer.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";

Deno.test("DropLog writes one line for each reason in ten seconds and counts the rest", async () => {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const events: string[] = [];
  const observer = {
    dropped: (event: DropEvent) => events.push(`dropped ${event.reason} ${event.count}`),
    limitHit: (event: DropEvent) => events.push(`limit ${event.reason} ${event.total}`),
  };
  const drops = new DropLog({ log, clock, observer });
  for (let i = 0; i < 100; i++) drops.count("too long", `${i} bytes`);
  drops.countLimit("too short");
  await clock.advance(10_000);
  drops.count("too long", "7 bytes");
  deepEqual(log.lines, [
    "ERROR too long: 0 bytes",
    "ERROR too short",
    "ERROR too long: 7 bytes (and 99 more since the last such line)",
  ]);
  deepEqual(events, ["dropped too long 1", "limit too short 1", "dropped too long 100"]);
  deepEqual(drops.totals, { "too long": 101, "too short": 1 });
});
