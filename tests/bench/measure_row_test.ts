/** How contenders take turns, and what happens to one that fails. */
import assert from "node:assert/strict";
import { measureRow } from "../../bench/measure_row.ts";
import { type Contender, type Kind, over, type Row, type Sample, warmUp } from "../../bench/row.ts";

const never = new AbortController().signal;

/** A row whose contenders do `run` and record in `log` what they are asked to do. */
function fakeRow(
  log: string[],
  run: (who: string, signal: AbortSignal) => Promise<Sample>,
): Row {
  const contender = (who: string): Promise<Contender> => {
    log.push(`${who} is set up`);
    const owned = {
      [Symbol.asyncDispose]: () => {
        log.push(`${who} is gone`);
        return Promise.resolve();
      },
    };
    return Promise.resolve(over(owned, (signal) => {
      log.push(`${who} runs`);
      return run(who, signal);
    }));
  };
  return {
    name: "fake",
    title: "a fake",
    figures: [{ key: "n", label: "n", unit: "", better: "lower" }],
    runs: 1,
    timeoutMs: 60_000,
    limits: [
      { name: "limit", setUp: () => contender("limit") },
      { name: "absent", setUp: () => Promise.resolve(undefined) },
    ],
    setUp: (kind: Kind) => contender(kind),
  };
}

Deno.test("contenders take turns, and each is set up once", async () => {
  const log: string[] = [];
  let n = 0;
  const row = fakeRow(log, () => Promise.resolve({ n: n++ }));
  const outcomes = await measureRow(row, { kinds: ["ours", "go"], runs: 2, signal: never });
  assert.deepEqual(log, [
    ...["ours is set up", "ours runs", "go is set up", "go runs", "limit is set up", "limit runs"],
    ...["ours runs", "go runs", "limit runs"],
    ...["ours is gone", "go is gone", "limit is gone"],
  ]);
  assert.deepEqual(outcomes, [
    { contender: "ours", samples: [{ n: 0 }, { n: 3 }] },
    { contender: "go", samples: [{ n: 1 }, { n: 4 }] },
    { contender: "limit", samples: [{ n: 2 }, { n: 5 }] },
    { contender: "absent", samples: [], error: "not there" },
  ]);
});

Deno.test("a contender that fails is dropped at once, with the reason, and the others go on", async () => {
  const log: string[] = [];
  const row = fakeRow(
    log,
    (who) => who === "go" ? Promise.reject(new Error("no luck")) : Promise.resolve({ n: 1 }),
  );
  const outcomes = await measureRow(row, { kinds: ["ours", "go"], runs: 2, signal: never });
  assert.deepEqual(log, [
    ...["ours is set up", "ours runs", "go is set up", "go runs", "go is gone"],
    ...["limit is set up", "limit runs", "ours runs", "limit runs"],
    ...["ours is gone", "limit is gone"],
  ]);
  assert.deepEqual(outcomes[0], { contender: "ours", samples: [{ n: 1 }, { n: 1 }] });
  assert.deepEqual(outcomes[1], { contender: "go", samples: [], error: "no luck" });
});

Deno.test("a run that takes too long is given up", async () => {
  const hang = (signal: AbortSignal) =>
    new Promise<Sample>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  const row = { ...fakeRow([], (_who, signal) => hang(signal)), timeoutMs: 10, limits: [] };
  const outcomes = await measureRow(row, { kinds: ["ours"], runs: 3, signal: never });
  assert.deepEqual(outcomes, [
    { contender: "ours", samples: [], error: "the run was not finished after 0.01 s" },
  ]);
});

Deno.test("an interrupt ends the measurement, and with it all contenders", async () => {
  const log: string[] = [];
  const interrupt = new AbortController();
  const row = fakeRow(log, (who) => {
    if (who === "go") interrupt.abort(new Error("interrupted"));
    return Promise.resolve({ n: 1 });
  });
  await assert.rejects(
    measureRow(row, { kinds: ["ours", "go"], runs: 2, signal: interrupt.signal }),
    /interrupted/,
  );
  assert.deepEqual(log.slice(-2), ["ours is gone", "go is gone"]);
});

Deno.test("what cannot be warmed up is disposed of, what can is kept", async () => {
  let gone = 0;
  const owned = { [Symbol.asyncDispose]: () => Promise.resolve(void gone++) };
  await assert.rejects(warmUp(owned, () => Promise.reject(new Error("too cold"))), /too cold/);
  assert.equal(gone, 1);
  await warmUp(owned, () => Promise.resolve());
  assert.equal(gone, 1);
});
