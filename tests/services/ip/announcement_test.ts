import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { IpNetwork } from "../../../lib/base/ip_network.ts";
import {
  announcedNetworks,
  announcementTags,
  MAX_ANNOUNCED_ROUTES,
} from "../../../lib/services/ip/announcement.ts";
import { packetAddresses } from "../../../lib/services/ip/packet.ts";
import {
  ConnectionType,
  decodeAdvertisement,
  encodeAdvertisement,
} from "../../../lib/wire/advertisement.ts";
import { MAX_MESSAGE_BYTES } from "../../../lib/wire/frame.ts";

const network = fc.oneof(
  fc.tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.integer({ min: 0, max: 32 })),
  fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 0, max: 128 })),
).map(([address, prefix]) => new IpNetwork(address, prefix));

function advertisement(tags: Record<string, string>) {
  return {
    nodeId: "n1",
    service: "net",
    time: "2026-01-02T03:04:05.000000006Z",
    connectionType: ConnectionType.Datagram,
    tags: new Map(Object.entries(tags)),
    workCommands: null,
    cancel: false,
  };
}

Deno.test("a router is announced as the original's", () => {
  const local = IpNetwork.parse("10.9.0.0/30");
  const routes = ["10.20.0.0/16", "fd00:1::/64"].map((text) => IpNetwork.parse(text));
  deepStrictEqual(announcementTags("net", { local, routes }), {
    type: "IP Router",
    network: "net",
    route_local: "10.9.0.0/30",
    route_0: "10.20.0.0/16",
    route_1: "fd00:1::/64",
  });
});

Deno.test("announced networks arrive, each once, through the mesh's messages", () => {
  fc.assert(fc.property(network, fc.array(network, { maxLength: 50 }), (local, routes) => {
    const message = encodeAdvertisement(advertisement(announcementTags("net", { local, routes })));
    const { tags } = decodeAdvertisement(message);
    const expected = new Set([local, ...routes].map(String));
    deepStrictEqual(announcedNetworks("net", tags)!.map(String), [...expected]);
    strictEqual(announcedNetworks("other", tags), undefined);
  }));
});

Deno.test("as many networks as a configuration may have fit into a message", () => {
  const routes = Array.from({ length: MAX_ANNOUNCED_ROUTES }, (_, index) => {
    const address = new Uint8Array(16).fill(0xff);
    address.set([index >> 8, index & 0xff], 14);
    return new IpNetwork(address, 128);
  });
  const tags = announcementTags("networks", { local: routes[0]!, routes });
  const message = encodeAdvertisement({ ...advertisement(tags), nodeId: "n".repeat(255) });
  strictEqual(message.length <= MAX_MESSAGE_BYTES, true, String(message.length));
  strictEqual(announcedNetworks("networks", decodeAdvertisement(message).tags)!.length, 1021);
});

Deno.test("whatever the tags are, only networks come out", () => {
  const anyTags = fc.dictionary(
    fc.oneof(fc.constantFrom("route_local", "route_0", "route", "routed"), fc.string()),
    fc.oneof(fc.string(), fc.ipV4(), fc.ipV4().map((address) => `${address}/24`), fc.ipV6()),
  );
  fc.assert(fc.property(anyTags, (tags) => {
    const all = new Map(Object.entries({ ...tags, type: "IP Router", network: "net" }));
    for (const found of announcedNetworks("net", all)!) {
      deepStrictEqual(IpNetwork.parse(String(found)), found);
    }
  }));
  strictEqual(announcedNetworks("net", null), undefined);
  strictEqual(announcedNetworks("net", new Map([["type", "UDP Proxy"]])), undefined);
});

Deno.test("addresses are found in packets, and nothing else is taken for one", () => {
  const v4 = new Uint8Array(24);
  v4.set([0x45, 0, 0, 24]);
  deepStrictEqual(packetAddresses(v4), { length: 4, sourceAt: 12, destinationAt: 16 });
  const v6 = new Uint8Array(48);
  v6.set([0x60, 0, 0, 0, 0, 8]);
  deepStrictEqual(packetAddresses(v6), { length: 16, sourceAt: 8, destinationAt: 24 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    const found = packetAddresses(bytes);
    if (found !== undefined) strictEqual(found.destinationAt + found.length <= bytes.length, true);
  }));
  for (const packet of [v4.subarray(0, 23), v6.subarray(0, 47), new Uint8Array(0)]) {
    strictEqual(packetAddresses(packet), undefined);
  }
});
