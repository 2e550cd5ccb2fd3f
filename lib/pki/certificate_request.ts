/** Certificate requests (PKCS #10, RFC 2986): names and a public key, signed by its owner. */
import type { KeyObject } from "node:crypto";
import { DerReader, Tag } from "./der.ts";
import { formatName } from "./distinguished_name.ts";
import { signingKeysOf } from "./key_pair.ts";
import { formatPem } from "./pem.ts";
import { publicKeyOf } from "./public_key.ts";
import {
  type AlternativeNames,
  makeAlternativeNames,
  NO_NAMES,
  readAlternativeNames,
  SUBJECT_ALT_NAME_OID,
} from "./receptor_names.ts";
import { checkSignature, signatureAlgorithmName } from "./signature.ts";
import { loadX509 } from "./x509_library.ts";

export interface CertificateRequest {
  /** DER. */
  readonly subject: Uint8Array;
  readonly subjectText: string;
  readonly publicKeyInfo: Uint8Array;
  readonly publicKey: KeyObject;
  /** Such as `SHA256-RSA`. */
  readonly signatureAlgorithm: string;
  readonly names: AlternativeNames;
}

const ATTRIBUTES = Tag.context(0, { constructed: true });
const EXTENSION_REQUEST_OID = "1.2.840.113549.1.9.14";

/** Makes a request for the owner of `privateKey`; returns its PEM. */
export async function makeRequest(
  privateKey: KeyObject,
  { commonName, names }: { readonly commonName: string; readonly names: AlternativeNames },
): Promise<string> {
  const x509 = await loadX509();
  const keys = await signingKeysOf(privateKey);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: keys.algorithm,
    extensions: [new x509.Extension(SUBJECT_ALT_NAME_OID, false, makeAlternativeNames(names))],
  });
  return formatPem("CERTIFICATE REQUEST", new Uint8Array(request.rawData));
}

/**
 * Reads the DER of a request. Throws a `DerError` if it is not one, an `Error` if it is not signed
 * by the owner of its key.
 */
export function parseRequest(der: Uint8Array): CertificateRequest {
  const outer = DerReader.unwrap(der);
  const body = outer.expect(Tag.sequence);
  const algorithm = outer.expect(Tag.sequence).whole;
  const signature = outer.wholeBitString();
  outer.end();

  const fields = new DerReader(body.contents);
  fields.smallInteger(); // The version; there is only one.
  const subject = fields.expect(Tag.sequence).whole;
  const publicKeyInfo = fields.expect(Tag.sequence).whole;
  const names = fields.atEnd ? NO_NAMES : readRequestedNames(fields.enter(ATTRIBUTES));
  fields.end();

  const publicKey = publicKeyOf({ publicKeyInfo });
  checkSignature({ body: body.whole, signatureAlgorithm: algorithm, signature }, publicKey);
  return {
    subject,
    subjectText: formatName(subject),
    publicKeyInfo,
    publicKey,
    signatureAlgorithm: signatureAlgorithmName(algorithm),
    names,
  };
}

function readRequestedNames(attributes: DerReader): AlternativeNames {
  let names = NO_NAMES;
  while (!attributes.atEnd) {
    const attribute = attributes.enter();
    if (attribute.oid() !== EXTENSION_REQUEST_OID) continue;
    const extensions = attribute.enter(Tag.set).enter();
    while (!extensions.atEnd) {
      const extension = extensions.enter();
      const oid = extension.oid();
      extension.optionalBoolean();
      if (oid === SUBJECT_ALT_NAME_OID) {
        names = readAlternativeNames(extension.read(Tag.octetString));
      }
    }
  }
  return names;
}
