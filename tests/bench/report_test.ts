/** What the scoreboard makes of measurements. */
import assert from "node:assert/strict";
import type { Outcome } from "../../bench/measure_row.ts";
import { reportRow } from "../../bench/report.ts";
import type { Row } from "../../bench/row.ts";
import { longest, median, percentile } from "../../bench/statistics.ts";
import { loadLine, markdownTable, textRow } from "../../bench/table.ts";

const ROW: Row = {
  name: "fake",
  title: "a `fake`",
  figures: [
    { key: "time", label: "time", unit: "ms", better: "lower" },
    { key: "rate", label: "rate", unit: "MB/s", better: "higher" },
  ],
  runs: 3,
  timeoutMs: 1000,
  setUp: () => Promise.reject(new Error("not for measuring")),
};
const OURS: Outcome = {
  contender: "ours",
  samples: [{ time: 9, rate: 200 }, { time: 10, rate: 100 }, { time: 500, rate: 50 }],
};
const GO: Outcome = { contender: "go", samples: [{ time: 2500, rate: 10 }] };
const LIMIT: Outcome = { contender: "bare copy", samples: [{ rate: 3000 }] };
const TIMES = { load: [0.5, 1] as const, seconds: 3 };

Deno.test("percentiles and medians", () => {
  const values = [3, 1, 2, 10];
  assert.equal(median(values), 2.5);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(percentile(values, 0.5), 3);
  assert.equal(percentile(values, 0), 1);
  assert.equal(longest(values), 10);
  assert.throws(() => median([]), RangeError);
  assert.throws(() => percentile([], 0.5), RangeError);
});

Deno.test("a report has medians, and how many times better ours is", () => {
  const { figures: [time, rate] } = reportRow(ROW, [OURS, GO, LIMIT], TIMES);
  assert.deepEqual(time!.ours, { median: 10, least: 9, most: 500, values: [9, 10, 500] });
  assert.equal(time!.ratio, 250);
  assert.deepEqual(time!.limits, {});
  assert.equal(rate!.ratio, 10);
  assert.equal(rate!.limits["bare copy"]!.median, 3000);
});

Deno.test("a contender that failed is in the report with its reason", () => {
  const failed: Outcome = { contender: "go", samples: [], error: "no luck" };
  const report = reportRow(ROW, [OURS, failed], TIMES);
  assert.deepEqual(report.errors, { go: "no luck" });
  assert.equal(report.figures[0]!.ratio, undefined);
  assert.match(textRow(report), /^ {2}go: no luck$/m);
  assert.match(markdownTable([report]), /\| time +\| ms +\| failed \| 10 /);
});

Deno.test("the Markdown table is formatted as the docs are", () => {
  assert.equal(
    markdownTable([reportRow(ROW, [OURS, GO, LIMIT], TIMES)]),
    `
|              | unit | Go    | ours | better | limit             |
| ------------ | ---- | ----- | ---- | ------ | ----------------- |
| **a \`fake\`** |      |       |      |        |                   |
| time         | ms   | 2,500 | 10   | 250    |                   |
| rate         | MB/s | 10    | 100  | 10     | 3,000 (bare copy) |
`.trim(),
  );
});

Deno.test("how busy the machine was is told over all rows", () => {
  const rows = [reportRow(ROW, [], TIMES), reportRow(ROW, [], { load: [7.25, 3], seconds: 1 })];
  assert.equal(loadLine(rows), "load 0.5 to 7.3");
});
