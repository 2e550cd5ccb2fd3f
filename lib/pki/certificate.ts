/** A certificate (RFC 5280), as far as this room checks it. */
import { DerError, DerReader, Tag } from "./der.ts";
import { formatName } from "./distinguished_name.ts";
import { type NameConstraints, readNameConstraints } from "./name_constraints.ts";
import { checkPublicKeyInfo } from "./public_key.ts";
import {
  type AlternativeNames,
  NO_NAMES,
  readAlternativeNames,
  SUBJECT_ALT_NAME_OID,
} from "./receptor_names.ts";
import { sameBytes } from "./same_bytes.ts";
import { readTime } from "./time.ts";

/** Purposes that an extended key usage extension may list. */
export const KeyPurpose = {
  any: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** What a certificate says about its right to sign others. */
export interface BasicConstraints {
  readonly isCa: boolean;
  /** How many intermediates may follow below it; undefined for any number. */
  readonly maxPathLength: number | undefined;
}

export interface Certificate {
  readonly der: Uint8Array;
  /** The part that is signed. */
  readonly body: Uint8Array;
  /** 1, 2 or 3. */
  readonly version: number;
  /** Big-endian. */
  readonly serialNumber: Uint8Array;
  /** DER, compared byte by byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly issuerText: string;
  readonly subjectText: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** DER of the public key with its algorithm. */
  readonly publicKeyInfo: Uint8Array;
  /** DER of the algorithm of the issuer's signature. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
  readonly names: AlternativeNames;
  /** Undefined if there is no such extension. */
  readonly basicConstraints: BasicConstraints | undefined;
  /** Whether the key usage extension, if any, allows signing certificates. */
  readonly maySignCertificates: boolean;
  /** Empty for any purpose. */
  readonly purposes: readonly string[];
  readonly nameConstraints: NameConstraints | undefined;
  /** Critical extensions that this code does not understand. */
  readonly unknownCritical: readonly string[];
}

type Extensions = Pick<
  Certificate,
  | "names"
  | "basicConstraints"
  | "maySignCertificates"
  | "purposes"
  | "nameConstraints"
  | "unknownCritical"
>;

const EXPLICIT_ZERO = Tag.context(0, { constructed: true });
const EXTENSIONS = Tag.context(3, { constructed: true });
/** Longest serial number (RFC 5280, 4.1.2.2). */
const MAX_SERIAL_BYTES = 20;
/** The extensions of RFC 5280 itself. */
const CERTIFICATE_EXTENSIONS = "2.5.29.";
const CRL_DISTRIBUTION_POINTS_OID = "2.5.29.31";
/** Bit 5 of a key usage, counted from the highest (RFC 5280, 4.2.1.3). */
const KEY_CERT_SIGN = 0x04;

/** Throws a `DerError` if `bytes` are not exactly one certificate. */
export function parseCertificate(bytes: Uint8Array): Certificate {
  const outer = DerReader.unwrap(bytes);
  const body = outer.expect(Tag.sequence);
  const signatureAlgorithm = outer.expect(Tag.sequence).whole;
  const signature = outer.wholeBitString();
  outer.end();

  const fields = new DerReader(body.contents);
  const version = readVersion(fields);
  const serialNumber = fields.unsignedInteger();
  if (serialNumber.length > MAX_SERIAL_BYTES) throw new DerError("serial number is too long");
  if (!sameBytes(fields.expect(Tag.sequence).whole, signatureAlgorithm)) {
    throw new DerError("the two signature algorithms differ");
  }
  const issuer = fields.expect(Tag.sequence).whole;
  const validity = fields.enter();
  const notBefore = readTime(validity);
  const notAfter = readTime(validity);
  validity.end();
  const subject = fields.expect(Tag.sequence).whole;
  const publicKeyInfo = fields.expect(Tag.sequence).whole;
  checkPublicKeyInfo(publicKeyInfo);
  const extensions = version === 3 ? readExtensions(fields) : NO_EXTENSIONS;
  fields.end();

  return {
    der: bytes,
    body: body.whole,
    version,
    serialNumber,
    issuer,
    subject,
    issuerText: formatName(issuer),
    subjectText: formatName(subject),
    notBefore,
    notAfter,
    publicKeyInfo,
    signatureAlgorithm,
    signature,
    ...extensions,
  };
}

function readVersion(fields: DerReader): number {
  if (fields.nextTag !== EXPLICIT_ZERO) return 1;
  const explicit = fields.enter(EXPLICIT_ZERO);
  const version = explicit.smallInteger() + 1;
  explicit.end();
  if (version !== 2 && version !== 3) throw new DerError(`certificate of version ${version}`);
  return version;
}

const NO_EXTENSIONS: Extensions = {
  names: NO_NAMES,
  basicConstraints: undefined,
  maySignCertificates: true,
  purposes: [],
  nameConstraints: undefined,
  unknownCritical: [],
};

function readExtensions(fields: DerReader): Extensions {
  const result: { -readonly [K in keyof Extensions]: Extensions[K] } = { ...NO_EXTENSIONS };
  if (fields.atEnd) return result;
  const explicit = fields.enter(EXTENSIONS);
  const list = explicit.enter();
  explicit.end();
  const seen = new Set<string>();
  const unknownCritical: string[] = [];
  while (!list.atEnd) {
    const extension = list.enter();
    const oid = extension.oid();
    const critical = extension.optionalBoolean();
    const value = extension.read(Tag.octetString);
    extension.end();
    if (seen.has(oid)) throw new DerError(`extension ${oid} twice`);
    seen.add(oid);
    switch (oid) {
      case SUBJECT_ALT_NAME_OID:
        result.names = readAlternativeNames(value);
        break;
      case "2.5.29.19":
        result.basicConstraints = readBasicConstraints(DerReader.unwrap(value));
        break;
      case "2.5.29.15":
        result.maySignCertificates = readKeyUsage(value);
        break;
      case "2.5.29.37":
        result.purposes = readPurposes(DerReader.unwrap(value));
        break;
      case "2.5.29.30":
        result.nameConstraints = readNameConstraints(DerReader.unwrap(value));
        if (critical && result.nameConstraints.incomplete) unknownCritical.push(oid);
        break;
      default:
        if (oid.startsWith(CERTIFICATE_EXTENSIONS)) checkUnread(oid, value);
        if (critical) unknownCritical.push(oid);
    }
  }
  result.unknownCritical = unknownCritical;
  return result;
}

/**
 * Extensions that nothing here uses must still be well-formed: the runtime checks the handshake's
 * signature, and accepts any if it cannot read these in the certificate.
 */
function checkUnread(oid: string, value: Uint8Array): void {
  const reader = new DerReader(value);
  const { tag, contents } = reader.element();
  reader.end();
  if (oid !== CRL_DISTRIBUTION_POINTS_OID) return;
  if (tag !== Tag.sequence) throw new DerError("malformed CRL distribution points");
  const points = new DerReader(contents);
  while (!points.atEnd) {
    const point = points.enter();
    const names = point.optional(EXPLICIT_ZERO);
    while (!point.atEnd) point.element();
    if (names === undefined) continue;
    const fullName = DerReader.unwrap(names, EXPLICIT_ZERO);
    while (!fullName.atEnd) fullName.element();
  }
}

function readBasicConstraints(fields: DerReader): BasicConstraints {
  const isCa = fields.optionalBoolean();
  const maxPathLength = fields.nextTag === Tag.integer ? fields.smallInteger() : undefined;
  fields.end();
  return { isCa, maxPathLength };
}

function readKeyUsage(value: Uint8Array): boolean {
  const reader = new DerReader(value);
  const [unusedBits, firstBits = 0] = reader.read(Tag.bitString);
  reader.end();
  const lastBits = value.at(-1)!;
  const isPadded = unusedBits !== undefined && unusedBits <= 7 &&
    (lastBits & (1 << unusedBits) - 1) === 0;
  if (!isPadded) throw new DerError("malformed key usage");
  return (firstBits & KEY_CERT_SIGN) !== 0;
}

function readPurposes(list: DerReader): string[] {
  const purposes: string[] = [];
  while (!list.atEnd) purposes.push(list.oid());
  if (purposes.length === 0) throw new DerError("extended key usage without a purpose");
  return purposes;
}
