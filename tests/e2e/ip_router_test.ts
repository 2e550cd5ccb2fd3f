/** The life of an IP router's interface: reloads, a killed daemon, and what it takes. */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import { missingForNamespaces, type Namespace, namespacesHaveIpv6 } from "../support/namespaces.ts";
import { daemonCommand } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { isRunning } from "../support/processes.ts";
import { Program } from "../support/program.ts";
import type { Action } from "../support/test_node.ts";
import { ping, routedLine, waitForRoutes } from "../services/ip/_routed_nodes.ts";

const missing = missingForNamespaces();

function router(networkname: string, name: string, localnet: string): Action {
  return { "ip-router": { networkname, interface: name, localnet } };
}

/** Addresses of the interfaces other than the loopback one. */
async function interfaces(namespace: Namespace): Promise<Record<string, string>> {
  const lines = (await namespace.ip("-4 -o address")).trim().split("\n");
  const found = lines.map((line) => /^\d+: (\S+) +inet (.*?) scope/.exec(line)!.slice(1));
  return Object.fromEntries(found.filter(([name]) => name !== "lo"));
}

meshTest(
  "a reload adds, changes and removes IP routers, and touches nothing else",
  { missing },
  async (mesh) => {
    const namespace = await mesh.namespace();
    const port = freePort();
    const others: Action[] = [{ "tcp-listener": { port } }];
    const node = await mesh.node({
      kind: "ours",
      id: "n1",
      namespace,
      actions: [...others, router("net1", "one", "10.9.0.0/30")],
    });
    const peer = await mesh.node({
      kind: "ours",
      id: "n2",
      namespace,
      actions: [{ "tcp-peer": { address: `127.0.0.1:${port}` } }],
    });
    await peer.waitForRoute("n1");
    const reload = async (...routers: Action[]) => {
      await node.configure([...others, ...routers]);
      return await node.json("reload");
    };
    const index = async () => (await namespace.ip("-o link show one")).split(":")[0];
    const first = await index();

    const two = router("net2", "two", "10.9.0.4/30");
    assert.deepEqual(await reload(router("net1", "one", "10.9.0.0/30"), two), { Success: true });
    assert.deepEqual(await interfaces(namespace), {
      one: "10.9.0.1 peer 10.9.0.2/32",
      two: "10.9.0.5 peer 10.9.0.6/32",
    });
    assert.equal(await index(), first, "the first interface is another one");

    // Each takes what the other has.
    const swapped = [router("net1", "two", "10.9.0.8/30"), router("net2", "one", "10.9.0.12/30")];
    assert.deepEqual(await reload(...swapped), { Success: true });
    assert.deepEqual(await interfaces(namespace), {
      two: "10.9.0.9 peer 10.9.0.10/32",
      one: "10.9.0.13 peer 10.9.0.14/32",
    });

    // Another network takes over the interface.
    const takenOver = [router("net3", "two", "10.9.0.16/30"), swapped[1]!];
    assert.deepEqual(await reload(...takenOver), { Success: true });
    assert.equal((await interfaces(namespace)).two, "10.9.0.17 peer 10.9.0.18/32");

    // One that cannot start leaves everything as it was.
    const failed = await reload(router("net4", "lo", "10.9.0.20/30"));
    assert.equal(failed.Success, false);
    assert.match(String(failed.Error), /there is an interface lo already/);
    assert.deepEqual(Object.keys(await interfaces(namespace)).sort(), ["one", "two"]);

    assert.deepEqual(await reload(), { Success: true });
    assert.deepEqual(await interfaces(namespace), {});
    await eventually(async () => {
      const { Advertisements } = await peer.status();
      return !Advertisements?.some(({ Service }) => String(Service).startsWith("net"));
    }, { what: "the end of the advertisements" });
    assert.equal(peer.log.match(/Connection established/g)?.length, 1);
  },
);

meshTest(
  "a killed daemon leaves no interface behind, though its job runs on",
  { missing },
  async (mesh) => {
    const namespace = await mesh.namespace();
    const node = await mesh.node({
      kind: "ours",
      id: "n1",
      namespace,
      actions: [
        { "work-command": { worktype: "sleep", command: "sh", params: '-c "echo $$; sleep 600"' } },
        router("net", "mytun", "10.9.0.0/30"),
      ],
    });
    const unit = await node.submit({ node: "n1", worktype: "sleep" });
    await node.waitForUnit(unit, ["Running"]);
    const pid = await eventually(async () =>
      Number(await Deno.readTextFile(`${node.unitFolder(unit)}/stdout`))
    );
    assert.deepEqual(Object.keys(await interfaces(namespace)), ["mytun"]);
    await node.kill();
    assert.ok(isRunning(pid));
    await eventually(async () => Object.keys(await interfaces(namespace)).length === 0, {
      what: "the end of the interface",
    });
    await node.restart();
    assert.deepEqual(Object.keys(await interfaces(namespace)), ["mytun"]);
  },
);

meshTest(
  "routes are put back when somebody removes them, and come after others to the same network",
  { missing },
  async (mesh) => {
    const { near, far } = await routedLine(mesh, ["ours", "ours"]);
    await waitForRoutes(near, far, true);
    await waitForRoutes(far, near, true);
    if (namespacesHaveIpv6()) await ping(near, far.addressBehindV6, "-I", near.addressBehindV6);

    await near.namespace.ip("route flush dev tun0 metric 30000");
    await waitForRoutes(near, far, true);

    const device = async () => {
      const route = await near.namespace.ip(`route get ${far.addressBehind}`);
      return / dev (\S+)/.exec(route)![1];
    };
    assert.equal(await device(), "tun0");
    // As DHCP and NetworkManager make them.
    await near.namespace.ip(`route add ${far.behind} dev wire1 metric 100`);
    assert.equal(await device(), "wire1");
    await near.namespace.ip(`route delete ${far.behind} dev wire1 metric 100`);
    assert.equal(await device(), "tun0");
  },
);

meshTest("an interface that somebody removes ends only its router", { missing }, async (mesh) => {
  const namespace = await mesh.namespace();
  const node = await mesh.node({
    kind: "ours",
    id: "n1",
    namespace,
    actions: [router("net1", "one", "10.9.0.0/30"), router("net2", "two", "10.9.0.4/30")],
  });
  await namespace.ip("link delete one");
  await node.waitForLog(/ERROR .*ip-router: .*the interface one is gone/);
  assert.deepEqual(Object.keys(await interfaces(namespace)), ["two"]);
  await eventually(async () => {
    const { Advertisements } = await node.status();
    return Advertisements?.every(({ Service }) => Service !== "net1");
  }, { what: "the end of the advertisement" });
});

/** What a node prints that cannot start. */
async function failure(
  namespace: Namespace,
  before: readonly string[],
  values: Record<string, string>,
): Promise<string> {
  const parameters = Object.entries({ networkname: "net", ...values }).map((pair) =>
    pair.join("=")
  );
  const command = [...before, ...daemonCommand("ours"), "--node", "id=n1", "--local-only"];
  await using program = Program.start(
    namespace.within([...command, "--ip-router", ...parameters]),
  );
  const { code } = await program.exited;
  assert.equal(code, 1, program.output);
  return program.output;
}

meshTest("a router that lacks what it takes says what that is", { missing }, async (mesh) => {
  const namespace = await mesh.namespace();
  const local = { localnet: "10.9.0.0/30" };
  assert.match(
    await failure(namespace, ["setpriv", "--bounding-set=-net_admin"], local),
    /error opening tun device: .*Operation not permitted \(this takes root, or .* CAP_NET_ADMIN\)/,
  );
  const withoutTun = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount -t tmpfs none /dev/net && exec "$@"',
    "sh",
  ];
  assert.match(
    await failure(namespace, withoutTun, local),
    /error opening tun device: .*\/dev\/net\/tun: No such file or directory/,
  );
  const lo = { ...local, interface: "lo" };
  assert.match(await failure(namespace, [], lo), /there is an interface lo already/);
});
