import assert from "node:assert/strict";
import fc from "fast-check";
import { LineBudget, LineBudgetError, type LineClaim } from "../../lib/control/line_budget.ts";

const KiB = 1024;

/** A claim that notes when it was cut. */
function claimOf(owner: string, neighbour = owner): LineClaim & { isCut: boolean } {
  return {
    owner,
    neighbour,
    isCut: false,
    cut() {
      this.isCut = true;
    },
  };
}

Deno.test("short lines are free, and a line that shrinks gives back its part", () => {
  const budget = new LineBudget(64 * KiB);
  const claim = claimOf("a");
  budget.resize(claim, 4 * KiB);
  assert.equal(budget.heldBytes, 0);
  budget.resize(claim, 64 * KiB);
  assert.equal(budget.heldBytes, 64 * KiB);
  for (let i = 0; i < 10; i++) budget.resize(claimOf("b"), 4 * KiB);
  budget.resize(claim, 0);
  assert.equal(budget.heldBytes, 0);
});

Deno.test("whoever holds the most is refused more, and loses its oldest line to another", () => {
  const budget = new LineBudget(100 * KiB);
  const greedy = Array.from({ length: 10 }, () => claimOf("greedy"));
  for (const claim of greedy) budget.resize(claim, 10 * KiB);
  assert.throws(() => budget.resize(claimOf("greedy"), 10 * KiB), LineBudgetError);
  assert.throws(() => budget.resize(greedy[3]!, 11 * KiB), LineBudgetError);
  assert.equal(budget.heldBytes, 100 * KiB, "a refusal changes nothing");

  const modest = claimOf("modest");
  budget.resize(modest, 16 * KiB);
  assert.deepEqual(
    greedy.map(({ isCut }) => isCut),
    [true, true, false, false, false, false, false, false, false, false],
  );
  assert.equal(budget.heldBytes, 96 * KiB);
});

Deno.test("a neighbour that invents nodes takes room from those only", () => {
  const budget = new LineBudget(100 * KiB);
  const invented = Array.from({ length: 10 }, (_, i) => claimOf(`evil${i}`, "evil"));
  for (const claim of invented) budget.resize(claim, 10 * KiB);
  const honest = claimOf("honest");
  budget.resize(honest, 45 * KiB);
  assert.equal(invented.filter(({ isCut }) => isCut).length, 5);
  budget.resize(claimOf("evil10", "evil"), 10 * KiB);
  assert.equal(invented.filter(({ isCut }) => isCut).length, 6);
  assert.ok(!honest.isCut);
});

Deno.test("a line larger than the whole budget is refused at once", () => {
  const budget = new LineBudget(100 * KiB);
  const other = claimOf("other");
  budget.resize(other, 50 * KiB);
  assert.throws(() => budget.resize(claimOf("a"), 101 * KiB), LineBudgetError);
  assert.ok(!other.isCut);
});

Deno.test("the budget is never exceeded, and a fair share is always given", () => {
  const owners = ["a", "b", "c", "d"];
  const total = 400 * KiB;
  const step = fc.record({
    line: fc.nat(19),
    bytes: fc.oneof(fc.constant(0), fc.integer({ min: 5 * KiB, max: 200 * KiB })),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const budget = new LineBudget(total);
    const claims = Array.from({ length: 20 }, (_, i) => claimOf(owners[i % owners.length]!));
    const held = new Map<LineClaim, number>();
    const heldBy = (owner: string) =>
      [...held].reduce((sum, [claim, bytes]) => claim.owner === owner ? sum + bytes : sum, 0);
    for (const { line, bytes } of steps) {
      const claim = claims[line]!;
      const share = heldBy(claim.owner) - (held.get(claim) ?? 0) + bytes;
      try {
        budget.resize(claim, bytes);
        held.set(claim, bytes);
      } catch (error) {
        assert.ok(error instanceof LineBudgetError);
        assert.ok(share > total / owners.length, `${share} bytes were refused`);
      }
      for (const each of claims) {
        if (!each.isCut) continue;
        held.delete(each);
        each.isCut = false;
      }
      assert.ok(budget.heldBytes <= total);
      assert.equal(budget.heldBytes, [...held.values()].reduce((sum, each) => sum + each, 0));
    }
  }));
});
