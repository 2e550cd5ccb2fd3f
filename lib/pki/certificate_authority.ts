/** Makes certificates: the authority's own and those that it signs. */
import type { KeyObject } from "node:crypto";
import type { Random } from "../base/random.ts";
import { KeyPurpose } from "./certificate.ts";
import type { CertificateRequest } from "./certificate_request.ts";
import { signingKeysOf } from "./key_pair.ts";
import { formatPem } from "./pem.ts";
import { makeAlternativeNames, SUBJECT_ALT_NAME_OID } from "./receptor_names.ts";
import { loadX509 } from "./x509_library.ts";

/** From when to when a certificate is valid; milliseconds since 1970. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Authority {
  /** DER of its certificate. */
  readonly certificate: Uint8Array;
  readonly privateKey: KeyObject;
}

/** A serial number of 127 random bits is unpredictable and never repeats. */
const SERIAL_BYTES = 16;

/** Makes the self-signed certificate of a new authority; returns its PEM. */
export async function makeAuthorityCertificate(
  random: Random,
  privateKey: KeyObject,
  { commonName, ...validity }: Validity & { readonly commonName: string },
): Promise<string> {
  const x509 = await loadX509();
  const keys = await signingKeysOf(privateKey);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(random),
    name: [{ CN: [commonName] }],
    notBefore: new Date(validity.notBefore),
    notAfter: new Date(validity.notAfter),
    keys,
    signingAlgorithm: keys.algorithm,
    extensions: [
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign,
        true,
      ),
      new x509.ExtendedKeyUsageExtension([KeyPurpose.clientAuth, KeyPurpose.serverAuth]),
      new x509.BasicConstraintsExtension(true, undefined, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return formatPem("CERTIFICATE", new Uint8Array(certificate.rawData));
}

/** Makes the certificate that `request` asks for; returns its PEM. */
export async function signRequest(
  random: Random,
  authority: Authority,
  request: CertificateRequest,
  validity: Validity,
): Promise<string> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(copy(authority.certificate));
  const keys = await signingKeysOf(authority.privateKey);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(random),
    subject: new x509.Name(copy(request.subject)),
    issuer: issuer.subjectName,
    notBefore: new Date(validity.notBefore),
    notAfter: new Date(validity.notAfter),
    publicKey: new x509.PublicKey(copy(request.publicKeyInfo)),
    signingKey: keys.privateKey,
    signingAlgorithm: keys.algorithm,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([KeyPurpose.clientAuth, KeyPurpose.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      new x509.Extension(SUBJECT_ALT_NAME_OID, false, makeAlternativeNames(request.names)),
    ],
  });
  return formatPem("CERTIFICATE", new Uint8Array(certificate.rawData));
}

function randomSerial(random: Random): string {
  const bytes = random.fill(new Uint8Array(SERIAL_BYTES));
  // Positive, and never short: the first byte is 0x40 to 0x7f.
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toHex();
}

/** The library reads whole buffers, not views. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes);
}
