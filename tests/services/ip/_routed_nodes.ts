/** Real daemons in network namespaces of their own, which route IP for each other. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { eventually } from "../../support/eventually.ts";
import type { Mesh } from "../../support/mesh.ts";
import { type Namespace, namespacesHaveIpv6, wire } from "../../support/namespaces.ts";
import type { NodeKind } from "../../support/peers.ts";
import { Program } from "../../support/program.ts";
import type { TestNode, TestNodeOptions } from "../../support/test_node.ts";

const TCP_PEER = fileURLToPath(new URL("./_tcp_peer.ts", import.meta.url));
const TCP_PORT = 9000;
const MESH_PORT = 7000;
const TRANSFER_BYTES = 50_000_000;
/** A Go daemon repeats to a node that it has met before what it announces only every minute. */
const ROUTES_PATIENCE_MS = 180_000;

/** A node that routes. */
export interface RoutedNode {
  readonly node: TestNode;
  readonly namespace: Namespace;
  /** The address of its interface, the network of that, and what is behind the node. */
  readonly address: string;
  readonly local: string;
  readonly behind: string;
  readonly addressBehind: string;
  /** The same for IPv6, for which the original's nodes get no route. */
  readonly behindV6: string;
  readonly addressBehindV6: string;
}

/**
 * Starts nodes in a line, of which the first and the last one route. Each of these two has a
 * network behind it, of which it has an address itself.
 */
export async function routedLine(
  mesh: Mesh,
  kinds: readonly NodeKind[],
  logLevel?: TestNodeOptions["logLevel"],
): Promise<{ near: RoutedNode; far: RoutedNode }> {
  const namespaces: Namespace[] = [];
  for (const [index] of kinds.entries()) {
    const namespace = await mesh.namespace();
    const before = namespaces.at(-1);
    namespaces.push(namespace);
    if (before === undefined) continue;
    await wire([before, wireAddress(index, 1)], [namespace, wireAddress(index, 2)], `wire${index}`);
  }
  const routed: RoutedNode[] = [];
  for (const [index, kind] of kinds.entries()) {
    const namespace = namespaces[index]!;
    const isEnd = index === 0 || index === kinds.length - 1;
    const place = {
      address: `10.9.0.${index * 4 + 1}`,
      local: `10.9.0.${index * 4}/30`,
      behind: `10.2${index}.0.0/16`,
      addressBehind: `10.2${index}.0.1`,
      behindV6: `fd00:2${index}::/64`,
      addressBehindV6: `fd00:2${index}::1`,
    };
    if (isEnd) {
      await namespace.ip(`address add ${place.addressBehind}/16 dev lo`);
      if (namespacesHaveIpv6()) {
        await namespace.ip(`address add ${place.addressBehindV6}/64 dev lo`);
      }
    }
    const peer = { address: `${wireAddress(index, 1).split("/")[0]}:${MESH_PORT}` };
    const routes = `${place.behind},${place.behindV6}`;
    const router = { networkname: "net", localnet: place.local, routes };
    const node = await mesh.node({
      kind,
      id: `n${index + 1}`,
      namespace,
      ...(logLevel === undefined ? {} : { logLevel }),
      actions: [
        index === 0 ? { "tcp-listener": { port: MESH_PORT } } : { "tcp-peer": peer },
        ...(index > 0 && !isEnd ? [{ "tcp-listener": { port: MESH_PORT } }] : []),
        ...(isEnd ? [{ "ip-router": router }] : []),
      ],
    });
    if (isEnd) routed.push({ node, namespace, ...place });
  }
  const [near, far] = routed as [RoutedNode, RoutedNode];
  return { near, far };
}

/** The address at either end of the wire before node `index`. */
function wireAddress(index: number, end: 1 | 2): string {
  return `192.0.2.${index * 4 + end}/30`;
}

/** Resolves when `node` has routes to the networks of `other`, or when it has none. */
export async function waitForRoutes(
  { namespace }: RoutedNode,
  other: RoutedNode,
  wanted: boolean,
): Promise<void> {
  let routes = "";
  await eventually(async () => {
    routes = await namespace.ip("route");
    return [other.local, other.behind].every((network) =>
      routes.includes(`${network} via `) === wanted
    );
  }, {
    intervalMs: 100,
    timeoutMs: ROUTES_PATIENCE_MS,
    what: () => `${wanted ? "routes" : "no route"} to ${other.node.id}, there are:\n${routes}`,
  });
}

export async function ping(from: RoutedNode, address: string, ...options: string[]): Promise<void> {
  // Of several, one is enough: IP may lose packets.
  await eventually(
    () => from.namespace.output("ping", "-c", "1", "-W", "5", ...options, address),
    { what: `an answer to a ping from ${from.node.id} to ${address}` },
  );
}

/** Sends bytes from one to the other, and compares their checksums. */
export async function transfer(from: RoutedNode, to: RoutedNode): Promise<void> {
  const peer = (...args: string[]) => [Deno.execPath(), "run", "-A", "--quiet", TCP_PEER, ...args];
  await using receiver = Program.start(
    to.namespace.within(peer("receive", to.address, String(TCP_PORT))),
  );
  await receiver.waitForOutput(/listening/);
  const target = [to.address, String(TCP_PORT), String(TRANSFER_BYTES)];
  const sent = await from.namespace.output(...peer("send", ...target));
  const [, received] = await receiver.waitForOutput(/sha256 (\w+)/);
  assert.match(sent, /^sha256 \w{64}$/m);
  assert.equal(received, /sha256 (\w+)/.exec(sent)![1]);
}

/** Everything that two routers do for each other, from the arrival of the second to its return. */
export async function routeForEachOther(mesh: Mesh, kinds: readonly NodeKind[]): Promise<void> {
  const { near, far } = await routedLine(mesh, kinds);
  await Promise.all([waitForRoutes(near, far, true), waitForRoutes(far, near, true)]);
  for (const [from, to] of [[near, far], [far, near]] as const) {
    await ping(from, to.address);
    await ping(from, to.addressBehind);
    // The two may send packets of different lengths.
    await ping(from, to.address, "-s", "20000");
    await transfer(from, to);
  }
  await far.node.stop();
  await waitForRoutes(near, far, false);
  await far.node.restart();
  await waitForRoutes(near, far, true);
  await waitForRoutes(far, near, true);
  await ping(near, far.addressBehind);
}
