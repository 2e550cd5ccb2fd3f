/** The reader takes DER and nothing else; what the writer makes, it reads. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { der, DerError, derOid, DerReader, Tag } from "../../lib/pki/der.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

Deno.test("DER: what is written is read back, whatever its length", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 70_000 }), (contents) => {
    fc.pre(contents.length <= 0xffff);
    const reader = new DerReader(der(Tag.octetString, contents));
    assert.deepEqual(reader.read(Tag.octetString), new Uint8Array(contents));
    reader.end();
  }));
  assert.throws(() => der(Tag.octetString, new Uint8Array(0x10000)), RangeError);
});

Deno.test("DER: object identifiers are read as they were written", () => {
  const component = fc.nat({ max: 2 ** 31 });
  fc.assert(
    fc.property(
      fc.nat({ max: 2 }),
      fc.nat({ max: 39 }),
      fc.array(component),
      (root, second, rest) => {
        const oid = [root, second, ...rest].join(".");
        assert.equal(new DerReader(derOid(oid)).oid(), oid);
      },
    ),
  );
  assert.equal(derOid("1.3.6.1.4.1.2312.19.1").toHex(), "06092b0601040192081301");
  assert.equal(derOid("2.999").toHex(), "06028837");
});

Deno.test("DER: encodings that are not the distinguished one are refused", () => {
  const refused: [string, string, (reader: DerReader) => unknown][] = [
    ["30", "data ends early", (reader) => reader.element()],
    ["30 05 00", "data ends early", (reader) => reader.element()],
    ["30 80 00 00", "length out of range", (reader) => reader.element()],
    ["30 81 05 00 00 00 00 00", "length is not minimal", (reader) => reader.element()],
    ["30 82 00 05 00 00 00 00 00", "length is not minimal", (reader) => reader.element()],
    ["30 83 01 00 00", "length out of range", (reader) => reader.element()],
    ["1f 81 01 00", "tag of more than one byte", (reader) => reader.element()],
    ["02 00", "empty integer", (reader) => reader.unsignedInteger()],
    ["02 01 80", "negative integer", (reader) => reader.unsignedInteger()],
    ["02 02 00 7f", "integer is not minimal", (reader) => reader.unsignedInteger()],
    ["02 05 01 00 00 00 00", "integer out of range", (reader) => reader.smallInteger()],
    ["01 01 01", "malformed boolean", (reader) => reader.optionalBoolean()],
    ["01 02 ff ff", "malformed boolean", (reader) => reader.optionalBoolean()],
    ["06 00", "malformed object identifier", (reader) => reader.oid()],
    ["06 02 80 01", "malformed object identifier", (reader) => reader.oid()],
    ["06 01 81", "malformed object identifier", (reader) => reader.oid()],
    [
      "06 09 ff ff ff ff ff ff ff ff 7f",
      "object identifier out of range",
      (reader) => reader.oid(),
    ],
    ["03 02 01 80", "bit string is not made of whole bytes", (reader) => reader.wholeBitString()],
    ["30 00 00", "data after the end", (reader) => (reader.enter(), reader.end())],
    ["31 00", "expected tag 0x30, found 0x31", (reader) => reader.enter()],
    ["", "expected tag 0x30, found the end", (reader) => reader.enter()],
  ];
  for (const [bytes, message, read] of refused) {
    assert.throws(() => read(new DerReader(hex(bytes))), new DerError(message), bytes);
  }
});

Deno.test("DER: any bytes at all are read or refused", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    const reader = new DerReader(bytes);
    try {
      while (!reader.atEnd) reader.element();
    } catch (error) {
      assert.ok(error instanceof DerError);
    }
  }));
});
