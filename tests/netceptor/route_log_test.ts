import { deepEqual, equal, ok } from "node:assert/strict";
import { RouteLog, type Routes } from "../../lib/netceptor/route_log.ts";
import type { ConnectionCosts } from "../../lib/netceptor/shortest_paths.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";

const NOTHING: Routes = new Map();

function bench() {
  const [clock, log] = [new VirtualClock(), new RecordingLog()];
  const tables = { costs: new Map() as ConnectionCosts, routes: NOTHING };
  const routeLog = new RouteLog({ log, clock, tables });
  /** Changes the tables; returns the lines that this produces. */
  const change = (routes: Routes, costs: ConnectionCosts = new Map()) => {
    const before = tables.routes;
    Object.assign(tables, { routes, costs });
    log.lines.length = 0;
    routeLog.changed(before);
    return log.lines;
  };
  return { clock, log, routeLog, change };
}

Deno.test("RouteLog writes the tables in the original's layout", () => {
  const { change } = bench();
  const costs = new Map([["me", new Map([["a", 1], ["b", 2.5]])], ["a", new Map([["me", 1]])]]);
  deepEqual(change(new Map([["a", "a"], ["b", "a"]]), costs), [
    "INFO Known Connections:",
    "INFO    me: a(1.00) b(2.50) ",
    "INFO    a: me(1.00) ",
    "INFO Routing Table:",
    "INFO    a via a",
    "INFO    b via a",
  ]);
});

Deno.test("RouteLog logs what changes soon after at once, and the tables after ten seconds", async () => {
  const { clock, log, change } = bench();
  change(new Map([["a", "a"], ["b", "a"], ["c", "a"]]));
  deepEqual(change(new Map([["a", "a"], ["b", "c"], ["d", "a"]])), [
    "INFO    b via c",
    "INFO    d via a",
    "INFO    c cannot be reached any more",
  ]);
  log.lines.length = 0;
  await clock.advance(9_999);
  deepEqual(log.lines, []);
  await clock.advance(1);
  deepEqual(log.lines.slice(-4), [
    "INFO Routing Table:",
    "INFO    a via a",
    "INFO    b via c",
    "INFO    d via a",
  ]);
  await clock.advance(60_000);
  equal(log.lines.length, 5, "nothing has changed since");
  equal(clock.pending, 0);
});

Deno.test("RouteLog writes a bounded amount, however much changes", async () => {
  const { clock, log, change, routeLog } = bench();
  const names = Array.from({ length: 10_000 }, (_, i) => `${"x".repeat(200)}${i}`);
  const hub = new Map(names.map((name) => [name, 1]));
  const costs = new Map(names.map((name) => [name, hub]));
  let bytes = 0;
  for (let i = 0; i < 200; i++) {
    const before = new Map(names.map((name) => [name, `via${i}`]));
    bytes += change(before, costs).join("\n").length;
    log.lines.length = 0;
    await clock.advance(100);
    bytes += log.lines.join("\n").length;
  }
  ok(bytes < 3 * 80_000 + 20 * 10 * 300, `${bytes} characters in 20 s`);
  routeLog[Symbol.dispose]();
  equal(clock.pending, 0);
});
