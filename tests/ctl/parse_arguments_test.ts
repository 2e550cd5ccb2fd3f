import assert from "node:assert/strict";
import { command, group } from "../../lib/ctl/command_spec.ts";
import {
  argument,
  boolean,
  flag,
  float,
  integer,
  restArguments,
  text,
  texts,
} from "../../lib/ctl/options.ts";
import { parseArguments } from "../../lib/ctl/parse_arguments.ts";

const never = () => Promise.reject(new Error("not to be loaded"));
const root = group({
  name: "prog",
  help: "",
  options: {
    socket: text("--socket", "", { env: "PROG_SOCKET" }),
    insecure: boolean("--insecure", ""),
  },
  commands: [
    command({
      name: "run",
      help: "",
      options: {
        quiet: flag("--quiet", "", { short: "-q" }),
        follow: flag("--follow", "", { short: "-f" }),
        param: texts("--param", "", { short: "-a" }),
        count: integer("--count", 4, ""),
        delay: float("--delay", 1, ""),
      },
      arguments: { first: argument("FIRST"), rest: restArguments("REST") },
      load: never,
    }),
    command({ name: "one", help: "", arguments: { node: argument("NODE") }, load: never }),
    group({ name: "sub", help: "", options: {}, commands: [] }),
  ],
});

function parse(line: string, env: Record<string, string> = {}) {
  return parseArguments(root, line.split(" ").filter(Boolean), (name) => env[name]);
}

function valuesOf(line: string, env: Record<string, string> = {}) {
  const parsed = parse(line, env);
  if (parsed.kind !== "command") throw new Error(`${parsed.kind}: ${parsed.place.path}`);
  return { ...parsed.global, ...parsed.values };
}

const defaults = {
  socket: "",
  insecure: false,
  quiet: false,
  follow: false,
  param: [],
  count: 4,
  delay: 1,
  rest: [],
};

Deno.test("options may stand anywhere after their command, in every form", () => {
  for (
    const line of [
      "--socket s run -qf -a x=1 -ay=2 --count=7 word more",
      "--socket=s run word -q more --param x=1 --param=y=2 --follow --count 7",
    ]
  ) {
    assert.deepEqual(valuesOf(line), {
      ...defaults,
      socket: "s",
      quiet: true,
      follow: true,
      param: ["x=1", "y=2"],
      count: 7,
      first: "word",
      rest: ["more"],
    });
  }
});

Deno.test("a value is taken as it is, even if it looks like an option", () => {
  assert.deepEqual(valuesOf("run -a -q -- -x --help"), {
    ...defaults,
    param: ["-q"],
    first: "-x",
    rest: ["--help"],
  });
  assert.deepEqual(valuesOf("run - -"), { ...defaults, first: "-", rest: ["-"] });
});

Deno.test("the environment gives what the command line does not", () => {
  assert.equal(valuesOf("run x", { PROG_SOCKET: "e" }).socket, "e");
  assert.equal(valuesOf("--socket s run x", { PROG_SOCKET: "e" }).socket, "s");
  assert.equal(valuesOf("run x", { PROG_SOCKET: "" }).socket, "");
});

Deno.test("help wins over everything that is missing", () => {
  for (
    const [line, path, isAsked] of [
      ["", "prog", false],
      ["--help", "prog", true],
      ["run --help", "prog run", true],
      ["sub", "prog sub", false],
    ] as const
  ) {
    const parsed = parse(line);
    assert.ok(parsed.kind === "help");
    assert.deepEqual([parsed.place.path.join(" "), parsed.isAsked], [path, isAsked]);
  }
});

Deno.test("mistakes are named, with the nearest right name", () => {
  const mistakes: [line: string, message: string, place?: string][] = [
    ["rum", "No such command 'rum'. Did you mean run?", "prog"],
    ["zzzzzz", "No such command 'zzzzzz'."],
    ["run --folow x", "No such option: --folow Did you mean --follow?"],
    ["run -z x", "No such option: -z"],
    ["run", "Missing argument 'FIRST'.", "prog run"],
    ["one a b c", "Got unexpected extra arguments (b c)", "prog one"],
    ["run x --count", "Option '--count' requires an argument."],
    ["run x --count y", "'y' is not a valid integer."],
    ["run x --delay y", "'y' is not a valid float."],
    ["run x --quiet=1", "Option '--quiet' does not take a value."],
    ["--insecure maybe run x", "'maybe' is not a valid boolean.", "prog"],
  ];
  for (const [line, message, place] of mistakes) {
    const parsed = parse(line);
    assert.ok(parsed.kind === "wrong", line);
    assert.equal(parsed.problem.message, message);
    if (place !== undefined) assert.equal(parsed.place.path.join(" "), place);
  }
});
