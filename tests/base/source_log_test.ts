import { deepEqual, equal } from "node:assert/strict";
import { SourceLog } from "../../lib/base/source_log.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";

Deno.test("SourceLog takes a few lines about each source and counts the rest", async () => {
  const log = new RecordingLog();
  const clock = new VirtualClock();
  const sources = new SourceLog({ log, clock });
  for (let count = 0; count < 1000; count++) sources.of("a").error(`a ${count}`);
  sources.of("b").warning("b");
  equal(log.lines.length, 11);
  equal(log.lines.at(-1), "WARNING b");
  await clock.advance(10_000);
  sources.of("a").info("again");
  deepEqual(log.lines.slice(11), [
    "WARNING 990 more such lines were left out",
    "INFO again",
  ]);
});

Deno.test("SourceLog bounds the lines about ever-changing sources", async () => {
  const log = new RecordingLog();
  const clock = new VirtualClock();
  const sources = new SourceLog({ log, clock });
  for (let count = 0; count < 1000; count++) sources.of(`${count}`).error("line");
  equal(log.lines.length, 100);
  await clock.advance(10_000);
  sources.of("1").error("line");
  equal(log.lines.length, 102);
});
