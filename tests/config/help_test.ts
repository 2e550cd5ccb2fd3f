import assert from "node:assert/strict";
import { actionTable } from "../../lib/config/action_table.ts";
import { helpText } from "../../lib/config/help.ts";

Deno.test("help has every action with its parameters, types and defaults", () => {
  const help = helpText();
  for (
    const line of [
      "   --node: Specifies the node configuration of this instance",
      "      [id=]<string>: Node ID. Defaults to the local hostname.",
      "      datadir=<filename>: Directory in which to store node data. (default: /tmp/receptor)",
      "      permissions=<octal mode>: Socket file permissions (default: 0600)",
      "      [port=]<int>: Local TCP port to listen on (required)",
      "      cost=<float>: Connection cost (weight) (default: 1.0)",
      "      redial=<bool>: Keep redialing on lost connection (default: true)",
    ]
  ) {
    assert(help.split("\n").includes(line), line);
  }
  const listed = [...help.matchAll(/^ {3}--([a-z0-9-]+)(?: <filename>)?:/gm)].map(([, name]) =>
    name
  );
  const actions = actionTable.filter(({ retired }) => !retired).map(({ name }) => name);
  const expected = ["help", "config", "config-v2", "bash-completion", ...actions];
  assert.deepEqual(listed.toSorted(), expected.toSorted());
});

Deno.test("sections come in the original's order", () => {
  const help = helpText();
  const places = [
    "--control-service:",
    "back-ends",
    "on top of the Receptor mesh",
    "process units of work",
  ].map((
    text,
  ) => help.indexOf(text));
  assert(places.every((place) => place > 0));
  assert.deepEqual(places, places.toSorted((a, b) => a - b));
});
