import assert from "node:assert/strict";
import {
  costsByNode,
  dictionary,
  firewallRules,
  strings,
} from "../../lib/config/composite_types.ts";
import type { RawValue } from "../../lib/config/raw_action.ts";
import {
  bool,
  choice,
  cost,
  duration,
  fileMode,
  hostPort,
  nodeId,
  port,
  serviceName,
  ValueMismatch,
  type ValueType,
} from "../../lib/config/value_type.ts";

/** Checks what a type accepts, and that it refuses the rest. */
function accepts<T>(type: ValueType<T>, right: [RawValue, T][], wrong: RawValue[]) {
  for (const [raw, value] of right) assert.deepEqual(type.read(raw), value, String(raw));
  for (const raw of wrong) assert.throws(() => type.read(raw), ValueMismatch, String(raw));
}

Deno.test("a file mode is octal with a leading 0 and decimal without, as in the original", () => {
  accepts(fileMode, [
    ["0660", 0o660],
    ["0o660", 0o660],
    ["0O600", 0o600],
    ["0", 0],
    ["0777", 0o777],
    // What PyYAML makes of a plain 0660.
    ["432", 0o660],
  ], ["660", "600", "777", "0800", "01777", "-1", "0x1ff", "rw", "", null, []]);
  assert.equal(fileMode.print(0o600), "0600");
  assert.equal(fileMode.print(0o7), "0007");
});

Deno.test("a bool is any of the words of YAML 1.1 and of the original's command line", () => {
  accepts(bool, [
    ...["true", "True", "TRUE", "yes", "Yes", "on", "y", "Y", "t", "1"].map(
      (word): [string, boolean] => [word, true],
    ),
    ...["false", "False", "no", "NO", "off", "N", "f", "0"].map(
      (word): [string, boolean] => [word, false],
    ),
  ], ["maybe", "", "2", null, []]);
});

Deno.test("a port is a whole number that fits 16 bits", () => {
  accepts(port, [["0", 0], ["65535", 65_535], ["2222.0", 2222], ["0x10", 16]], [
    "65536",
    "-1",
    "2222.5",
    "0660",
    "1e3",
    "http",
    "",
    " 1",
    null,
  ]);
});

Deno.test("a cost is a finite number above 0", () => {
  accepts(cost, [["1", 1], ["2.5", 2.5], [".5", 0.5], ["1e3", 1000]], [
    "0",
    "-1",
    "Infinity",
    ".inf",
    "NaN",
    "0x1",
    "1e999",
    "",
    "cheap",
  ]);
  assert.equal(cost.print(1), "1.0");
  assert.equal(cost.print(2.5), "2.5");
});

Deno.test("a duration is in Go's form and in milliseconds", () => {
  accepts(duration(), [["1h30m", 5_400_000], ["300ms", 300], ["0", 0]], ["30", "1d", "", "-1s"]);
  accepts(duration({ leastMs: 21_000 }), [["21s", 21_000]], ["20.9s", "5s"]);
  assert.equal(duration().print(300_000), "5m0s");
  assert.throws(() => duration({ leastMs: 21_000 }).read("5s"), {
    message: "expected a duration such as 30s, 10m or 1h30m, at least 21s",
  });
});

Deno.test("a choice is one of its words in any case", () => {
  accepts(choice("Error", "Debug"), [["DEBUG", "Debug"], ["error", "Error"]], ["trace", ""]);
});

Deno.test("a node id has the original's characters and is not localhost", () => {
  accepts(nodeId, [["a.b-c_d@e:F0", "a.b-c_d@e:F0"]], [
    "",
    "foo bar",
    "a/../b",
    "ä",
    "a\n",
    "localhost",
    "LocalHost",
    null,
  ]);
});

Deno.test("a list of strings is a list, a JSON list or one text", () => {
  accepts(strings, [
    [["a", "b"], ["a", "b"]],
    ['["a", 1]', ["a", "1"]],
    ["a", ["a"]],
    [null, []],
  ], [new Map(), ["a", null], '["a"', "[[]]"]);
});

Deno.test("costs by node are a map or JSON", () => {
  accepts(costsByNode, [
    [new Map([["a", "1"], ["b", "2.5"]]), { a: 1, b: 2.5 }],
    ['{"a": 1, "b": "2"}', { a: 1, b: 2 }],
    [null, {}],
  ], ["a", [], '{"a": 0}', '{"a": {}}', '{"a": 1', new Map([["a", null]])]);
});

Deno.test("firewall rules are what the mesh can read, names in any case", () => {
  accepts(firewallRules, [
    [
      [new Map([["Action", "Accept"], ["FromNode", "/a.*/"], ["toservice", ""]])],
      [{ action: "accept", fromnode: "/a.*/" }],
    ],
    ['[{"action": "drop"}, {"action": "reject", "tonode": "b"}]', [
      { action: "drop" },
      { action: "reject", tonode: "b" },
    ]],
  ], [
    "accept",
    new Map([["action", "accept"]]),
    ["accept"],
    [new Map([["action", "allow"]])],
    [new Map([["tonode", "b"]])],
    [new Map([["action", "accept"], ["to", "b"]])],
    [new Map([["action", "accept"], ["tonode", "/(/"]])],
    [new Map<string, RawValue>([["action", "accept"], ["tonode", ["b"]]])],
  ]);
  const table: [string, string][] = [
    [
      '[{"action": "drop"}, {"action": "drop", "node": "x"}]',
      "expected firewall rule 2 to have only action, fromnode, tonode, fromservice, toservice, " +
      'not "node"',
    ],
    [
      '[{"action": "dorp"}]',
      "expected firewall rule 1 to have one of accept, reject, drop as its action",
    ],
  ];
  for (const [rules, message] of table) {
    assert.throws(() => firewallRules.read(rules), { message });
  }
  assert.throws(() => firewallRules.read('[{"action": "drop", "tonode": "/(/"}]'), {
    message: /^expected valid firewall rules \(firewall rule 1: /,
  });
});

Deno.test("a service name fits its field in a packet", () => {
  accepts(serviceName, [["control", "control"], ["", ""], ["12345678", "12345678"]], [
    "123456789",
    "ääääü",
    null,
  ]);
});

Deno.test("an address has a host and a port", () => {
  accepts(hostPort, [["a.example:1", "a.example:1"], ["[::1]:2222", "[::1]:2222"], [":1", ":1"]], [
    "a.example",
    "a:port",
    "::1:2222",
    "a:99999",
    "",
    null,
  ]);
  assert.throws(() => hostPort.read("a.example"), {
    message: "address a.example: missing port in address: " +
      "expected host:port, or [host]:port for IPv6",
  });
});

Deno.test("a dictionary becomes plain objects and lists", () => {
  const raw = new Map<string, RawValue>([["a", [new Map([["b", "c"]]), null]]]);
  accepts(dictionary, [
    [raw, { a: [{ b: "c" }, null] }],
    ['{"a": {"b": 1}}', { a: { b: "1" } }],
    [null, {}],
  ], ["a", [], '{"a"']);
});
