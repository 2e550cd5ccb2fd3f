import assert from "node:assert/strict";
import { logLevel, node } from "../../lib/config/actions/general.ts";
import { tcpListener, tcpPeer } from "../../lib/config/actions/backends.ts";
import { DEFAULT_CONFIG_PATH, loadCommand } from "../../lib/config/load_config.ts";
import { configOfArguments, errorsOf, hostWith } from "./support.ts";

Deno.test("every spelling of the documented command line means the same", async () => {
  const spellings = [
    "--node id=foo --local-only --log-level Debug",
    "--node id=foo --local-only --log-level level=Debug",
    "--node id=foo --local-only --log-level=Debug",
    // In the original's documentation of 2021.
    "--node id=foo --local-only -- log-level Debug",
    "--node id=foo --local-only -- --log-level Debug",
    "-- --node id=foo --local-only --log-level debug --",
    "--node foo --local-only --log-level DEBUG",
    "-node id=foo -local-only -log-level debug",
    "--Node ID=foo --Local-Only --Log-Level LEVEL=debug",
    "--node=id=foo --local-only --log-level=level=Debug",
  ];
  for (const spelling of spellings) {
    const config = await configOfArguments(spelling.split(" "));
    assert.deepEqual(
      config.actions.map(({ action }) => action.name),
      ["node", "local-only", "log-level"],
      spelling,
    );
    assert.equal(config.nodeId, "foo", spelling);
    assert.equal(config.find(logLevel)?.values.level, "Debug", spelling);
  }
});

Deno.test("a bare --log-level means Error, as in the original", async () => {
  const config = await configOfArguments(["--node", "id=foo", "--log-level"]);
  assert.equal(config.find(logLevel)?.values.level, "Error");
});

Deno.test("a repeated list parameter adds up and takes JSON", async () => {
  const config = await configOfArguments([
    "--tcp-listener",
    "7323",
    "allowedpeers=a",
    'allowedpeers=["b","c=d"]',
    'nodecost={"a": 1.5, "b": 2}',
    "bindaddr=::1",
  ]);
  const { values, position } = config.find(tcpListener)!;
  assert.deepEqual(values, {
    port: 7323,
    bindaddr: "::1",
    allowedpeers: ["a", "b", "c=d"],
    nodecost: { a: 1.5, b: 2 },
    cost: 1,
    tls: undefined,
    verifynodeid: false,
  });
  assert.deepEqual(position, { kind: "argument", index: 1 });
  assert.deepEqual(config.warnings, []);
});

Deno.test("of any other repeated parameter the last value counts, with a warning", async () => {
  const config = await configOfArguments(["--tcp-peer", "address=a:1", "address=b:2"]);
  assert.equal(config.find(tcpPeer)?.values.address, "b:2");
  assert.deepEqual(config.warnings, [
    'argument 3: tcp-peer: parameter "address" is given more than once: the last one counts',
  ]);
});

Deno.test("--config puts the file's actions in its place, as often as it is given", async () => {
  const host = hostWith({
    "a.yml": "- tcp-peer: {address: 'a:1'}",
    "b.yml": "- tcp-peer: {address: 'b:1'}",
  });
  for (const args of [["-c", "a.yml", "--config", "b.yml"], ["--config=a.yml", "-c=b.yml"]]) {
    const config = await configOfArguments(
      ["--tcp-peer", "x:1", ...args, "--tcp-peer", "y:1"],
      host,
    );
    assert.deepEqual(
      config.all(tcpPeer).map(({ values }) => values.address),
      ["x:1", "a:1", "b:1", "y:1"],
    );
  }
});

Deno.test("help, completion and version are commands of their own", async () => {
  const host = hostWith({});
  const table: [string[], string][] = [
    [["--help"], "help"],
    [["-h"], "help"],
    [["--node", "--bogus", "--HELP"], "help"],
    [["--bash-completion"], "bash-completion"],
    [["--version"], "version"],
    [[], "help"],
  ];
  for (const [args, kind] of table) assert.equal((await loadCommand(args, host)).kind, kind);
});

Deno.test("without arguments the default file is read if it is there", async () => {
  const host = hostWith({ [DEFAULT_CONFIG_PATH]: "- node: {id: foo}\n- local-only: null" });
  const config = await configOfArguments([], host);
  assert.equal(config.nodeId, "foo");
  assert.deepEqual(config.find(node)?.position, {
    kind: "file",
    source: DEFAULT_CONFIG_PATH,
    line: 1,
    column: 3,
  });
});

Deno.test("a default file that cannot be read is an error, not help", async () => {
  const host = {
    readFile: () => Promise.reject(new Deno.errors.PermissionDenied("no")),
    hostname: () => "host",
    home: () => undefined,
  };
  assert.deepEqual(await errorsOf(loadCommand([], host)), [
    `error loading config file: open ${DEFAULT_CONFIG_PATH}: permission denied`,
  ]);
});

Deno.test("errors of the command line name the argument, all at once", async () => {
  const errors = await errorsOf(configOfArguments([
    "--nod",
    "id=foo",
    "--tcp-peer",
    "adress=x:1",
    "cost=cheap",
    "--local-only",
    "yes",
    "--work-command",
    "worktype=echo",
    "bash",
  ]));
  assert.deepEqual(errors, [
    'argument 1: unknown config type nod: did you mean "node"?',
    'argument 4: tcp-peer: unknown field name adress: did you mean "address"?',
    'argument 5: tcp-peer: cost: expected a number above 0, got "cheap"',
    "argument 3: tcp-peer: required parameter missing: address",
    "argument 7: local-only: command does not allow bare values: write name=value, with one of the " +
    "names local",
    "argument 10: work-command: command does not allow bare values: write name=value, with one of " +
    "the names worktype, command, params, allowruntimeparams, verifysignature, cancelgrace",
    "argument 8: work-command: required parameter missing: command",
  ]);
});

Deno.test("arguments that belong to no action are errors", async () => {
  const table: [string[], string[]][] = [
    [["id=secret"], [
      'argument 1: parameter specified before command: "id" (actions start with --, see --help)',
    ]],
    [[""], [
      'argument 1: parameter specified before command: "" (actions start with --, see --help)',
    ]],
    [["--node", "--config"], ["argument 2: --config needs the name of a file"]],
    [["-c", "--node"], ["argument 1: --config needs the name of a file"]],
    [["-"], ["argument 1: unknown config type "]],
    [["--config-v2", "x"], [
      "argument 2: --config-v2 takes no value: name the file with --config",
    ]],
    [["--config-v2=x"], ["argument 1: --config-v2 takes no value: name the file with --config"]],
    [["--config", "none.yml"], [
      "argument 2: error loading config file: open none.yml: no such file or directory",
    ]],
    [["--version", "--node", "id=foo"], [
      "argument 1: version: cannot be combined with other actions",
    ]],
    [["--tcp-peer", "x:1", "--cost", "2"], [
      "argument 3: unknown config type cost: it is a parameter of tcp-peer, write it as name=value, " +
      "cost=…",
    ]],
    [["--constructor"], ["argument 1: unknown config type constructor"]],
    [["--node", "constructor=x"], ["argument 2: node: unknown field name constructor"]],
  ];
  for (const [args, errors] of table) {
    assert.deepEqual(await errorsOf(configOfArguments(args)), errors, args.join(" "));
  }
});

Deno.test("no error shows the value of a secret parameter", async () => {
  const errors = await errorsOf(configOfArguments([
    "--ws-peer",
    "address=wss://x",
    "extraheader=Authorization: hunter2",
    "extraheder=Authorization: hunter2",
    "cost=0",
  ]));
  assert.equal(errors.length, 2);
  assert.doesNotMatch(errors.join(), /hunter2/);
});
