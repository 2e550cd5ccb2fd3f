import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidConfigError } from "../../lib/config/config_error.ts";
import { tcpListener, tcpPeer } from "../../lib/config/actions/backends.ts";
import { controlService } from "../../lib/config/actions/control_service.ts";
import { logLevel, node } from "../../lib/config/actions/general.ts";
import { workCommand } from "../../lib/config/actions/workers.ts";
import { configOfMap, configOfYaml, errorsOf } from "./support.ts";

Deno.test("an action is a word, a null, a bare value or a map", async () => {
  const config = await configOfYaml(`\
---
- node: foo
- local-only
- trace:
- log-level: info
- tcp-listener: 7323 # a number as bare value, which the original refuses
- control-service: {}
- tcp-peer:
    Address: localhost:7323   # names in any case
...
`);
  assert.deepEqual(config.actions.map(({ action }) => action.name), [
    "node",
    "local-only",
    "trace",
    "log-level",
    "tcp-listener",
    "control-service",
    "tcp-peer",
  ]);
  assert.equal(config.nodeId, "foo");
  assert.equal(config.find(logLevel)?.values.level, "Info");
  assert.equal(config.find(tcpListener)?.values.port, 7323);
  assert.equal(config.find(controlService)?.values.service, "control");
  assert.deepEqual(config.find(tcpPeer)?.position, {
    kind: "file",
    source: "receptor.yml",
    line: 8,
    column: 3,
  });
});

Deno.test("every form that AWX writes parses", async () => {
  const config = await configOfYaml(
    `\
- {local-only: null}
- {log-level: info}
- node: {firewallrules: [{action: reject, tonode: awx_1, toservice: control}]}
- control-service: {service: control, filename: /var/run/receptor/receptor.sock, permissions: '0660'}
- work-command: {worktype: local, command: ansible-runner, params: worker, allowruntimeparams: true}
- work-signing: {privatekey: /etc/receptor/work_private_key.pem, tokenexpiration: 1m}
- work-kubernetes: {worktype: kubernetes-runtime-auth, authmethod: runtime, allowruntimeauth: true, allowruntimepod: true, allowruntimeparams: true}
- work-kubernetes: {worktype: kubernetes-incluster-auth, authmethod: incluster, allowruntimeauth: true, allowruntimepod: true, allowruntimeparams: true}
- tls-client: {name: tlsclient, rootcas: /ca.crt, cert: /c.crt, key: /c.key, mintls13: false}
- tcp-peer: {address: 'host:27199', tls: tlsclient}
- ws-peer: {address: 'wss://host:27199', tls: tlsclient}
- tls-server: {name: tlsserver, cert: /s.crt, key: /s.key, clientcas: /ca.crt, requireclientcert: true, mintls13: false}
- tcp-listener: {port: 27199, tls: tlsserver}
- ws-listener: {port: 27200, tls: tlsserver}
- work-verification: {publickey: /etc/receptor/work_public_key.pem}
- work-command: {worktype: ansible-runner, command: ansible-runner, params: worker, allowruntimeparams: True, verifysignature: true}
`,
    "awx_1",
  );
  assert.deepEqual(config.warnings, []);
  assert.equal(config.actions.length, 16);
  assert.equal(config.nodeId, "awx_1");
  assert.deepEqual(config.find(node)?.values.firewallrules, [
    { action: "reject", tonode: "awx_1", toservice: "control" },
  ]);
  assert.deepEqual(config.find(controlService)?.values, {
    service: "control",
    filename: "/var/run/receptor/receptor.sock",
    permissions: 0o660,
    tls: undefined,
    tcplisten: undefined,
    tcptls: undefined,
  });
  assert.deepEqual(config.find(workCommand)?.values, {
    worktype: "local",
    command: "ansible-runner",
    params: "worker",
    allowruntimeparams: true,
    verifysignature: false,
    cancelgrace: 10_000,
  });
});

Deno.test("text stays as written, whatever YAML would make of it", async () => {
  const config = await configOfYaml(`\
- node: {id: 0123, datadir: yes}
- work-command: {worktype: 1.10, command: "a b", params: "-c \\"while read -r l; do echo $l; done\\""}
- work-command:
    worktype: 'null'
    command: true
    params: >-
      folded
      text
`);
  assert.equal(config.nodeId, "0123");
  assert.equal(config.find(node)?.values.datadir, "yes");
  const [first, second] = config.all(workCommand).map(({ values }) => values);
  assert.equal(first?.worktype, "1.10");
  assert.equal(first?.params, '-c "while read -r l; do echo $l; done"');
  assert.equal(second?.worktype, "null");
  assert.equal(second?.command, "true");
  assert.equal(second?.params, "folded text");
});

Deno.test("an anchor can be used again and merged", async () => {
  const config = await configOfYaml(`\
- tcp-peer: &peer {address: 'a:1', redial: no, cost: 2}
- tcp-peer:
    address: b:1
    <<: *peer
- tcp-peer: {<<: [{cost: 3}, *peer], address: 'c:1'}
`);
  assert.deepEqual(
    config.all(tcpPeer).map(({ values: { address, redial, cost } }) => [address, redial, cost]),
    [["a:1", false, 2], ["b:1", false, 2], ["c:1", false, 3]],
  );
  assert.deepEqual(config.warnings, []);
});

Deno.test("an empty file has no actions", async () => {
  for (const yaml of ["", "---\n", "# nothing\n", "null", "[]", "\ufeff"]) {
    assert.deepEqual((await configOfYaml(yaml)).actions, [], JSON.stringify(yaml));
  }
});

Deno.test("errors of a file name line, action, parameter and the nearest right name", async () => {
  const errors = await errorsOf(configOfYaml(`\
- node:
    id: foo bar
    datadirr: /x
- tcp-peer:
    adress: host:1
- tcp-listner: {port: 1}
- tcp-listener:
    port: 70000
    redial: true
- control-service:
    filename:
    permissions: 0888
- log-level: loud
- help
`));
  assert.deepEqual(errors, [
    "receptor.yml:2: node: id: node id can only contain a-z, A-Z, 0-9 or special characters . - _ " +
    "@ : but received: foo bar",
    'receptor.yml:3: node: unknown field name datadirr: did you mean "datadir"?',
    'receptor.yml:5: tcp-peer: unknown field name adress: did you mean "address"?',
    "receptor.yml:4: tcp-peer: required parameter missing: address",
    'receptor.yml:6: unknown config type tcp-listner: did you mean "tcp-listener"?',
    'receptor.yml:8: tcp-listener: port: expected a whole number from 0 to 65535, got "70000"',
    "receptor.yml:9: tcp-listener: unknown field name redial",
    "receptor.yml:11: control-service: filename: expected text, got nothing",
    "receptor.yml:12: control-service: permissions: expected an octal file mode with a " +
    'leading 0, such as 0660, got "0888"',
    "receptor.yml:13: log-level: level: loud is not a valid log level name: expected one of Error, " +
    'Warning, Info, Debug, got "loud"',
    'receptor.yml:14: "help" is only possible on the command line',
  ]);
});

Deno.test("an error has its position as fields", async () => {
  const error = await configOfYaml("- node:\n    id: foo\n    dir: /x\n").catch((error) => error);
  assert(error instanceof InvalidConfigError);
  const { source, line, action, parameter, position } = error.errors[0]!;
  assert.deepEqual([source, line, action, parameter], ["receptor.yml", 3, "node", "dir"]);
  assert.deepEqual(position, { kind: "file", source: "receptor.yml", line: 3, column: 5 });
});

Deno.test("what is allowed once is an error the second time", async () => {
  const errors = await errorsOf(configOfYaml(`\
- node: {id: foo}
- control-service: {filename: /run/a.sock}
- node: {id: bar}
- control-service: {filename: /run/b.sock}
- control-service: {service: other, filename: /run/a.sock}
- control-service: {service: ''}
- control-service: {service: ''}
- work-command: {worktype: w, command: x}
- work-kubernetes: {worktype: w}
- tcp-client: {service: other, address: 'x:1'}
- log-level: info
- log-level: debug
`));
  assert.deepEqual(errors, [
    'receptor.yml:3: node: only one "node" is allowed, the first is at receptor.yml:1',
    "receptor.yml:4: control-service: service control already registered: it is at receptor.yml:2",
    "receptor.yml:5: control-service: socket file /run/a.sock already registered: it is at receptor.yml:2",
    "receptor.yml:9: work-kubernetes: work type w already registered: it is at receptor.yml:8",
    "receptor.yml:10: tcp-client: service other already registered: it is at receptor.yml:5",
    'receptor.yml:12: log-level: only one "log-level" is allowed, the first is at receptor.yml:11',
  ]);
});

Deno.test("a file of another form says what was expected", async () => {
  const table: [string, string[]][] = [
    ["version: 2\nnode: {id: foo}", [
      "receptor.yml:1: expected a list of actions (- node: …), got a map, which is for " +
      "version 2: add --config-v2",
    ]],
    ["just words", ["receptor.yml:1: expected a list of actions (- node: …)"]],
    ["- tcp-peer:\n  address: x:1\n", [
      "receptor.yml:2: tcp-peer: only one action is allowed in an item of the list: " +
      "indent the parameters of tcp-peer further, or start a new item",
    ]],
    ["- node: foo\n  local-only:\n", [
      "receptor.yml:2: node: only one action is allowed in an item of the list: start a new item",
    ]],
    ["- [node]\n- {}\n- ~\n- tcp-peer: [a]\n- node: {[a]: b}\n", [
      "receptor.yml:1: expected an action, such as local-only or tcp-peer: {address: …}",
      "receptor.yml:2: expected an action, got an empty map",
      "receptor.yml:3: expected an action, such as local-only or tcp-peer: {address: …}",
      "receptor.yml:4: tcp-peer: expected parameters (a map), got a list",
      "receptor.yml:5: expected a name",
    ]],
    ["- tcp-peer:\n- address: x:1\n", [
      "receptor.yml:1: tcp-peer: required parameter missing: address",
      "receptor.yml:2: unknown config type address: it is a parameter of tcp-peer, write it below " +
      "tcp-peer: in the same item",
    ]],
    ["- a: *b", ['receptor.yml:1: error loading config file: yaml: unknown anchor "b"']],
    ["- &a [*a]", ['receptor.yml:1: error loading config file: yaml: unknown anchor "a"']],
    ["- a: {<<: b}", [
      "receptor.yml:1: error loading config file: yaml: a merge key takes a map or a list of maps",
    ]],
    ["- a\r\n- b: [c\r\n- d", [
      "receptor.yml:3: error loading config file: yaml: deficient indentation: indent what is in " +
      "brackets further than the line that they begin on",
    ]],
  ];
  for (const [yaml, errors] of table) {
    assert.deepEqual(await errorsOf(configOfYaml(yaml)), errors, yaml);
  }
});

Deno.test("a tab where spaces belong is named, with its line", async () => {
  const files = [
    "- node:\n\tid: a\n- trace\n",
    "- trace\n- node:\n  id: a\n \tdatadir: /x\n",
    "- node:\t{id: a}\n",
  ];
  const lines = [2, 4, 1];
  for (const [at, yaml] of files.entries()) {
    assert.deepEqual(await errorsOf(configOfYaml(yaml)), [
      `receptor.yml:${lines[at]}: error loading config file: yaml: found character that cannot ` +
      "start any token: a tab, where YAML requires spaces",
    ], yaml);
  }
});

Deno.test("a second YAML document is not read, with a warning", async () => {
  const config = await configOfYaml("- node: foo\n---\n- node: bar\n");
  assert.equal(config.nodeId, "foo");
  assert.deepEqual(config.warnings, [
    "receptor.yml:3: only the first YAML document of a file is read",
  ]);
});

Deno.test("of a repeated key the last value counts, with a warning", async () => {
  const config = await configOfYaml("- tcp-peer: {address: 'a:1', Address: 'b:1'}\n");
  assert.equal(config.find(tcpPeer)?.values.address, "b:1");
  assert.equal(config.warnings.length, 1);
});

Deno.test("a file cannot make the reader hang or run out of memory", async () => {
  // Each level refers to the previous one ten times: 10^50 values, if they were all built.
  let bomb = "- tcp-peer:\n    address: x\n    allowedpeers: [&a0 [x]";
  for (let i = 1; i < 50; i++) bomb += `, &a${i} [${`*a${i - 1},`.repeat(10)}]`;
  assert.match((await errorsOf(configOfYaml(`${bomb}]`))).join(), /expected a list of strings/);
  assert.match(
    (await errorsOf(configOfYaml("[".repeat(100_000)))).join(),
    /error loading config file: yaml: /,
  );
});

Deno.test("any text is either a configuration or a list of errors", async () => {
  const words = fc.constantFrom(
    ..."- \n:{}[]&*a|>'\"#%@!?,<~0~/".split(""),
    "\n  ",
    "\n- ",
    "node",
    "tcp-peer: ",
    "tcp-peers: ",
    "firewallrules",
    "<<: ",
    "*a",
    "&a ",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(words, { maxLength: 40 }), async (parts) => {
      for (const read of [configOfYaml, configOfMap]) {
        await read(parts.join("")).catch((error) => {
          assert(error instanceof InvalidConfigError, String(error));
        });
      }
    }),
    { numRuns: 2000 },
  );
});
