/** The map form of a configuration: what means the same as a list, and what is refused. */
import assert from "node:assert/strict";
import type { ActionSpec, ParameterSpec } from "../../lib/config/action.ts";
import { actionsByMapKey, actionTable } from "../../lib/config/action_table.ts";
import { version } from "../../lib/config/actions/general.ts";
import type { Config } from "../../lib/config/config.ts";
import { loadCommand } from "../../lib/config/load_config.ts";
import { describePosition } from "../../lib/config/position.ts";
import { configOfMap, configOfYaml, errorsOf, hostWith } from "./support.ts";

/** A value that a parameter takes, as YAML, by the label of its type. */
const EXAMPLES: Record<string, string> = {
  "string": "abc",
  "filename": "/x/abc",
  "host:port": "'host:1'",
  "CIDR": "10.9.0.0/30",
  "CIDR,CIDR": "'10.1.0.0/16,fd00::/64'",
  "int": "1024",
  "float": "2.5",
  "bool": "true",
  "octal mode": "0660",
  "duration": "1h30m",
  "string, may be repeated": "[abc, def]",
  "JSON dict of node id to float": "{bar: 2.5}",
  "JSON dict with string keys": "{bar: 2.5}",
  "JSON list of rules": "[{action: drop, fromnode: bar}]",
};

function example({ type }: ParameterSpec<unknown>): string {
  const value = EXAMPLES[type.label] ?? (type.candidates as string[] | undefined)?.[0];
  assert(value !== undefined, `no example of a ${type.label}`);
  return value;
}

/** Every parameter of an action, as a YAML map on one line. */
function everything({ parameters }: ActionSpec): string {
  const written = Object.entries(parameters).map(([name, spec]) => `${name}: ${example(spec)}`);
  return `{${written.join(", ")}}`;
}

function meanings({ actions }: Config) {
  return actions.map(({ action, values }) => ({ name: action.name, values }));
}

const KEYS = [...actionsByMapKey];

Deno.test("every action has a key in a map", () => {
  const reachable = new Set(KEYS.map(([, { action }]) => action));
  assert.deepEqual(actionTable.filter((action) => !reachable.has(action)), [version]);
});

for (const [key, { action, several }] of KEYS) {
  Deno.test(`in a map, ${key} means what ${action.name} means in a list`, async () => {
    const value = everything(action);
    // Work types that require signatures need this.
    const more = action.name === "work-verification" ? "" : "work-verification: {publickey: k}\n";
    const list = await configOfYaml(
      `- ${action.name}: ${value}\n${more === "" ? "" : `- ${more}`}`,
    ).catch(async (error) => {
      // Alone in a list.
      if (!action.exclusive) throw error;
      return await configOfYaml(`- ${action.name}: ${value}\n`);
    });
    const inMap = several ? `${key}:\n  - ${value}\n` : `${key}: ${value}\n`;
    const map = await configOfMap(inMap + (action.exclusive ? "" : more));
    assert.deepEqual(meanings(map), meanings(list));
    assert.equal(map.nodeId, list.nodeId);
    assert.equal(describePosition(map.actions[0]!.position), `receptor.yaml:${several ? 2 : 1}`);
  });
}

Deno.test("a map may say its version, and write its keys in any case", async () => {
  const config = await configOfMap(`\
version: 2
Node: {ID: foo}
TCP-Peers:
  - address: a:1
  - {address: 'b:1', redial: false}
`);
  assert.deepEqual(
    meanings(config),
    meanings(
      await configOfYaml(`\
- node: {id: foo}
- tcp-peer: {address: 'a:1'}
- tcp-peer: {address: 'b:1', redial: false}
`),
    ),
  );
  assert.deepEqual(config.warnings, []);
  assert.deepEqual((await configOfMap("version: 1\nlocal-only:\n")).warnings, [
    "receptor.yaml:1: version: has no effect, a configuration in this form is version 2",
  ]);
});

Deno.test("in a map, short forms are possible as in a list", async () => {
  const config = await configOfMap(`\
node: foo
log-level: debug
local-only:
trace: true
tcp-peers: [a:1, {address: 'b:1'}]
tcp-listeners: {port: 7}
udp-peers:
ws-peers: []
`);
  assert.deepEqual(
    meanings(config),
    meanings(
      await configOfYaml(`\
- node: foo
- log-level: debug
- local-only
- trace
- tcp-peer: a:1
- tcp-peer: b:1
- tcp-listener: 7
`),
    ),
  );
  const off = await configOfMap("node: foo\ntrace: false\nlocal-only: false\n");
  assert.deepEqual(off.actions.map(({ action }) => action.name), ["node"]);
});

Deno.test("certificates may be made before the node starts that uses them", async () => {
  const config = await configOfMap(`\
node: foo
cert-init: {commonname: ca, bits: 2048, outcert: ca.crt, outkey: ca.key}
cert-makereqs: [{commonname: foo, outreq: foo.req, outkey: foo.key}]
`);
  assert.equal(config.actions.length, 3);
  assert.equal(config.nodeId, "foo");
});

Deno.test("mistakes in a map name line, action, parameter and the nearest right name", async () => {
  const errors = await errorsOf(configOfMap(`\
node:
id: foo
tcp-peer:
  address: x:1
tcp-peers:
  - adress: x:1
  - address: x:1
    cost: cheap
  - ~
  - [a]
TCP-PEERS: []
log-level: [info]
nonsense: 1
? [a]
: b
`));
  assert.deepEqual(errors, [
    "receptor.yaml:2: unknown config type id: it is a parameter of node, indent it further",
    'receptor.yaml:3: unknown config type tcp-peer: did you mean "tcp-peers"?',
    "receptor.yaml:10: tcp-peer: expected parameters (a map), got a list",
    'receptor.yaml:11: "TCP-PEERS" is given more than once, the first is at receptor.yaml:5',
    "receptor.yaml:12: log-level: expected parameters (a map), got a list",
    "receptor.yaml:13: unknown config type nonsense",
    "receptor.yaml:14: expected a name",
  ]);
  assert.deepEqual(
    await errorsOf(configOfMap(`\
tcp-peers:
  - adress: x:1
  - address: x:1
    cost: cheap
  - ~
`)),
    [
      'receptor.yaml:2: tcp-peer: unknown field name adress: did you mean "address"?',
      "receptor.yaml:2: tcp-peer: required parameter missing: address",
      'receptor.yaml:4: tcp-peer: cost: expected a number above 0, got "cheap"',
      "receptor.yaml:5: tcp-peer: required parameter missing: address",
    ],
  );
});

Deno.test("each form says which option the other one needs", async () => {
  assert.deepEqual(await errorsOf(configOfMap("- node: foo\n")), [
    "receptor.yaml:1: expected a map of actions (node: …), got a list, which is for version 1: " +
    "leave out --config-v2",
  ]);
  assert.deepEqual(await errorsOf(configOfYaml("version: 2\nnode: {id: foo}\n")), [
    "receptor.yml:1: expected a list of actions (- node: …), got a map, which is for version 2: " +
    "add --config-v2",
  ]);
  assert.deepEqual(await errorsOf(configOfMap("words\n")), [
    "receptor.yaml:1: expected a map of actions (node: …)",
  ]);
});

Deno.test("without --config, the map is receptor.yaml in the home folder", async () => {
  const host = hostWith({ "/home/me/receptor.yaml": "node: foo\nlocal-only:\n" });
  const command = await loadCommand(["--config-v2"], host);
  assert.equal(command.kind, "run");
  assert.equal(command.config.nodeId, "foo");
  assert.deepEqual([...command.watched.keys()], ["/home/me/receptor.yaml"]);

  for (const home of ["/home/me", ""]) {
    assert.deepEqual(await errorsOf(loadCommand(["--config-v2"], hostWith({}, "host", home))), [
      "Could not locate config file (default is $HOME/receptor.yaml): name one with --config",
    ]);
  }
});

Deno.test("only files in the form of a map are watched", async () => {
  const files = { "list.yml": "- node: foo\n", "map.yaml": "node: foo\n" };
  const list = await loadCommand(["--config", "list.yml"], hostWith(files));
  const map = await loadCommand(["--config", "map.yaml", "--config-v2"], hostWith(files));
  assert(list.kind === "run" && map.kind === "run");
  assert.deepEqual([...list.watched], []);
  assert.deepEqual([...map.watched], [["map.yaml", "node: foo\n"]]);
});

Deno.test("--version beside --config-v2 is all that is asked for", async () => {
  for (const args of [["--version"], ["--version", "--config", "none"]]) {
    assert.deepEqual(await loadCommand(["--config-v2", ...args], hostWith({})), {
      kind: "version",
    });
  }
});
