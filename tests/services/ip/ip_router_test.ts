/** IP routers of two nodes in this process, with interfaces that exist only here. */
import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { IpNetwork, parseIpAddress } from "../../../lib/base/ip_network.ts";
import type { Netceptor } from "../../../lib/netceptor/netceptor.ts";
import { ServiceTakenError } from "../../../lib/netceptor/service_registry.ts";
import { type IpDevice, IpRouter } from "../../../lib/services/ip/ip_router.ts";
import { eventually } from "../../support/eventually.ts";
import { TwoNodes } from "../_two_nodes.ts";

class FakeDevice implements IpDevice {
  readonly name = "fake0";
  /** What the kernel got, and where it sends packets to this device. */
  readonly received: Uint8Array[] = [];
  readonly routes = new Set<string>();
  failure: Error | undefined;
  /** The kernel does not answer. */
  mute = false;
  #waiting: Uint8Array[] = [];
  #wake = () => {};
  #closed = false;

  /** The kernel sends a packet. */
  send(packet: Uint8Array): void {
    this.#waiting.push(packet);
    this.#wake();
  }

  async read(into: Uint8Array): Promise<number> {
    while (this.#waiting.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#closed) throw new Error("closed");
    const packet = this.#waiting.shift()!;
    into.set(packet);
    return packet.length;
  }

  write(packet: Uint8Array): void {
    this.received.push(packet.slice());
  }

  addRoutes(networks: readonly IpNetwork[]): Error[] {
    if (this.mute) throw new Error("no answer");
    for (const network of networks) this.routes.add(String(network));
    return this.failure === undefined || networks.length === 0 ? [] : [this.failure];
  }

  deleteRoutes(networks: readonly IpNetwork[]): Error[] {
    for (const network of networks) this.routes.delete(String(network));
    return [];
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#wake();
    return Promise.resolve();
  }
}

/** Runs a router called `net` on `mesh`, until the test ends or `stop` is called. */
async function route(nodes: TwoNodes, mesh: Netceptor, local: string, ...routes: string[]) {
  const device = new FakeDevice();
  const router = await IpRouter.open({
    ...nodes.deps,
    mesh,
    openDevice: () => Promise.resolve(device),
  }, {
    network: "net",
    local: IpNetwork.parse(local),
    routes: routes.map((text) => IpNetwork.parse(text)),
  });
  return { device, stop: nodes.run(router) };
}

async function waitForRoutes({ routes }: FakeDevice, ...wanted: string[]): Promise<void> {
  await eventually(() => wanted.join() === [...routes].sort().join(), {
    what: () => `the routes ${wanted.join()}, there are ${[...routes].join()}`,
  });
}

function packet(from: string, to: string, payload = "hello"): Uint8Array<ArrayBuffer> {
  const [source, destination] = [parseIpAddress(from)!, parseIpAddress(to)!];
  const body = new TextEncoder().encode(payload);
  const header = source.length === 4
    ? [0x45, 0, 0, 20 + body.length, ...Array<number>(8).fill(0)]
    : [0x60, 0, 0, 0, 0, body.length, 17, 64];
  return Uint8Array.from([...header, ...source, ...destination, ...body]);
}

Deno.test("packets of both kinds go to the node that announces their destination, and back", async () => {
  await using nodes = await TwoNodes.create();
  const near = await route(nodes, nodes.near, "10.9.0.0/30", "fd00:1::/64");
  const far = await route(nodes, nodes.far, "10.9.0.4/30", "10.20.0.0/16", "fd00:2::/64");
  await waitForRoutes(near.device, "10.20.0.0/16", "10.9.0.4/30", "fd00:2::/64");
  await waitForRoutes(far.device, "10.9.0.0/30", "fd00:1::/64");
  const there = [packet("10.9.0.1", "10.20.1.1"), packet("fd00:1::9", "fd00:2::9")];
  const back = [packet("10.20.1.1", "10.9.0.1"), packet("fd00:2::9", "fd00:1::9")];
  for (const each of there) near.device.send(each);
  for (const each of back) far.device.send(each);
  await eventually(() => far.device.received.length === 2 && near.device.received.length === 2, {
    what: "the packets",
  });
  deepStrictEqual(far.device.received, there);
  deepStrictEqual(near.device.received, back);
});

Deno.test("a route goes when its node no longer routes, or cannot be reached", async () => {
  await using nodes = await TwoNodes.create();
  const near = await route(nodes, nodes.near, "10.9.0.0/30");
  const far = await route(nodes, nodes.far, "10.9.0.4/30");
  await waitForRoutes(near.device, "10.9.0.4/30");
  await far.stop();
  await waitForRoutes(near.device);
  await route(nodes, nodes.far, "10.9.0.8/30");
  await waitForRoutes(near.device, "10.9.0.8/30");
  await nodes.far[Symbol.asyncDispose]();
  await waitForRoutes(near.device);
});

Deno.test("what the node does not announce is let in neither as source nor as destination", async () => {
  await using nodes = await TwoNodes.create();
  const near = await route(nodes, nodes.near, "10.9.0.0/30", "10.10.0.0/16", "fd00:1::/64");
  using forger = nodes.far.openDatagramPort("net", {}, {
    advertise: { tags: { type: "IP Router", network: "net", route_local: "10.9.0.4/30" } },
  });
  using stranger = nodes.far.openDatagramPort("", {});
  await waitForRoutes(near.device, "10.9.0.4/30");
  const good = packet("10.9.0.5", "10.10.3.4", "good");
  const bad = [
    packet("10.9.0.5", "192.0.2.1"),
    packet("10.9.0.1", "10.10.3.4"),
    packet("203.0.113.7", "10.10.3.4"),
    packet("fe80::1", "fd00:1::1"),
    Uint8Array.of(0x45, 0),
    new Uint8Array(0),
  ];
  stranger.send("near", "net", good);
  for (const each of bad) forger.send("near", "net", each);
  forger.send("near", "net", good);
  await eventually(() => near.device.received.length > 0, { what: "the good packet" });
  deepStrictEqual(near.device.received, [good]);
});

Deno.test("packets for nobody are dropped with one line, and multicast without", async () => {
  await using nodes = await TwoNodes.create();
  const near = await route(nodes, nodes.near, "10.9.0.0/30");
  near.device.send(packet("fe80::1", "ff02::2"));
  near.device.send(packet("10.9.0.1", "224.0.0.251"));
  near.device.send(packet("10.9.0.1", "10.9.0.2"));
  near.device.send(packet("10.9.0.1", "10.9.0.2"));
  const line = await nodes.waitForLog(/packet dropped/);
  strictEqual(line, "ERROR ip-router net: packet dropped: no node announces 10.9.0.2");
});

Deno.test("refused and failed routes are told once, not at every change", async () => {
  await using nodes = await TwoNodes.create();
  // Lines are told again after a while.
  let laterMs = 0;
  const { clock } = nodes.deps;
  nodes.deps.clock = { ...clock, now: () => clock.now() + laterMs };
  const near = await route(nodes, nodes.near, "10.9.0.0/30");
  near.device.failure = new Error("error adding kernel route: no luck");
  const far = await route(nodes, nodes.far, "10.9.0.4/30", "0.0.0.0/1");
  await waitForRoutes(near.device, "10.9.0.4/30");
  await nodes.waitForLog(/no route: 0\.0\.0\.0\/1 of far: it is wider than a \/8/);
  await nodes.waitForLog(/route: error adding kernel route: no luck/);
  laterMs += 60_000;
  await far.stop();
  await route(nodes, nodes.far, "10.9.0.8/30", "0.0.0.0/2");
  await waitForRoutes(near.device, "10.9.0.8/30");
  await nodes.waitForLog(/no route: 0\.0\.0\.0\/2 of far/);
  strictEqual(nodes.log.lines.filter((line) => /no luck/.test(line)).length, 1);
});

Deno.test("a kernel that does not answer is told the rest later", async () => {
  await using nodes = await TwoNodes.create();
  const near = await route(nodes, nodes.near, "10.9.0.0/30");
  const far = await route(nodes, nodes.far, "10.9.0.4/30");
  await waitForRoutes(near.device, "10.9.0.4/30");
  const deleted: string[] = [];
  near.device.deleteRoutes = (networks) => {
    if (near.device.mute) throw new Error("no answer");
    deleted.push(...networks.map(String));
    return FakeDevice.prototype.deleteRoutes.call(near.device, networks);
  };
  near.device.mute = true;
  await far.stop();
  await nodes.waitForLog(/route: no answer/);
  near.device.mute = false;
  await waitForRoutes(near.device);
  deepStrictEqual(deleted, ["10.9.0.4/30"]);
});

Deno.test("a router whose name is taken leaves the interface alone", async () => {
  await using nodes = await TwoNodes.create();
  await route(nodes, nodes.near, "10.9.0.0/30");
  let opened = 0;
  const openDevice = () => {
    opened++;
    return Promise.resolve(new FakeDevice());
  };
  const deps = { ...nodes.deps, mesh: nodes.near, openDevice };
  const options = { network: "net", local: IpNetwork.parse("10.9.0.8/30"), routes: [] };
  await rejects(IpRouter.open(deps, options), ServiceTakenError);
  strictEqual(opened, 0);
});

Deno.test("a router without its interface gives its name back", async () => {
  await using nodes = await TwoNodes.create();
  const deps = {
    ...nodes.deps,
    mesh: nodes.near,
    openDevice: () => Promise.reject(new Error("no tun here")),
  };
  const options = { network: "net", local: IpNetwork.parse("10.9.0.0/30"), routes: [] };
  await rejects(IpRouter.open(deps, options), /no tun here/);
  await route(nodes, nodes.near, "10.9.0.0/30");
});
