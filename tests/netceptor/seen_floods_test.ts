import { equal } from "node:assert/strict";
import { SeenFloods } from "../../lib/netceptor/seen_floods.ts";

const HOUR = 3_600_000;

Deno.test("SeenFloods remembers an id for an hour", () => {
  const seen = new SeenFloods(0, 50_000);
  equal(seen.add("a", 0), true);
  equal(seen.add("a", 1), false);
  equal(seen.add("a", HOUR - 1), false);
  equal(seen.add("b", HOUR), true);
  equal(seen.add("a", HOUR + 1), false);
});

Deno.test("SeenFloods forgets an id after two hours at the latest", () => {
  const seen = new SeenFloods(0, 50_000);
  seen.add("a", 0);
  seen.add("b", HOUR);
  equal(seen.add("a", 2 * HOUR), true);
  const idle = new SeenFloods(0, 50_000);
  idle.add("a", 0);
  equal(idle.add("a", 3 * HOUR), true);
});

Deno.test("SeenFloods keeps a bounded number of ids, the newest", () => {
  const seen = new SeenFloods(0, 100);
  for (let i = 0; i < 1000; i++) seen.add(`id${i}`, 0);
  equal(seen.add("id999", 0), false);
  equal(seen.add("id950", 0), false);
  equal(seen.add("id0", 0), true);
});
