import { equal } from "node:assert/strict";
import fc from "fast-check";
import { formatTimestamp, parseTimestamp } from "../../lib/wire/timestamp.ts";

Deno.test("parseTimestamp keeps nanoseconds and applies the offset", () => {
  const noon = BigInt(Date.UTC(2026, 10, 21, 12)) * 1_000_000n;
  equal(parseTimestamp("2026-11-21T12:00:00Z"), noon);
  equal(parseTimestamp("2026-11-21T12:00:00.000000001Z"), noon + 1n);
  equal(parseTimestamp("2026-11-21T12:00:00.05Z"), noon + 50_000_000n);
  equal(parseTimestamp("2026-11-21T14:30:00+02:30"), noon);
});

Deno.test("parseTimestamp refuses what is not RFC 3339", () => {
  for (
    const text of [
      "",
      "2026-11-21",
      "2026-13-21T12:00:00Z",
      "2026-11-21T12:00:00",
      "2026-11-21T12:00:00.Z",
      "2026-11-21T12:00:00.0000000001Z",
      "2026-11-21 12:00:00Z",
      "2026-11-21T12:00:00+25:00",
    ]
  ) equal(parseTimestamp(text), undefined, text);
});

Deno.test("formatTimestamp prints as the Go daemon does, without trailing zeros", () => {
  const second = BigInt(Date.UTC(2026, 10, 21, 0, 57, 24)) * 1_000_000n;
  equal(formatTimestamp(second + 189_832_430n), "2026-11-21T00:57:24.18983243Z");
  equal(formatTimestamp(second), "2026-11-21T00:57:24Z");
});

Deno.test("any time survives printing and parsing", () => {
  const max = BigInt(Date.UTC(9999, 11, 31)) * 1_000_000n;
  fc.assert(fc.property(fc.bigInt({ min: -max / 5n, max }), (ns) => {
    equal(parseTimestamp(formatTimestamp(ns)), ns);
  }));
});
