import { equal, notEqual } from "node:assert/strict";
import fc from "fast-check";
import { giveWay } from "../../lib/base/give_way.ts";

const HELD = new Map([["a", 5], ["b", 3], ["c", 3]]);

Deno.test("the owner with the most gives way, unless that is the one who asks", () => {
  equal(giveWay(HELD, { owner: "new", more: 1 }), "a");
  equal(giveWay(HELD, { owner: "b", more: 1 }), "a");
  equal(giveWay(HELD, { owner: "a", more: 1 }), undefined);
  equal(giveWay(HELD, { owner: "new", more: 6 }), undefined);
  equal(giveWay(HELD, { owner: "new", more: 5 }), "a", "of equals, the other one");
  equal(giveWay(new Map(), { owner: "new", more: 1 }), undefined);
});

Deno.test("the group with the most gives way, however little each of its owners has", () => {
  const held = new Map([["honest", 4]]);
  for (let i = 0; i < 10; i++) held.set(`evil${i}`, 1);
  const groupOf = (owner: string) => owner.startsWith("evil") ? "evil" : owner;
  equal(giveWay(held, { owner: "honest", more: 2 }, groupOf), "evil0");
  equal(giveWay(held, { owner: "evil10", more: 1 }, groupOf), "evil0");
  equal(giveWay(held, { owner: "evil3", more: 1 }, groupOf), undefined);
  equal(giveWay(held, { owner: "honest", more: 7 }, groupOf), undefined);
});

Deno.test("invented owners never make another group give way that holds no more than a fair share", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 30 });
  fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 20 }), sizes, (evil, more, honest) => {
    const held = new Map([
      ...evil.map((size, i) => [`evil ${i}`, size] as const),
      ...honest.map((size, i) => [`honest ${i}`, size] as const),
    ]);
    const total = (items: number[]) => items.reduce((all, size) => all + size, 0);
    const victim = giveWay(held, { owner: "evil new", more }, (owner) => owner.split(" ")[0]!);
    if (total(evil) + more > total(honest)) {
      notEqual(victim?.split(" ")[0], "honest");
    } else {
      equal(victim?.split(" ")[0], "honest");
    }
  }));
});
