/** The examples are programs that do what they say. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS, within } from "../support/eventually.ts";
import { Program } from "../support/program.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url);

/** What each prints. */
const OUTPUTS: Readonly<Record<string, string>> = {
  "two_nodes.ts": "one answered: Hello, world!\n",
  "web_server_behind_a_node.ts": "You asked for /hello\n",
  "embedded_worker.ts": "14 characters name the unit; its output: HELLO FROM THE MESH\n" +
    "released: true\n",
};

Deno.test("every example is known here", () => {
  const names = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name);
  assert.deepEqual(names.sort(), Object.keys(OUTPUTS).sort());
});

for (const [name, output] of Object.entries(OUTPUTS)) {
  Deno.test(`the example ${name} runs to its end`, async () => {
    const path = fileURLToPath(new URL(name, EXAMPLES));
    await using program = Program.start([Deno.execPath(), "run", "-A", "--no-prompt", path]);
    const { code } = await within(PATIENCE_MS, "its end", program.exited);
    assert.equal(program.output, output);
    assert.equal(code, 0);
  });
}
