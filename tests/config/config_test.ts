import assert from "node:assert/strict";
import type { ConfigOf } from "../../lib/config/action.ts";
import { tcpListener, type tcpPeer } from "../../lib/config/actions/backends.ts";
import { controlService } from "../../lib/config/actions/control_service.ts";
import { node } from "../../lib/config/actions/general.ts";
import { ipRouter } from "../../lib/config/actions/services.ts";
import { tlsClient } from "../../lib/config/actions/tls.ts";
import { refuseRetired, sameAction } from "../../lib/config/config.ts";
import { configOfArguments, configOfYaml, errorsOf, hostWith } from "./support.ts";

Deno.test("the type of an action's values comes from its declaration", () => {
  const values: ConfigOf<typeof tcpPeer> = {
    address: "localhost:1",
    redial: true,
    tls: undefined,
    cost: 1,
    verifynodeid: false,
    allowedpeers: undefined,
  };
  const cost: number = values.cost;
  const allowed: readonly string[] | undefined = values.allowedpeers;
  // @ts-expect-error an optional value may be absent
  const tls: string = values.tls;
  assert.deepEqual([cost, allowed, tls], [1, undefined, undefined]);
});

Deno.test("the node id is the host name if none is given", async () => {
  for (const args of [["--local-only"], ["--node", "--local-only"], ["--node", "id=", "--trace"]]) {
    const config = await configOfArguments(args, hostWith({}, "host.example"));
    assert.equal(config.nodeId, "host.example");
  }
});

Deno.test("a host name that identifies nothing is refused as a node id", async () => {
  const advice = "choose an id with --node id=NAME, or node: {id: NAME} in a file";
  for (const name of ["localhost", "LOCALHOST", "localhost.localdomain"]) {
    assert.deepEqual(
      await errorsOf(configOfArguments(["--local-only"], hostWith({}, name))),
      [`node: no node ID specified and local host name is ${name}: ${advice}`],
    );
  }
  assert.deepEqual(
    await errorsOf(configOfYaml("- trace\n- node:\n    datadir: /x\n", "my host")),
    [
      "receptor.yml:2: node: no node ID specified and local host name is my host, which cannot be " +
      `one: ${advice}`,
    ],
  );
});

Deno.test("actions that mean the same are the same, however they are written", async () => {
  const config = await configOfYaml(`\
- tcp-listener: {port: 1, nodecost: {a: 1, b: 2}, allowedpeers: [x, y], tls: ''}
- tcp-listener: {allowedpeers: '["x", "y"]', cost: 1.0, NodeCost: {b: 2.0, a: '1'}, port: '1'}
- tcp-listener: {port: 1, nodecost: {a: 1, b: 2}, allowedpeers: [y, x]}
- tcp-listener: {port: 1, nodecost: {a: 1, b: 2, c: 3}, allowedpeers: [x, y]}
- tcp-listener: {port: 1, nodecost: {a: 1, b: 2}, allowedpeers: [x, y, z]}
- udp-listener: {port: 1, nodecost: {a: 1, b: 2}, allowedpeers: [x, y]}
`);
  const [first, ...others] = config.actions;
  assert.deepEqual(others.map((other) => sameAction(first!, other)), [
    true,
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("an empty value counts as absent, except where it turns a default off", async () => {
  const config = await configOfYaml(`\
- node: {id: '', datadir: /x, firewallrules: [], maxidleconnectiontimeout: ''}
- tcp-listener: {port: 1, nodecost: {}, allowedpeers: [], tls: ''}
- tcp-listener: {port: 2, nodecost: ~, allowedpeers: ~}
- tcp-listener: {port: 3, allowedpeers: ''}
- control-service: {service: '', filename: ''}
`);
  const listeners = config.all(tcpListener).map(({ values }) => values);
  assert.deepEqual(config.find(node)?.values.firewallrules, undefined);
  assert.deepEqual(listeners.map(({ nodecost }) => nodecost), [undefined, undefined, undefined]);
  // Like the original, this lets nobody in if the only peer has an empty name.
  assert.deepEqual(listeners.map(({ allowedpeers }) => allowedpeers), [undefined, undefined, [""]]);
  assert.equal(config.find(controlService)?.values.service, "");
  assert.equal(config.find(controlService)?.values.filename, undefined);
});

Deno.test("an empty data folder is refused, not taken for the root of the file system", async () => {
  assert.deepEqual(await errorsOf(configOfYaml("- node: {id: x, datadir: ''}\n")), [
    'receptor.yml:1: node: datadir: baseDir must be provided: expected a folder, got ""',
  ]);
});

Deno.test("a TLS client without a certificate says so", async () => {
  const config = await configOfYaml("- node: x\n- tls-client: {name: t, cert: '', key: ''}\n");
  assert.deepEqual(config.find(tlsClient)?.values.cert, "");
  assert.deepEqual(await errorsOf(configOfYaml("- node: x\n- tls-client: {name: t, cert: ''}\n")), [
    "receptor.yml:2: tls-client: required parameter missing: key",
  ]);
});

Deno.test("the networks of an IP router are read as the original reads them", async () => {
  const config = await configOfYaml(`\
- node: {id: foo}
- ip-router: {networkname: net, localnet: 10.9.0.6/30, routes: "10.1.2.3/16, fd00::1/64,10.1.0.0/16"}
`);
  const { localnet, routes, interface: name } = config.find(ipRouter)!.values;
  assert.equal(String(localnet), "10.9.0.4/30");
  assert.deepEqual(routes!.map(String), ["10.1.0.0/16", "fd00::/64"]);
  assert.equal(name, undefined);
});

Deno.test("what is wrong with an IP router is said, in the original's words", async () => {
  const router = (parameters: string) =>
    errorsOf(configOfYaml(`- node: x\n- ip-router: {networkname: net, ${parameters}}\n`));
  const place = "receptor.yml:2: ip-router: ";
  for (
    const [parameters, message] of [
      ["localnet: 10.9.0.0", "localnet: could not parse 10.9.0.0 as a CIDR address"],
      ["localnet: 10.9.0.0/29", "localnet: local network 10.9.0.0/29 must be a /30 CIDR"],
      ["localnet: 'fd00::/30'", "localnet: local network fd00::/30 must be IPv4"],
      [
        "localnet: 10.9.0.0/30, routes: '10.0.0.0/8,,'",
        "routes: could not parse  as a CIDR address",
      ],
      [
        "localnet: 10.9.0.0/30, interface: a/b",
        "interface: expected the name of a network interface, 1 to 15 characters without / : %, " +
        'got "a/b"',
      ],
    ]
  ) {
    assert.deepEqual(await router(parameters!), [place + message]);
  }
});

Deno.test("two IP routers cannot have one interface or local network", async () => {
  const router = (name: string) =>
    `- ip-router: {networkname: ${name}, interface: tun7, localnet: 10.9.0.0/30}\n`;
  assert.deepEqual(await errorsOf(configOfYaml(`- node: x\n${router("a")}${router("b")}`)), [
    "receptor.yml:3: ip-router: interface tun7 already registered: it is at receptor.yml:2",
    "receptor.yml:3: ip-router: local network 10.9.0.0/30 already registered: it is at receptor.yml:2",
  ]);
});

Deno.test("work-python is refused, as by the original, with what to use instead", async () => {
  const config = await configOfYaml(
    "- local-only\n- work-python: {worktype: w, plugin: p, function: f}\n",
    "h",
  );
  const refused = (() => refuseRetired(config)) as () => never;
  assert.deepEqual(await errorsOf(Promise.resolve().then(refused)), [
    "receptor.yml:2: work-python: 'work-python' option is not currently being used: like Receptor " +
    "1.6.9, this version does not start with it; run the plugin as the command of a work-command",
  ]);
});

Deno.test("what works is accepted", async () => {
  refuseRetired(await configOfArguments(["--node", "id=foo", "--local-only", "--trace"]));
});
