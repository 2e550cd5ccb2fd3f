/** Compares the table of actions with the original's own help. */
import assert from "node:assert/strict";
import { actionTable } from "../../lib/config/action_table.ts";

const peers = Deno.env.get("RECEPTOR_PEERS");

interface HelpParameter {
  required: boolean;
  default: string | undefined;
}

/** Reads the help of the original: parameters by `action parameter`. */
function readHelp(help: string): Map<string, HelpParameter> {
  const parameters = new Map<string, HelpParameter>();
  let action = "";
  for (const line of help.split("\n")) {
    action = /^ {3}--([a-z-]+)/.exec(line)?.[1] ?? action;
    const parameter = /^ {6}([a-z0-9]+)=</.exec(line)?.[1];
    if (parameter === undefined) continue;
    parameters.set(`${action} ${parameter}`, {
      required: /\((.*, )?required(, .*)?\)$/.test(line),
      default: /\bdefault: ([^,)]+)\)$/.exec(line)?.[1]?.trim(),
    });
  }
  return parameters;
}

/** Internal to the original: a value of this type cannot be written at all. */
const NO_PARAMETER = /^cert-(init|makereq) osw$/;

Deno.test({
  name: "every action and parameter of the original is known" +
    (peers === undefined ? " (skipped: RECEPTOR_PEERS is not set)" : ""),
  ignore: peers === undefined,
  async fn() {
    const { stdout } = await new Deno.Command(`${peers}/receptor`, { args: ["--help"] }).output();
    const original = readHelp(new TextDecoder().decode(stdout));
    assert(original.size > 100, `only ${original.size} parameters found`);
    for (const [name, { required, default: written }] of original) {
      if (NO_PARAMETER.test(name)) continue;
      const [action, parameter] = name.split(" ") as [string, string];
      const spec = actionTable.find((known) => known.name === action)?.parameters[parameter];
      assert(spec, `${name} is not in the table`);
      assert.equal(spec.required ?? false, required, `${name}: required`);
      if (written !== undefined) {
        assert.deepEqual(spec.default, spec.type.read(written), `${name}: default`);
      }
    }
  },
});
