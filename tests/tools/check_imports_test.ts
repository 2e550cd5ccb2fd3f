import assert from "node:assert/strict";
import { cycles, misdirected, relativeImports } from "../../tools/check_imports.ts";

Deno.test("imports are found in all their forms, and not in comments", () => {
  const source = `
/** As in \`import { a } from "./comment.ts"\`. */
// import "./line.ts";
import type { A } from "./type.ts";
import {
  b,
} from "../room/several_lines.ts";
export * from "./exported.ts";
import "./effect.ts";
const later = await import("./later.ts");
import { parse } from "yaml";
import settings from "../../deno.json" with { type: "json" };
`;
  assert.deepEqual(relativeImports(source), [
    "./type.ts",
    "../room/several_lines.ts",
    "./exported.ts",
    "./effect.ts",
    "./later.ts",
  ]);
});

Deno.test("an import from a higher room is an offence, one from a lower room is not", () => {
  const up = new Map([["lib/wire/a.ts", ["lib/daemon/b.ts"]], ["lib/daemon/b.ts", []]]);
  assert.match(misdirected(up).join(), /lib\/daemon stands above lib\/wire/);
  const down = new Map([["lib/daemon/b.ts", ["lib/wire/a.ts", "lib/daemon/c.ts"]]]);
  assert.deepEqual(misdirected(down), []);
});

Deno.test("lib does not import from outside, nor receptorctl from the daemon", () => {
  const graph = new Map([["lib/ctl/a.ts", ["lib/daemon/b.ts", "tests/support/c.ts"]]]);
  assert.match(misdirected(graph).join("\n"), /must not know lib\/daemon\n.*not in lib\//);
});

Deno.test("files that import each other in a circle are found together", () => {
  const graph = new Map([
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["a"]],
    ["d", ["a"]],
    ["e", ["e"]],
  ]);
  assert.deepEqual(cycles(graph), [["a", "b", "c"], ["e"]]);
});

Deno.test("only the root has a mod.ts", () => {
  assert.deepEqual(misdirected(new Map([["mod.ts", []]])), []);
  assert.match(misdirected(new Map([["lib/wire/mod.ts", []]])).join(), /rooms have no mod.ts/);
});
