/**
 * Node ids in certificates: in the subjectAltName, as an `otherName` of Receptor's own type that
 * holds a UTF8String. A certificate may name several nodes.
 *
 *     SubjectAltName ::= SEQUENCE OF GeneralName
 *     otherName   [0] { OID 1.3.6.1.4.1.2312.19.1, [0] { UTF8String node id } }
 *     dNSName     [2] IA5String
 *     iPAddress   [7] OCTET STRING (4 or 16 bytes)
 */
import { der, DerError, derOid, DerReader, Tag } from "./der.ts";

export const RECEPTOR_NAME_OID = "1.3.6.1.4.1.2312.19.1";
export const SUBJECT_ALT_NAME_OID = "2.5.29.17";

const OTHER_NAME = Tag.context(0, { constructed: true });
const DNS_NAME = Tag.context(2, { constructed: false });
const IP_ADDRESS = Tag.context(7, { constructed: false });
const EXPLICIT_VALUE = Tag.context(0, { constructed: true });

export interface AlternativeNames {
  readonly nodeIds: readonly string[];
  readonly dnsNames: readonly string[];
  /** 4 or 16 bytes each. */
  readonly ipAddresses: readonly Uint8Array[];
}

export const NO_NAMES: AlternativeNames = { nodeIds: [], dnsNames: [], ipAddresses: [] };

/**
 * Reads the value of a subjectAltName extension; names of other kinds are skipped. Throws a
 * `DerError` if it is malformed, a node id that is not UTF-8 included.
 */
export function readAlternativeNames(extension: Uint8Array): AlternativeNames {
  const nodeIds: string[] = [];
  const dnsNames: string[] = [];
  const ipAddresses: Uint8Array[] = [];
  const names = DerReader.unwrap(extension);
  while (!names.atEnd) {
    const { tag, contents } = names.element();
    if (tag === OTHER_NAME) {
      const nodeId = readReceptorName(new DerReader(contents));
      if (nodeId !== undefined) nodeIds.push(nodeId);
    } else if (tag === DNS_NAME) {
      dnsNames.push(readAscii(contents));
    } else if (tag === IP_ADDRESS) {
      if (contents.length !== 4 && contents.length !== 16) {
        throw new DerError(`IP address of ${contents.length} bytes`);
      }
      ipAddresses.push(contents);
    }
  }
  return { nodeIds, dnsNames, ipAddresses };
}

/** The value of a subjectAltName extension, in the order in which the original writes names. */
export function makeAlternativeNames(names: AlternativeNames): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  return der(
    Tag.sequence,
    ...names.dnsNames.map((name) => der(DNS_NAME, text.encode(name))),
    ...names.ipAddresses.map((address) => der(IP_ADDRESS, address)),
    ...names.nodeIds.map((nodeId) =>
      der(
        OTHER_NAME,
        derOid(RECEPTOR_NAME_OID),
        der(EXPLICIT_VALUE, der(Tag.utf8String, text.encode(nodeId))),
      )
    ),
  );
}

function readReceptorName(otherName: DerReader): string | undefined {
  if (otherName.oid() !== RECEPTOR_NAME_OID) return undefined;
  const value = otherName.enter(EXPLICIT_VALUE);
  otherName.end();
  const bytes = value.read(Tag.utf8String);
  value.end();
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new DerError("node id that is not UTF-8", { cause });
  }
}

function readAscii(bytes: Uint8Array): string {
  if (bytes.some((byte) => byte >= 0x80)) throw new DerError("DNS name that is not ASCII");
  return new TextDecoder().decode(bytes);
}
