/** Node ids in a subjectAltName, byte for byte as the original writes them. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { der, DerError, derOid, Tag } from "../../lib/pki/der.ts";
import { parseIpAddress } from "../../lib/pki/host_name.ts";
import { makeAlternativeNames, readAlternativeNames } from "../../lib/pki/receptor_names.ts";

/** Made by the original: localhost, 127.0.0.1, ::1, nodes foo and foo2. */
const BY_THE_ORIGINAL =
  "304c82096c6f63616c686f737487047f000001871000000000000000000000000000000001" +
  "a01206092b0601040192081301a0050c03666f6fa01306092b0601040192081301a0060c04666f6f32";

const NAMES = {
  dnsNames: ["localhost"],
  ipAddresses: ["127.0.0.1", "::1"].map((text) => parseIpAddress(text)!),
  nodeIds: ["foo", "foo2"],
};

Deno.test("names in a certificate are written as the original does", () => {
  assert.equal(makeAlternativeNames(NAMES).toHex(), BY_THE_ORIGINAL);
});

Deno.test("names that the original wrote are read", () => {
  assert.deepEqual(readAlternativeNames(Uint8Array.fromHex(BY_THE_ORIGINAL)), NAMES);
});

Deno.test("names are read as they were written, in any script", () => {
  const nodeId = fc.string({ unit: "grapheme", minLength: 1, maxLength: 50 });
  const dnsName = fc.stringMatching(/^[a-z0-9.-]{1,60}$/);
  fc.assert(
    fc.property(
      fc.array(nodeId),
      fc.array(dnsName),
      fc.array(fc.ipV4()),
      (nodeIds, dnsNames, ips) => {
        const names = { nodeIds, dnsNames, ipAddresses: ips.map((ip) => parseIpAddress(ip)!) };
        assert.deepEqual(readAlternativeNames(makeAlternativeNames(names)), names);
      },
    ),
  );
});

Deno.test("names of other kinds are skipped", () => {
  const principal = der(
    0xa0,
    derOid("1.3.6.1.4.1.311.20.2.3"),
    der(0xa0, der(Tag.utf8String, new TextEncoder().encode("foo"))),
  );
  const email = der(0x81, new TextEncoder().encode("foo@example.org"));
  const extension = der(Tag.sequence, principal, email);
  assert.deepEqual(readAlternativeNames(extension), { nodeIds: [], dnsNames: [], ipAddresses: [] });
});

Deno.test("malformed names are refused", () => {
  const receptorName = (value: Uint8Array) =>
    der(Tag.sequence, der(0xa0, derOid("1.3.6.1.4.1.2312.19.1"), value));
  const utf8 = (...bytes: number[]) => der(Tag.utf8String, Uint8Array.from(bytes));
  const refused: [Uint8Array, RegExp][] = [
    [receptorName(utf8(0x66)), /expected tag 0xa0, found 0xc/],
    [receptorName(der(0xa0, der(0x13, new Uint8Array([0x66])))), /expected tag 0xc, found 0x13/],
    [receptorName(der(0xa0, utf8(0xc3))), /not UTF-8/],
    [receptorName(der(0xa0, utf8(0x66), utf8(0x66))), /data after the end/],
    [der(Tag.sequence, der(0x87, new Uint8Array(5))), /IP address of 5 bytes/],
    [der(Tag.sequence, der(0x82, new Uint8Array([0xe9]))), /not ASCII/],
    [der(Tag.set), /expected tag 0x30/],
  ];
  for (const [extension, message] of refused) {
    assert.throws(() => readAlternativeNames(extension), (error) => {
      assert.ok(error instanceof DerError);
      assert.match(error.message, message);
      return true;
    });
  }
});
