import assert from "node:assert/strict";
import { choose, fate, isStale, type Pooled, type PoolLimits } from "../../lib/quic/pool_rules.ts";
import type { Identity } from "../../lib/quic/tls.ts";

const limits: PoolLimits = { maxStreams: 4, idleMs: 30, maxAgeMs: 100 };
const ours: Identity = { chain: [], privateKey: new Uint8Array() };
const earlier: Identity = { ...ours };

const dialling = (waiting: number, identity: Identity | undefined = ours): Pooled => ({
  phase: "dialling",
  identity,
  waiting,
});
const warm = (streams: number, { since = 900, identity = ours } = {}): Pooled => ({
  phase: "warm",
  identity,
  since,
  streams,
});
const retired = (streams: number): Pooled => ({ phase: "retired", streams });

const choices: [
  string,
  Pooled[],
  { fresh?: boolean },
  "dial" | { take: number } | { join: number },
][] = [
  ["nothing there", [], {}, "dial"],
  ["an idle one", [warm(0)], {}, { take: 0 }],
  ["the fullest with room", [warm(1), warm(3), warm(4), warm(2)], {}, { take: 1 }],
  ["all full", [warm(4), warm(4)], {}, "dial"],
  ["full, but one is on its way", [warm(4), dialling(1)], {}, { join: 1 }],
  ["warm before one on its way", [dialling(1), warm(0)], {}, { take: 1 }],
  ["a handshake under way", [dialling(3)], {}, { join: 0 }],
  ["a handshake with enough that wait", [dialling(4)], {}, "dial"],
  ["a handshake with an earlier certificate", [dialling(1, earlier)], {}, "dial"],
  ["an earlier certificate", [warm(1, { identity: earlier })], {}, "dial"],
  ["young enough", [warm(1, { since: 901 })], {}, { take: 0 }],
  ["too old", [warm(1, { since: 899 })], {}, "dial"],
  ["retired", [retired(1)], {}, "dial"],
  ["a fresh one wanted", [warm(0)], { fresh: true }, "dial"],
  ["a fresh one on its way", [warm(0), dialling(2)], { fresh: true }, { join: 1 }],
];

Deno.test("a stream goes to the fullest connection with room, or waits for a handshake, or dials", () => {
  for (const [name, entries, { fresh = false }, expected] of choices) {
    const choice = choose(entries, { now: 999.5, identity: ours, fresh }, limits);
    const found = choice === "dial"
      ? choice
      : "take" in choice
      ? { take: entries.indexOf(choice.take) }
      : { join: entries.indexOf(choice.join) };
    assert.deepEqual(found, expected, name);
  }
});

Deno.test("a connection is stale by age, or when our certificate was renewed", () => {
  assert.equal(isStale(warm(1), 999, ours, limits), false);
  assert.equal(isStale(warm(1), 1000, ours, limits), true);
  assert.equal(isStale(warm(1), 999, earlier, limits), true);
  assert.equal(isStale(warm(1), 999, undefined, limits), true);
  assert.equal(isStale(dialling(1), 9999, earlier, limits), false);
  assert.equal(isStale(retired(1), 9999, earlier, limits), false);
});

Deno.test("a connection without streams waits for the next, unless it takes none", () => {
  assert.equal(fate(dialling(0), 950, ours, limits), "stay");
  assert.equal(fate(warm(1), 950, ours, limits), "stay");
  assert.equal(fate(retired(1), 950, ours, limits), "stay");
  assert.equal(fate(warm(0), 950, ours, limits), "wait");
  assert.equal(fate(warm(0), 1000, ours, limits), "close");
  assert.equal(fate(warm(0), 950, earlier, limits), "close");
  assert.equal(fate(retired(0), 950, ours, limits), "close");
});
