/** A job's environment is the one that the daemon was started with, whatever is in it. */
import assert from "node:assert/strict";
import { meshTest } from "../support/mesh.ts";
import { MARK } from "../support/processes.ts";
import { testEnvironment } from "../support/program.ts";

const GIVEN = {
  "BAD.NAME": "1",
  "BASH_FUNC_f%%": "() { echo 'x';\n}",
  EMPTY: "",
  LINES: "\na\n\n  b = ' \" $x * \n",
  IFS: ":",
  OLDPWD: "/no/such",
  PS1: "$ ",
  DENO_NO_UPDATE_CHECK: "0",
  name: "the launcher has a variable of this name",
  LONG: "x".repeat(100_000),
};

for (const [what, more] of [["without PWD", {}], ["with a PWD", { PWD: "/else where" }]] as const) {
  meshTest(
    `a job has exactly the environment that the daemon was given, ${what}`,
    { kinds: ["ours"] },
    async (mesh) => {
      const actions = [{ "work-command": { worktype: "env", command: "env", params: "-0" } }];
      const env = { ...GIVEN, ...more };
      const node = await mesh.node({ kind: "ours", id: "solo", actions, env });
      const unit = await node.submit({ node: "solo", worktype: "env", payload: "" });
      const entries = (await node.resultText(unit)).split("\0").slice(0, -1)
        .map((entry) => entry.split(/=(.*)/s).slice(0, 2));
      // If sh is bash, it sets `_` for each command.
      const { _, [MARK]: mark, ...found } = Object.fromEntries(entries);
      assert.equal(mark, node.folder);
      assert.deepEqual(found, testEnvironment(env));
    },
  );
}
