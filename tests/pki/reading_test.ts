/** Names, times, PEM and fingerprints: the small things that certificates are made of. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { der, derOid, DerReader, Tag } from "../../lib/pki/der.ts";
import { formatName } from "../../lib/pki/distinguished_name.ts";
import { formatFingerprint, parseFingerprint } from "../../lib/pki/fingerprint.ts";
import { formatPem, parsePem } from "../../lib/pki/pem.ts";
import { formatTime, parseRfc3339, readTime } from "../../lib/pki/time.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a name is printed with its most specific part first", () => {
  const part = (oid: string, tag: number, value: Uint8Array) =>
    der(Tag.set, der(Tag.sequence, derOid(oid), der(tag, value)));
  const name = der(
    Tag.sequence,
    part("2.5.4.6", 0x13, bytes("DE")),
    part("2.5.4.10", 0x0c, bytes('Müller, "Söhne" + Co')),
    part("2.5.4.3", 0x1e, new Uint8Array([0, 0x66, 0x26, 0x03])),
    part("1.2.3", 0x0c, bytes(" x ")),
    part("2.5.4.11", 0x02, new Uint8Array([5])),
  );
  assert.equal(
    formatName(name),
    'OU=#05,1.2.3=\\ x\\ ,CN=f☃,O=Müller\\, \\"Söhne\\" \\+ Co,C=DE',
  );
  assert.equal(formatName(der(Tag.sequence)), "");
});

Deno.test("times of both forms are read, to the second", () => {
  const read = (tag: number, text: string) =>
    formatTime(readTime(new DerReader(der(tag, bytes(text)))));
  assert.equal(read(Tag.utcTime, "261121000001Z"), "2026-11-21T00:00:01Z");
  assert.equal(read(Tag.utcTime, "491231235959Z"), "2049-12-31T23:59:59Z");
  assert.equal(read(Tag.utcTime, "500101000000Z"), "1950-01-01T00:00:00Z");
  assert.equal(read(Tag.generalizedTime, "99991231235959Z"), "9999-12-31T23:59:59Z");
  assert.equal(read(Tag.generalizedTime, "00010101000000Z"), "0001-01-01T00:00:00Z");
  const refused: [number, string][] = [
    [Tag.utcTime, "20261121000001Z"],
    [Tag.generalizedTime, "261121000001Z"],
    [Tag.utcTime, "2611210000Z"],
    [Tag.utcTime, "261121000001+0100"],
    [Tag.utcTime, "261321000001Z"],
    [Tag.utcTime, "260230000001Z"],
    [Tag.utcTime, "261121240000Z"],
    [Tag.octetString, "261121000001Z"],
  ];
  for (const [tag, text] of refused) assert.throws(() => read(tag, text), SyntaxError, text);
});

Deno.test("RFC 3339 times are read in any zone", () => {
  const read = (text: string) => formatTime(parseRfc3339(text, "notafter"));
  assert.equal(read("2027-01-31T12:00:00Z"), "2027-01-31T12:00:00Z");
  assert.equal(read("2027-01-31t12:00:00.75z"), "2027-01-31T12:00:00Z");
  assert.equal(read("2027-01-31T00:30:00+01:00"), "2027-01-30T23:30:00Z");
  assert.equal(read("2027-01-31T23:30:00-01:00"), "2027-02-01T00:30:00Z");
  for (const text of ["", "tomorrow", "2027-01-31", "2027-01-31T12:00Z", "2027-02-30T00:00:00Z"]) {
    assert.throws(() => read(text), {
      name: "SyntaxError",
      message: `notafter ${
        JSON.stringify(text)
      } is not an RFC 3339 time such as 2027-01-31T12:00:00Z`,
    });
  }
});

Deno.test("PEM is read as it was written, among other text", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 })),
      fc.constantFrom("\n", "\r\n"),
      (all, newline) => {
        const text = all.map((data) => `Bag: x\n${formatPem("A KEY", data)}`).join("");
        const blocks = parsePem(text.replaceAll("\n", newline));
        assert.deepEqual(blocks.map(({ der }) => der), all.map((data) => new Uint8Array(data)));
      },
    ),
  );
  assert.equal(
    formatPem("X", new Uint8Array(49)),
    `-----BEGIN X-----\n${"A".repeat(64)}\nAA==\n-----END X-----\n`,
  );
});

Deno.test("what is not PEM is skipped, and headers are kept apart", () => {
  const broken =
    "-----BEGIN A-----\n????\n-----END A-----\n-----BEGIN A-----\nAA==\n-----END B-----\n";
  const withHeaders =
    "-----BEGIN C-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\nAA==\n-----END C-----";
  assert.deepEqual(parsePem(broken + withHeaders), [
    { label: "C", headers: "Proc-Type: 4,ENCRYPTED\nDEK-Info: X\n", der: new Uint8Array(1) },
  ]);
});

Deno.test("a fingerprint's length tells its digest", () => {
  const lengths = { sha224: 28, sha256: 32, sha384: 48, sha512: 64 };
  for (const [digest, length] of Object.entries(lengths)) {
    assert.equal(parseFingerprint("ab".repeat(length)).digest, digest);
  }
  assert.throws(() => parseFingerprint("abc"), /^SyntaxError: error decoding fingerprint: "abc"/);
  assert.throws(() => parseFingerprint(""), /^RangeError: fingerprints must be 28, 32, 48 or 64/);
  assert.equal(
    formatFingerprint(bytes("abc")).slice(0, 18),
    "sha256 BA:78:16:BF",
  );
});
