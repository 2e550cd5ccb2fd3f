/** Names of subjects and issuers (X.501) as text for people: `CN=foo,O=Example`. */
import { DerError, DerReader, Tag } from "./der.ts";

const SHORT_NAMES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "SERIALNUMBER",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.17": "POSTALCODE",
  "0.9.2342.19200300.100.1.25": "DC",
};

const STRING_DECODERS: Readonly<Record<number, (bytes: Uint8Array) => string>> = {
  [Tag.utf8String]: utf8,
  0x12: latin1, // NumericString
  0x13: latin1, // PrintableString
  0x14: latin1, // T61String, in practice Latin-1
  0x16: latin1, // IA5String
  0x1e: (bytes) => new TextDecoder("utf-16be").decode(bytes), // BMPString
};

/**
 * The most specific part first, as in RFC 4514 and the original. Throws a `DerError` if `name` is
 * not the DER of a name.
 */
export function formatName(name: Uint8Array): string {
  const parts: string[] = [];
  const sequence = DerReader.unwrap(name);
  while (!sequence.atEnd) {
    const attributes: string[] = [];
    const set = sequence.enter(Tag.set);
    while (!set.atEnd) attributes.push(readAttribute(set.enter()));
    if (attributes.length === 0) throw new DerError("empty part of a name");
    parts.unshift(attributes.join("+"));
  }
  return parts.join(",");
}

function readAttribute(attribute: DerReader): string {
  const type = attribute.oid();
  const { tag, contents } = attribute.element();
  attribute.end();
  const decode = STRING_DECODERS[tag];
  const name = SHORT_NAMES[type] ?? type;
  return decode === undefined
    ? `${name}=#${contents.toHex()}`
    : `${name}=${escape(decode(contents))}`;
}

function escape(value: string): string {
  return value.replace(/[,+"\\<>;]|^[# ]| $/g, "\\$&");
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 1024));
}
