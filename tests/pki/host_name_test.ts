/** Host names and addresses, matched against those in a certificate. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { formatIpAddress, matchesHost, parseIpAddress } from "../../lib/pki/host_name.ts";

function matches(host: string, ...names: string[]): boolean {
  return matchesHost(host, {
    dnsNames: names.filter((name) => parseIpAddress(name) === undefined),
    ipAddresses: names.map(parseIpAddress).filter((bytes) => bytes !== undefined),
  });
}

Deno.test("a host name matches itself, in any case, with or without the root's dot", () => {
  assert.ok(matches("foo.example.org", "bar.example.org", "foo.example.org"));
  assert.ok(matches("Foo.Example.ORG", "foo.example.org"));
  assert.ok(matches("foo.example.org.", "foo.example.org"));
  assert.ok(matches("foo", "foo"));
  for (const other of ["example.org", "xfoo.example.org", "foo.example.org.uk", "", ".", "foo"]) {
    assert.ok(!matches(other, "foo.example.org"), other);
  }
});

Deno.test("a star stands for one whole first label", () => {
  assert.ok(matches("foo.example.org", "*.example.org"));
  for (const host of ["example.org", "a.b.example.org", ".example.org", "*.org"]) {
    assert.ok(!matches(host, "*.example.org"), host);
  }
  assert.ok(!matches("foo", "*"));
  assert.ok(!matches("*", "*"));
  assert.ok(!matches("foo.example.org", "f*.example.org"));
  assert.ok(!matches("foo.example.org", "foo.*.org"));
});

Deno.test("an address matches an address only", () => {
  assert.ok(matches("192.0.2.1", "192.0.2.1"));
  assert.ok(matches("2001:db8::1", "2001:DB8:0:0::1"));
  assert.ok(matches("[2001:db8::1]", "2001:db8::1"));
  assert.ok(matches("::ffff:192.0.2.1", "192.0.2.1"));
  assert.ok(matches("fe80::1%eth0", "fe80::1"));
  assert.ok(!matches("192.0.2.1", "192.0.2.2"));
  assert.ok(!matchesHost("192.0.2.1", { dnsNames: ["192.0.2.1"], ipAddresses: [] }));
});

Deno.test("addresses are printed as they are read", () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
    const bytes = parseIpAddress(text)!;
    assert.deepEqual(parseIpAddress(formatIpAddress(bytes)), bytes);
  }));
  assert.equal(formatIpAddress(parseIpAddress("0:0::1")!), "::1");
  for (const text of ["", "foo", "1.2.3", "1.2.3.4.5", "::1::", "1.2.3.256"]) {
    assert.equal(parseIpAddress(text), undefined, text);
  }
});
