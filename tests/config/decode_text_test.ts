import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decodeText, UnreadableText } from "../../lib/config/decode_text.ts";

const TEXT = "- node: {id: foo} # ä\n";

function utf16(text: string, options: { bigEndian: boolean }): Uint8Array {
  const bytes = Buffer.from(text, "utf16le");
  return options.bigEndian ? bytes.swap16() : bytes;
}

Deno.test("UTF-8 is read with a byte order mark or without", () => {
  for (const mark of ["", "\ufeff"]) {
    assert.equal(decodeText(new TextEncoder().encode(mark + TEXT)), TEXT);
  }
  assert.equal(decodeText(new Uint8Array()), "");
});

for (const bigEndian of [true, false]) {
  const order = bigEndian ? "big" : "little";
  Deno.test(`UTF-16 in ${order}-endian order is read with a mark, and named without`, () => {
    assert.equal(decodeText(utf16(`\ufeff${TEXT}`, { bigEndian })), TEXT);
    assert.throws(() => decodeText(utf16(TEXT, { bigEndian })), /the file seems to be UTF-16/);
  });
}

Deno.test("a text in an unknown encoding is reported as such", () => {
  const latin1 = Buffer.from(TEXT, "latin1");
  assert.throws(() => decodeText(latin1), UnreadableText);
});
