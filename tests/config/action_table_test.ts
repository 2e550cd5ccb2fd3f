import assert from "node:assert/strict";
import { actionTable, findAction } from "../../lib/config/action_table.ts";

Deno.test("every declaration is consistent", () => {
  const names = actionTable.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, parameters } of actionTable) {
    assert.equal(findAction(name.toUpperCase())?.name, name);
    const specs = Object.entries(parameters);
    assert(specs.filter(([, { bare }]) => bare).length <= 1, `${name} has one bare parameter`);
    for (const [parameter, spec] of specs) {
      assert.match(parameter, /^[a-z0-9]+$/, `${name} ${parameter}`);
      assert(!(spec.required && spec.default !== undefined), `${name} ${parameter}`);
      if (spec.default === undefined) continue;
      // What help shows as the default is what an operator would write to get it.
      assert.deepEqual(
        spec.type.read(spec.type.print(spec.default)),
        spec.default,
        `${name} ${parameter}`,
      );
    }
  }
});
