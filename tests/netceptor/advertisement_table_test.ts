import { deepEqual, equal, ok } from "node:assert/strict";
import { AdvertisementTable } from "../../lib/netceptor/advertisement_table.ts";
import {
  type Advertisement,
  decodeAdvertisement,
  encodeAdvertisement,
} from "../../lib/wire/advertisement.ts";
import { formatTimestamp } from "../../lib/wire/timestamp.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Wall-clock time at monotonic time 0, in milliseconds since 1970. */
const EPOCH_MS = Date.UTC(2026, 10, 21);

/** A table with a clock; times are milliseconds from its start. */
class Bench {
  readonly table: AdvertisementTable;
  nowMs = 0;

  constructor(options?: { maxBytes: number }) {
    this.table = new AdvertisementTable(options);
  }

  /** Enters an advertisement whose node wrote it at `timeMs`. */
  enter(timeMs: number, fields: Partial<Advertisement> = {}, via = "neighbour"): string {
    const advertisement: Advertisement = {
      nodeId: "far",
      service: "svc",
      time: formatTimestamp(BigInt(EPOCH_MS + timeMs) * 1_000_000n),
      connectionType: 1,
      tags: null,
      workCommands: null,
      cancel: false,
      ...fields,
    };
    return this.table.enter(advertisement, encodeAdvertisement(advertisement), {
      via,
      nowMs: this.nowMs,
      wallNs: BigInt(EPOCH_MS + this.nowMs) * 1_000_000n,
    }).kind;
  }

  get offered(): string[] {
    return Array.from(this.table.offered(), (message) => {
      const { nodeId, service } = decodeAdvertisement(message);
      return `${nodeId}:${service}`;
    });
  }
}

Deno.test("the later of two advertisements counts", () => {
  const bench = new Bench();
  deepEqual([bench.enter(5), bench.enter(5), bench.enter(4), bench.enter(6)], [
    "news",
    "old",
    "old",
    "news",
  ]);
});

Deno.test("a withdrawn service is gone, and no older advertisement brings it back", () => {
  const bench = new Bench();
  bench.enter(1);
  equal(bench.enter(3, { cancel: true }), "news");
  deepEqual(bench.offered, []);
  equal(bench.enter(3, { cancel: true }), "old");
  equal(bench.enter(2), "old");
  bench.nowMs = HOUR - 1;
  equal(bench.enter(2), "old");
  equal(bench.enter(4), "news");
  deepEqual(bench.offered, ["far:svc"]);
});

Deno.test("a withdrawal of an unknown service is remembered too", () => {
  const bench = new Bench();
  equal(bench.enter(3, { cancel: true }), "news");
  equal(bench.enter(3, { cancel: true }), "old");
  equal(bench.enter(2), "old");
});

Deno.test("an hour later a withdrawn service takes up no room", () => {
  const bench = new Bench();
  for (let i = 0; i < 50; i++) bench.enter(1, { service: `s${i}`, cancel: true });
  bench.nowMs = HOUR;
  bench.enter(HOUR, { nodeId: "other" });
  deepEqual(bench.offered, ["other:svc"]);
  const small = new Bench();
  small.enter(HOUR, { nodeId: "other" });
  equal(bench.table.bytes, small.table.bytes);
});

Deno.test("a time far ahead does not hide the real ones", () => {
  const bench = new Bench();
  bench.enter(100 * 365 * 24 * HOUR, { service: "svc", connectionType: 2 });
  bench.nowMs = MINUTE;
  equal(bench.enter(MINUTE), "news");
  bench.nowMs = 3 * MINUTE;
  equal(bench.enter(100 * 365 * 24 * HOUR + 1, { cancel: true }), "old", "the real one is fresh");
  deepEqual(bench.offered, ["far:svc"]);
});

Deno.test("a node whose clock is far ahead is heard like any other", () => {
  const bench = new Bench();
  const ahead = 24 * HOUR;
  equal(bench.enter(ahead), "news");
  equal(bench.enter(ahead + 1), "news");
  equal(bench.enter(ahead), "old");
  equal(bench.enter(ahead + 2, { cancel: true }), "news");
  deepEqual(bench.offered, []);
});

Deno.test("a node whose clock jumps ahead is heard again after three minutes", () => {
  const bench = new Bench();
  bench.enter(0);
  bench.nowMs = 3 * MINUTE - 1;
  equal(bench.enter(24 * HOUR), "old");
  bench.nowMs = 3 * MINUTE;
  equal(bench.enter(24 * HOUR + 1), "news");
});

Deno.test("a node has a bounded number of services, and those withdrawn make room first", () => {
  const bench = new Bench();
  for (let i = 0; i < 64; i++) equal(bench.enter(1, { service: `s${i}` }), "news");
  equal(bench.enter(1, { service: "more" }), "too many");
  equal(bench.enter(2, { service: "s7" }), "news");
  equal(bench.enter(2, { service: "s9", cancel: true }), "news");
  equal(bench.enter(2, { service: "more" }), "news");
  equal(bench.offered.length, 64);
});

Deno.test("services that others make up for a node do not keep its own ones out", () => {
  const bench = new Bench();
  for (let i = 0; i < 64; i++) bench.enter(1, { service: `made-up${i}`.slice(-8) }, "evil");
  equal(bench.enter(1, { service: "more" }, "evil"), "too many");
  equal(bench.enter(1, { service: "control" }, "honest"), "news");
  for (let i = 0; i < 64; i++) bench.enter(2, { service: `again${i}` }, "evil");
  ok(bench.offered.includes("far:control"));
  bench.nowMs = 3 * MINUTE;
  equal(bench.enter(2, { service: "more" }, "evil"), "news", "the others are not renewed");
});

Deno.test("a full table forgets the oldest from the neighbour that brought the most", () => {
  const bench = new Bench({ maxBytes: 100_000 });
  bench.enter(1, { nodeId: "honest-1" }, "honest");
  for (let i = 0; i < 10_000; i++) {
    equal(bench.enter(1, { nodeId: `made-up-${i}`, tags: new Map([["x", "y"]]) }, "evil"), "news");
    ok(bench.table.bytes <= 100_000);
  }
  equal(bench.enter(1, { nodeId: "honest-2" }, "honest"), "news");
  const { offered } = bench;
  ok(offered.includes("honest-1:svc"));
  ok(offered.includes("honest-2:svc"));
  ok(offered.includes("made-up-9999:svc"), "it has its own share");
});

Deno.test("neighbours that keep changing names have one share together", () => {
  const bench = new Bench({ maxBytes: 100_000 });
  bench.enter(1, { nodeId: "honest" }, "honest");
  for (let i = 0; i < 1000; i++) {
    bench.enter(1, { nodeId: `made-up-${i}` }, `evil-${i}`);
    bench.table.neighbourGone(`evil-${i}`);
  }
  ok(bench.offered.includes("honest:svc"));
});
