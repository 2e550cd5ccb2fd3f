import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { formatIpAddress, IpNetwork, parseIpAddress } from "../../lib/base/ip_network.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
/** With runs of zeros, as addresses have them. */
const v6 = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
  minLength: 8,
  maxLength: 8,
}).map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));
const address = fc.oneof(bytes(4), v6);

Deno.test("addresses survive printing and reading", () => {
  fc.assert(fc.property(address, (original) => {
    deepStrictEqual(parseIpAddress(formatIpAddress(original)), original);
  }));
});

Deno.test("IPv6 addresses are printed in the canonical form of RFC 5952", () => {
  for (
    const [written, canonical] of [
      ["0:0:0:0:0:0:0:0", "::"],
      ["0:0:0:0:0:0:0:1", "::1"],
      ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
      ["1::", "1::"],
      ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ]
  ) {
    strictEqual(formatIpAddress(parseIpAddress(written!)!), canonical);
  }
});

Deno.test("what is no address is not taken for one", () => {
  const wrong = "1.2.3 1.2.3.4.5 01.2.3.4 256.1.1.1 1.2.3.-4 a.b.c.d : ::: 1::2::3 1:2:3 12345:: " +
    "1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7::8 fe80::1%eth0 ::1.2.3 1.2.3.4::";
  for (const text of ["", ...wrong.split(" ")]) {
    strictEqual(parseIpAddress(text), undefined, text);
  }
});

Deno.test("a network is read without the bits after its prefix", () => {
  strictEqual(String(IpNetwork.parse("10.9.0.6/30")), "10.9.0.4/30");
  strictEqual(String(IpNetwork.parse("fd00:1::ffff/63")), "fd00:1::/63");
  strictEqual(String(IpNetwork.parse("203.0.113.9/0")), "0.0.0.0/0");
  for (const text of ["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "/8", "10.0.0.0/8/8"]) {
    throws(() => IpNetwork.parse(text), {
      name: "SyntaxError",
      message: `could not parse ${text} as a CIDR address`,
    });
  }
});

Deno.test("networks contain each other exactly if their first bits agree", () => {
  const bits = (network: IpNetwork) =>
    Array.from(network.address, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const network = fc.tuple(bytes(4), fc.integer({ min: 0, max: 32 }))
    .map(([address, prefix]) => new IpNetwork(address.map((byte) => byte & 0x81), prefix));
  fc.assert(fc.property(network, network, (a, b) => {
    const expected = a.prefix <= b.prefix && bits(b).startsWith(bits(a).slice(0, a.prefix));
    strictEqual(a.contains(b), expected);
    ok(a.contains(a));
  }));
  strictEqual(IpNetwork.parse("0.0.0.0/0").contains(IpNetwork.parse("::/0")), false);
});
