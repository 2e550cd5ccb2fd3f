/** Bugs in a running daemon, each in its own process: what is reported, and what goes on. */
import assert from "node:assert/strict";
import { ControlSession } from "../support/control_session.ts";
import { Program } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";

const CRASHING = import.meta.resolve("./_crashing_program.ts");
const MAIN = import.meta.resolve("../../main.ts");

function deno(url: string, args: readonly string[]): Program {
  const path = new URL(url).pathname;
  return Program.start([Deno.execPath(), "run", "-A", "--no-check", path, ...args]);
}

function nodeArguments(folder: TempFolder): string[] {
  return [
    ...["--node", "id=foo", `datadir=${folder.join("data")}`],
    ...["--control-service", `filename=${folder.join("socket")}`],
    "--local-only",
  ];
}

for (
  const place of [
    "timer",
    "immediate",
    "microtask",
    "rejection",
    "signal listener",
    "abort listener",
    "datagram handler",
  ]
) {
  Deno.test(`a node survives a bug in a ${place}, and logs it with its stack`, async () => {
    await using folder = await TempFolder.create();
    await using program = deno(CRASHING, [place, ...nodeArguments(folder)]);
    const [line] = await program.waitForOutput(/^.*Unexpected error.*$/m);
    assert.match(
      line,
      new RegExp(`^ERROR .* Unexpected error, please report it: a bug in ${place}`),
    );
    assert.match(line, /"stack":".*_crashing_program\.ts:\d+.*its cause/);
    await program.waitForOutput(/Initialization complete/);
    {
      await using session = await ControlSession.open({ path: folder.join("socket") });
      assert.equal((await session.json("status")).NodeID, "foo");
    }
    await program.stop();
    assert.equal((await program.exited).code, 0);
  });
}

Deno.test("a start that fails unexpectedly is reported with its stack and exits with 1", async () => {
  await using folder = await TempFolder.create();
  await using program = deno(CRASHING, ["start", ...nodeArguments(folder)]);
  assert.equal((await program.exited).code, 1);
  assert.match(program.output, /^ERROR .* Unexpected error, .*: a bug in start \{"stack":/);
});

Deno.test("a stop that fails is reported with its stack and exits with 1", async () => {
  await using folder = await TempFolder.create();
  await using program = deno(CRASHING, ["stop", ...nodeArguments(folder)]);
  await program.waitForOutput(/Initialization complete/);
  await program.stop();
  assert.equal((await program.exited).code, 1);
  assert.match(program.output, /ERROR .* Unexpected error, .*: a bug in stop \{"stack":/);
});

for (
  const [mistake, args, said] of [
    [
      "a work type that remote units have",
      ["--work-command", "worktype=remote", "command=cat"],
      "argument 3: work-command: worktype: work type remote already registered",
    ],
    [
      "an id that is too long",
      ["--node", `id=${"x".repeat(256)}`],
      "argument 3: node: id: expected a node id of at most 255 bytes",
    ],
    [
      "a data folder that cannot be",
      ["--node", "id=foo", "datadir=/dev/null/data"],
      "argument 2: node: Not a directory",
    ],
  ] as const
) {
  Deno.test(`${mistake} is a configuration error with its place, and exits 1`, async () => {
    await using program = deno(MAIN, ["--local-only", ...args]);
    assert.equal((await program.exited).code, 1);
    assert.ok(program.output.includes(`Error: ${said}`), program.output);
    assert.ok(!program.output.includes("Unexpected"), program.output);
  });
}
