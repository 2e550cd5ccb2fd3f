/** Services of real daemons: what they carry, what a reload does to them, what others see of them. */
import assert from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { carryDatagrams } from "../services/_udp_through_daemons.ts";
import { CARRIERS, carryBytes } from "../services/_through_daemons.ts";
import { eventually } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import type { Action, TestNode } from "../support/test_node.ts";

const kinds = ["ours"] as const;

for (const carrier of CARRIERS) {
  meshTest(
    `${carrier}: bytes through two nodes`,
    { kinds },
    (mesh) => carryBytes(mesh, { near: "ours", far: "ours", carrier, bytes: 20_000_000 }),
  );
}

meshTest(
  "UDP: datagrams through two nodes",
  { kinds },
  (mesh) => carryDatagrams(mesh, "ours", "ours"),
);

function server(port: number, remoteservice: string): Action {
  return { "tcp-server": { port, bindaddr: "127.0.0.1", remotenode: "node", remoteservice } };
}

function client(service: string, behind: number): Action {
  return { "tcp-client": { service, address: `127.0.0.1:${behind}` } };
}

/** Answers each connection with its own name, and holds it. */
function greeter(name: string): AsyncDisposable & { readonly port: number } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.TcpConn[] = [];
  const serving = (async () => {
    for await (const conn of listener) {
      conns.push(conn);
      await writeAll(conn, new TextEncoder().encode(name));
    }
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving.catch(() => {});
      for (const conn of conns) conn.close();
    },
  };
}

async function greeting(port: number): Promise<[Deno.TcpConn, string]> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const buffer = new Uint8Array(10);
  const count = await conn.read(buffer) ?? 0;
  return [conn, new TextDecoder().decode(buffer.subarray(0, count))];
}

async function assertGreeting(port: number, expected: string): Promise<void> {
  const [conn, said] = await greeting(port);
  conn.close();
  assert.equal(said, expected);
}

/** Whether nothing has come, and no end, so far. */
async function isOpen(conn: Deno.TcpConn): Promise<boolean> {
  const read = conn.read(new Uint8Array(1)).then(() => false, () => false);
  const later = new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 200));
  return await Promise.race([read, later]);
}

async function reload(node: TestNode, actions: readonly Action[]) {
  await node.configure(actions);
  return await node.json("reload");
}

meshTest("a reload changes services without touching the others", { kinds }, async (mesh) => {
  await using one = greeter("one");
  await using two = greeter("two");
  const [kept, changed, added] = [freePort(), freePort(), freePort()];
  const unchanged = [server(kept, "kept"), client("kept", one.port)];
  const node = await mesh.node({
    kind: "ours",
    id: "node",
    actions: [...unchanged, server(changed, "moves"), client("moves", one.port)],
  });
  const [conn] = await greeting(kept);
  using _conn = conn;
  await assertGreeting(changed, "one");

  // The same service and port lead elsewhere, and there is one more.
  const after = [...unchanged, server(changed, "moves"), client("moves", two.port)];
  assert.deepEqual(await reload(node, [...after, server(added, "kept")]), { Success: true });
  await node.waitForLog(/services started 2, stopped 1, unchanged 3/);
  await assertGreeting(changed, "two");
  await assertGreeting(added, "one");

  // Removed again.
  assert.deepEqual(await reload(node, after), { Success: true });
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: added }));

  // Refused as a whole: the port of the second one is taken, so the first one does not start.
  const taken = server(one.port, "kept");
  const refused = await reload(node, [client("moves", one.port), server(added, "kept"), taken]);
  assert.equal(refused.Success, false);
  assert.match(String(refused.Error), /tcp-server: cannot listen on TCP 127\.0\.0\.1:\d+/);
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: added }));
  await assertGreeting(changed, "two");
  assert.ok(await isOpen(conn), "the connection through the unchanged service is gone");
});

meshTest("services are advertised as the original does", { kinds }, async (mesh) => {
  const { nodes: [near, far] } = await mesh.line(["ours", "ours"], (id) => ({
    actions: id === "n1" ? [] : [
      client("tcp", 1),
      { "unix-socket-client": { service: "unix", filename: "/run/x.sock" } },
    ],
  }));
  const advertised = await eventually(async () => {
    const { Advertisements } = await near!.status();
    const list = (Advertisements ?? []).filter(({ NodeID }) => NodeID === far!.id)
      .map(({ Service, ConnType, Tags }) => [Service, ConnType, Tags] as const);
    return list.length >= 3 && Object.fromEntries(list.map(([name, ...rest]) => [name, rest]));
  });
  assert.deepEqual(advertised, {
    control: [1, { type: "Control Service" }],
    tcp: [1, { type: "TCP Proxy", address: "127.0.0.1:1" }],
    unix: [1, { type: "Unix Proxy", filename: "/run/x.sock" }],
  });
});

meshTest("a wrong service keeps a node from starting, with its reason", { kinds }, async (mesh) => {
  for (
    const [action, reason] of [
      [{ "tcp-client": { service: "x", address: "a:1", tlsserver: "no" } }, /tcp-client: .*"?no"?/],
      [{ "tcp-client": { service: "control", address: "a:1" } }, /control/],
      [{ "tcp-client": { service: "x", address: "nowhere" } }, /tcp-client: address: /],
    ] as const
  ) {
    await assert.rejects(mesh.node({ kind: "ours", id: "node", actions: [action] }), reason);
  }
});
