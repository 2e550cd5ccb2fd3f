/** Certificates that an authority signed even though they are malformed. */
import assert from "node:assert/strict";
import { parseCertificate } from "../../lib/pki/certificate.ts";
import { der, DerError, derOid, Tag } from "../../lib/pki/der.ts";
import { extension, Field, makeCertificate, withFields } from "./_certificates.ts";

const ca = await makeCertificate({ commonName: "CA", ca: true });
const foo = await makeCertificate({ commonName: "foo", issuer: ca, nodeIds: ["foo"] });

const ALGORITHM = der(Tag.sequence, derOid("1.2.840.10045.2.1"), derOid("1.2.840.10045.3.1.7"));
const KEY_BITS = der(Tag.bitString, new Uint8Array([0, 4]), new Uint8Array(64));
const NULL = der(Tag.null);

Deno.test("a certificate with the well-formed parts that the next tests break is read", () => {
  const info = der(Tag.sequence, ALGORITHM, KEY_BITS);
  parseCertificate(withFields(foo, ca, { [Field.publicKeyInfo]: info }).der);
});

const MALFORMED_KEYS = {
  "something after it": der(Tag.sequence, ALGORITHM, KEY_BITS, NULL),
  "no bits": der(Tag.sequence, ALGORITHM),
  "octets for bits": der(Tag.sequence, ALGORITHM, der(Tag.octetString, new Uint8Array(65))),
  "half a byte": der(Tag.sequence, ALGORITHM, der(Tag.bitString, new Uint8Array([4, 4, 0x10]))),
  "no unused bits said": der(Tag.sequence, ALGORITHM, der(Tag.bitString)),
  "a set for an algorithm": der(Tag.sequence, der(Tag.set, derOid("1.3.101.112")), KEY_BITS),
  "no algorithm": der(Tag.sequence, der(Tag.sequence), KEY_BITS),
  "too many parameters": der(
    Tag.sequence,
    der(Tag.sequence, derOid("1.3.101.112"), NULL, NULL),
    KEY_BITS,
  ),
  "nothing at all": der(Tag.sequence),
};

for (const [fault, info] of Object.entries(MALFORMED_KEYS)) {
  Deno.test(`a certificate is refused whose public key has ${fault}`, () => {
    const { der } = withFields(foo, ca, { [Field.publicKeyInfo]: info });
    assert.throws(() => parseCertificate(der), DerError);
  });
}

const MALFORMED_EXTENSIONS = {
  "CRL distribution points that are none": ["2.5.29.31", NULL],
  "empty CRL distribution points' value": ["2.5.29.31", new Uint8Array()],
  "CRL distribution points with something after them": [
    "2.5.29.31",
    new Uint8Array([...der(Tag.sequence), 5, 0]),
  ],
  "a CRL distribution point that is none": ["2.5.29.31", der(Tag.sequence, NULL)],
  "CRL distribution points that end early": ["2.5.29.31", new Uint8Array([0x30, 5, 0])],
  "a key identifier that is no element": ["2.5.29.14", new Uint8Array([4, 9, 1])],
} satisfies Record<string, [string, Uint8Array<ArrayBuffer>]>;

for (const [fault, [oid, value]] of Object.entries(MALFORMED_EXTENSIONS)) {
  Deno.test(`a certificate is refused that has ${fault}`, async () => {
    const { der } = await makeCertificate({
      commonName: "foo",
      issuer: ca,
      extensions: [extension(oid as string, false, value as Uint8Array<ArrayBuffer>)],
    });
    assert.throws(() => parseCertificate(der), DerError);
  });
}
