import assert from "node:assert/strict";
import fc from "fast-check";
import { formatGoDuration, parseGoDurationNs } from "../../lib/base/go_duration.ts";

const SECOND = 1e9;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

Deno.test("formatGoDuration() prints what Go's Duration.String prints", () => {
  const table: [number, string][] = [
    [0, "0s"],
    [1, "1ns"],
    [999, "999ns"],
    [1_000, "1µs"],
    [1_100, "1.1µs"],
    [296_493, "296.493µs"],
    [1_476_514, "1.476514ms"],
    [2_200_000, "2.2ms"],
    [1_000_000, "1ms"],
    [2_500_000_000, "2.5s"],
    [3_300_000_000, "3.3s"],
    [90 * SECOND, "1m30s"],
    [4 * MINUTE + 5 * SECOND, "4m5s"],
    [4 * MINUTE + 5_001_000_000, "4m5.001s"],
    [5 * HOUR + 6 * MINUTE + 7_001_000_000, "5h6m7.001s"],
    [8 * MINUTE + 1, "8m0.000000001s"],
    [HOUR, "1h0m0s"],
    [-1, "-1ns"],
    [-90 * SECOND, "-1m30s"],
    [100.4, "100ns"],
  ];
  for (const [ns, text] of table) assert.equal(formatGoDuration(ns), text);
});

Deno.test("parseGoDurationNs() reads what Go's time.ParseDuration reads", () => {
  const table: [string, number][] = [
    ["0", 0],
    ["-0", 0],
    ["+0", 0],
    ["0s", 0],
    ["-0s", 0],
    ["5s", 5 * SECOND],
    ["+5s", 5 * SECOND],
    ["-5s", -5 * SECOND],
    ["1478s", 1478 * SECOND],
    ["5.6s", 5.6 * SECOND],
    ["5.s", 5 * SECOND],
    [".5s", SECOND / 2],
    ["1.0040s", 1_004_000_000],
    ["100.00100s", 100_001_000_000],
    ["10ns", 10],
    ["11us", 11_000],
    ["12µs", 12_000],
    ["12μs", 12_000],
    ["300ms", 300_000_000],
    ["16h", 16 * HOUR],
    ["1h30m", 90 * MINUTE],
    ["10.5s4m", 4 * MINUTE + 10.5 * SECOND],
    ["-2m3.4s", -(2 * MINUTE + 3.4 * SECOND)],
    ["1h2m3s4ms5us6ns", HOUR + 2 * MINUTE + 3 * SECOND + 4_005_006],
    ["39h9m14.425s", 39 * HOUR + 9 * MINUTE + 14.425 * SECOND],
    ["0.3333333333333333333h", 20 * MINUTE],
    ["0.830103483285477580700h", 49 * MINUTE + 48_372_539_827],
    ["9223372036854775807ns", 2 ** 63],
    ["-9223372036854775808ns", -(2 ** 63)],
  ];
  for (const [text, ns] of table) assert.equal(parseGoDurationNs(text), ns, text);
});

Deno.test("parseGoDurationNs() refuses bad text in Go's words", () => {
  const table: [string, string][] = [
    ["", 'time: invalid duration ""'],
    ["-", 'time: invalid duration "-"'],
    ["s", 'time: invalid duration "s"'],
    [".", 'time: invalid duration "."'],
    [".s", 'time: invalid duration ".s"'],
    ["+.s", 'time: invalid duration "+.s"'],
    [" 1s", 'time: invalid duration " 1s"'],
    ["9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'],
    ["3000000h", 'time: invalid duration "3000000h"'],
    ["3", 'time: missing unit in duration "3"'],
    ["1h5", 'time: missing unit in duration "1h5"'],
    ["1d", 'time: unknown unit "d" in duration "1d"'],
    ["1s ", 'time: unknown unit "s " in duration "1s "'],
    ["1constructor", 'time: unknown unit "constructor" in duration "1constructor"'],
  ];
  for (const [text, message] of table) {
    assert.throws(() => parseGoDurationNs(text), { name: "SyntaxError", message });
  }
});

Deno.test("a printed duration reads back as the same number", () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (ns) => {
    assert.equal(parseGoDurationNs(formatGoDuration(ns)), ns === 0 ? 0 : ns);
  }));
});

Deno.test("parseGoDurationNs() is quick on a very long text", () => {
  assert.throws(() => parseGoDurationNs("9".repeat(1_000_000) + "s"), SyntaxError);
  assert.equal(parseGoDurationNs(`0.${"1".repeat(1_000_000)}ns`), 0);
});
