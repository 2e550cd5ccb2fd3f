import { equal, notEqual } from "node:assert/strict";
import { networkOf } from "../../lib/backends/network_of.ts";

Deno.test("networkOf() is an IPv4 address itself", () => {
  equal(networkOf("192.0.2.1"), "192.0.2.1");
});

Deno.test("networkOf() is the same for all addresses in a /64", () => {
  const network = networkOf("2001:db8:0:7::1");
  for (const host of ["2001:db8:0:7:1:2:3:4", "2001:db8:0:7::ffff:1", "2001:db8:0:7::"]) {
    equal(networkOf(host), network, host);
  }
  for (const host of ["2001:db8:0:8::1", "2001:db8::7:0:0:1", "2001:db8::1"]) {
    notEqual(networkOf(host), network, host);
  }
  equal(networkOf("fe80::1%eth0"), networkOf("fe80::2%eth0"));
  equal(networkOf("::1"), networkOf("::2"));
});
