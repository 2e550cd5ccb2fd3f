import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { IpNetwork, parseIpAddress } from "../../../lib/base/ip_network.ts";
import { PrefixTable } from "../../../lib/services/ip/prefix_table.ts";
import {
  type Announcer,
  type Candidate,
  chooseAnnouncers,
  planRoutes,
} from "../../../lib/services/ip/route_plan.ts";

const OWN = { local: net("10.9.0.0/30"), routes: [net("10.20.0.0/16")] };

function net(text: string): IpNetwork {
  return IpNetwork.parse(text);
}

function announcer(nodeId: string, cost: number, ...networks: string[]): Announcer {
  return { nodeId, via: nodeId, cost, networks: networks.map(net) };
}

function nodeFor(plan: { nodes: PrefixTable<string> }, text: string): string | undefined {
  const address = parseIpAddress(text)!;
  return plan.nodes.find(address, 0, address.length as 4 | 16);
}

Deno.test("a table finds the longest prefix, wherever the address lies", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  // Few different bytes, so that prefixes meet addresses.
  const narrow = (length: number) => bytes(length).map((all) => all.map((byte) => byte & 0xc0));
  for (const length of [4, 16] as const) {
    const network = fc.tuple(narrow(length), fc.integer({ min: 0, max: length * 8 }))
      .map(([address, prefix]) => new IpNetwork(address, prefix));
    fc.assert(fc.property(fc.array(network), narrow(length), (networks, address) => {
      const table = new PrefixTable<string>();
      for (const each of networks) table.set(each, String(each));
      const host = new IpNetwork(address, length * 8);
      const longest = networks.filter((each) => each.contains(host))
        .reduce<IpNetwork | undefined>(
          (best, each) => best === undefined || each.prefix > best.prefix ? each : best,
          undefined,
        );
      const found = table.find(Uint8Array.of(1, 2, 3, ...address, 4), 3, length);
      strictEqual(found, longest === undefined ? undefined : String(longest));
    }));
  }
});

Deno.test("packets go to the longest prefix, then at the lowest cost", () => {
  const plan = planRoutes([
    announcer("wide", 1, "10.0.0.0/8"),
    announcer("far", 9, "10.1.0.0/16", "10.2.0.0/16"),
    announcer("near", 2, "10.2.0.0/16", "fd00:2::/64"),
  ], OWN);
  strictEqual(nodeFor(plan, "10.1.2.3"), "far");
  strictEqual(nodeFor(plan, "10.2.2.3"), "near");
  strictEqual(nodeFor(plan, "10.3.2.3"), "wide");
  strictEqual(nodeFor(plan, "fd00:2::1"), "near");
  strictEqual(nodeFor(plan, "192.0.2.1"), undefined);
  deepStrictEqual([...plan.routes.keys()].sort(), [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.2.0.0/16",
    "fd00:2::/64",
  ]);
});

Deno.test("of two equal ways, all nodes choose the same", () => {
  const [a, b] = [announcer("a", 1, "10.1.0.0/16"), announcer("b", 1, "10.1.0.0/16")];
  strictEqual(nodeFor(planRoutes([a, b], OWN), "10.1.0.1"), "a");
  strictEqual(nodeFor(planRoutes([b, a], OWN), "10.1.0.1"), "a");
});

Deno.test("no route leads elsewhere for what this node has itself", () => {
  const plan = planRoutes([
    announcer("twin", 1, "10.9.0.0/30", "10.9.0.1/32", "10.20.0.0/16", "10.20.7.0/24"),
  ], OWN);
  deepStrictEqual([...plan.routes.keys()], ["10.20.7.0/24"]);
  deepStrictEqual([...plan.refused], [
    "10.9.0.0/30 of twin: it is in our own network 10.9.0.0/30",
    "10.9.0.1/32 of twin: it is in our own network 10.9.0.0/30",
  ]);
  // The other gateway to the same network may send from it.
  const address = Uint8Array.of(10, 20, 0, 1);
  ok(plan.sources.get("twin")!.find(address, 0, 4));
  strictEqual(plan.sources.get("twin")!.find(Uint8Array.of(10, 9, 0, 1), 0, 4), undefined);
});

Deno.test("a default route is taken, but neither half of one nor what is not for routing", () => {
  const refused = [
    "0.0.0.0/1",
    "128.0.0.0/7",
    "2000::/3",
    "0.0.0.0/8",
    "127.0.0.1/32",
    "169.254.1.0/24",
    "224.0.0.0/8",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "::ffff:10.0.0.0/104",
    "fe80::/64",
    "ff02::/16",
  ];
  const accepted = ["0.0.0.0/0", "::/0", "10.0.0.0/8", "fd00::/8", "64:ff9b::/96"];
  const plan = planRoutes([announcer("n", 1, ...refused, ...accepted)], OWN);
  deepStrictEqual([...plan.routes.keys()].sort(), [...accepted].sort());
  strictEqual(plan.refused.size, refused.length, [...plan.refused].join("\n"));
});

Deno.test("networks are looked at in equal shares for each neighbour, nearest nodes first", () => {
  const looked: string[] = [];
  const candidate = (nodeId: string, via: string, cost: number, count: number): Candidate => ({
    nodeId,
    via,
    cost,
    networks() {
      looked.push(nodeId);
      return count === 0 ? undefined : Array<IpNetwork>(count).fill(net("10.0.0.0/8"));
    },
  });
  const flood = Array.from({ length: 50 }, (_, index) => candidate(`f${index}`, "x", 1, 99));
  const honest = [
    candidate("h2", "y", 9, 1),
    candidate("h1", "y", 2, 3),
    candidate("no", "y", 1, 0),
  ];
  const chosen = chooseAnnouncers([...flood, ...honest], 1000).map(({ nodeId }) => nodeId);
  deepStrictEqual(chosen.filter((nodeId) => nodeId.startsWith("h")), ["h1", "h2"]);
  strictEqual(chosen.length, 2 + 10);
  // And what is over the bound is not even decoded.
  strictEqual(looked.length, 3 + 10);
  deepStrictEqual(chooseAnnouncers([]), []);
});

Deno.test("when there is no room for all routes, every neighbour gets its share", () => {
  const flood = (nodeId: string, via: string, first: number): Announcer => ({
    nodeId,
    via,
    cost: 1,
    networks: Array.from({ length: 100 }, (_, index) => net(`10.${first}.${index}.0/24`)),
  });
  const announcers = [
    flood("f1", "hostile", 101),
    flood("f2", "hostile", 102),
    flood("f3", "hostile", 103),
    { ...announcer("honest", 5, "10.9.0.8/30", "10.50.0.0/16"), via: "zulu" },
  ];
  const plan = planRoutes(announcers, OWN, 10);
  strictEqual(plan.routes.size, 10);
  strictEqual(nodeFor(plan, "10.50.1.1"), "honest");
  strictEqual(nodeFor(plan, "10.9.0.9"), "honest");
  // And behind the neighbour, every node.
  for (const first of [101, 102, 103]) ok(plan.routes.has(`10.${first}.0.0/24`));
  deepStrictEqual([...plan.refused], ["292 networks: there are more than 10"]);
});
