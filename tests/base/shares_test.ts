import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { Shares } from "../../lib/base/shares.ts";

Deno.test("Shares gives back the oldest item of the owner with the most", () => {
  const shares = new Shares<string>();
  shares.put("a1", "a", 10);
  shares.put("b1", "b", 6);
  shares.put("b2", "b", 6);
  deepEqual(shares.oldestOfLargest(), { item: "b1", shareSize: 12 });
  shares.put("b1", "b", 6);
  equal(shares.oldestOfLargest()!.item, "b2", "what is renewed is the newest");
  shares.put("b2", "a", 6);
  deepEqual(shares.oldestOfLargest(), { item: "a1", shareSize: 16 });
});

Deno.test("Shares counts all owners that left as one", () => {
  const shares = new Shares<string>();
  for (let i = 0; i < 10; i++) {
    shares.put(`item${i}`, `guest${i}`, 1);
    shares.leave(`guest${i}`);
  }
  shares.put("kept", "resident", 9);
  deepEqual(shares.oldestOfLargest(), { item: "item0", shareSize: 10 });
});

Deno.test("Shares agrees with a model without shortcuts, whatever happens", () => {
  const item = fc.constantFrom("x", "y", "z");
  const neighbour = fc.constantFrom("a", "b");
  const step = fc.oneof(
    fc.record({ kind: fc.constant("put" as const), item, neighbour, size: fc.nat(9) }),
    fc.record({ kind: fc.constant("delete" as const), item }),
    fc.record({ kind: fc.constant("leave" as const), neighbour }),
  );
  fc.assert(fc.property(fc.array(step), (steps) => {
    const shares = new Shares<string>();
    const model = new Map<string, { neighbour: string; size: number }>();
    for (const step of steps) {
      if (step.kind === "put") {
        shares.put(step.item, step.neighbour, step.size);
        model.set(step.item, step);
      } else if (step.kind === "delete") {
        shares.delete(step.item);
        model.delete(step.item);
      } else {
        shares.leave(step.neighbour);
        for (const entry of model.values()) {
          if (entry.neighbour === step.neighbour) entry.neighbour = "";
        }
      }
    }
    const sizeOf = (neighbour: string) =>
      model.values().filter((entry) => entry.neighbour === neighbour)
        .reduce((sum, { size }) => sum + size, 0);
    for (const name of ["a", "b", ""]) equal(shares.sizeOf(name), sizeOf(name));
    equal(shares.size, sizeOf("a") + sizeOf("b") + sizeOf(""));
    const largest = shares.oldestOfLargest();
    equal(largest === undefined, model.size === 0);
    if (largest === undefined) return;
    equal(largest.shareSize, Math.max(sizeOf("a"), sizeOf("b"), sizeOf("")));
    equal(shares.ownerOf(largest.item), model.get(largest.item)!.neighbour);
  }));
});
