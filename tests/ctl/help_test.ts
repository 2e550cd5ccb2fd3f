import assert from "node:assert/strict";
import type { CommandSpec, GroupSpec } from "../../lib/ctl/command_spec.ts";
import { receptorctl } from "../../lib/ctl/command_table.ts";
import { renderHelp, renderUsage } from "../../lib/ctl/help.ts";
import { runMain } from "./run_main.ts";

function* specs(
  spec: CommandSpec | GroupSpec,
  path: string[] = [spec.name],
): Generator<[string[], CommandSpec | GroupSpec]> {
  yield [path, spec];
  if (spec.kind === "group") {
    for (const command of spec.commands) yield* specs(command, [...path, command.name]);
  }
}

Deno.test("help of every command names each of its options and arguments, in 80 columns", () => {
  for (const [path, spec] of specs(receptorctl)) {
    const help = renderHelp({ path, spec });
    for (const option of Object.values(spec.options)) assert.ok(help.includes(option.long), help);
    if (spec.kind === "command") {
      for (const { metavar } of Object.values(spec.arguments)) assert.ok(help.includes(metavar));
    }
    assert.ok(help.startsWith(`Usage: ${path.join(" ")} [OPTIONS]`), help);
    for (const line of help.split("\n")) assert.ok(line.length <= 80, line);
  }
});

Deno.test("help needs no node", async () => {
  const { code, stdout, stderr } = await runMain(["work", "submit", "--help"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^Usage: receptorctl work submit \[OPTIONS\] WORKTYPE \[CMDPARAMS\]\.\.\./);
  assert.match(stdout, /-p, --payload TEXT +File containing unit of work data/);
  assert.match((await runMain(["ping", "--help"])).stdout, /--count INTEGER .*\[default: 4\]/);
});

Deno.test("a group without a command prints its help as a mistake", async () => {
  for (const words of [[], ["work"], ["--socket", "/nope", "work"]]) {
    const { code, stdout, stderr } = await runMain(words);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^Usage: receptorctl (work )?\[OPTIONS\] COMMAND \[ARGS\]\.\.\.\n/);
  }
});

Deno.test("a usage error shows the right usage and where to read more", async () => {
  const { code, stdout, stderr } = await runMain(["work", "results"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.equal(
    stderr,
    `Usage: receptorctl work results [OPTIONS] UNIT_ID
Try 'receptorctl work results --help' for help.

ERROR: Missing argument 'UNIT_ID'.
`,
  );
  assert.match(
    (await runMain(["work", "nope"])).stderr,
    /^Usage: receptorctl work \[OPTIONS\] COMMAND .*\nTry 'receptorctl work --help' for help\.\n\n/,
  );
  for (const [path, spec] of specs(receptorctl)) {
    const result = await runMain([...path.slice(1), "--xyzzy"]);
    assert.equal(result.code, 1);
    assert.equal(
      result.stderr,
      `${renderUsage({ path, spec })}ERROR: No such option: --xyzzy\n`,
    );
  }
});

Deno.test("every command of the table loads", async () => {
  for (const [path, spec] of specs(receptorctl)) {
    if (spec.kind === "command") assert.equal(typeof await spec.load(), "function", path.join(" "));
  }
});
