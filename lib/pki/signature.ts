/**
 * Checks the signature on a certificate or a request. The algorithms are those that Go accepts,
 * which excludes SHA-1 and older digests.
 */
import { Buffer } from "node:buffer";
import { constants, type KeyObject, verify } from "node:crypto";
import { DerError, DerReader, Tag } from "./der.ts";

/** A body and the signature on it, of a certificate or a request. */
export interface Signed {
  /** The part that is signed. */
  readonly body: Uint8Array;
  /** DER. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
}

interface Algorithm {
  /** As Go calls it. */
  readonly name: string;
  /** As in `KeyObject.asymmetricKeyType`. */
  readonly keyType: "rsa" | "ec" | "ed25519";
  /** Null if the algorithm has its own. */
  readonly digest: "sha256" | "sha384" | "sha512" | null;
  readonly pss?: true;
}

const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  "1.2.840.113549.1.1.11": { name: "SHA256-RSA", keyType: "rsa", digest: "sha256" },
  "1.2.840.113549.1.1.12": { name: "SHA384-RSA", keyType: "rsa", digest: "sha384" },
  "1.2.840.113549.1.1.13": { name: "SHA512-RSA", keyType: "rsa", digest: "sha512" },
  "1.2.840.10045.4.3.2": { name: "ECDSA-SHA256", keyType: "ec", digest: "sha256" },
  "1.2.840.10045.4.3.3": { name: "ECDSA-SHA384", keyType: "ec", digest: "sha384" },
  "1.2.840.10045.4.3.4": { name: "ECDSA-SHA512", keyType: "ec", digest: "sha512" },
  "1.3.101.112": { name: "Ed25519", keyType: "ed25519", digest: null },
};

const RSA_PSS_OID = "1.2.840.113549.1.1.10";
const MGF1_OID = "1.2.840.113549.1.1.8";
/** Digests of RSA-PSS; the salt is as long as the digest. */
const PSS_DIGESTS: Readonly<Record<string, { digest: Algorithm["digest"]; bytes: number }>> = {
  "2.16.840.1.101.3.4.2.1": { digest: "sha256", bytes: 32 },
  "2.16.840.1.101.3.4.2.2": { digest: "sha384", bytes: 48 },
  "2.16.840.1.101.3.4.2.3": { digest: "sha512", bytes: 64 },
};

const INSECURE: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.4": "MD5-RSA",
  "1.2.840.113549.1.1.5": "SHA1-RSA",
  "1.2.840.10045.4.1": "ECDSA-SHA1",
};

/** Throws an `Error` that says why the signature is not by the owner of `key`. */
export function checkSignature(
  { body, signatureAlgorithm, signature }: Signed,
  key: KeyObject,
): void {
  const { keyType, digest, pss } = readAlgorithm(signatureAlgorithm);
  const actualType = key.asymmetricKeyType;
  if (actualType !== keyType && !(pss && actualType === "rsa-pss")) {
    throw new Error(
      `x509: signature algorithm specifies an ${keyType} public key, but have an ${actualType} one`,
    );
  }
  const valid = verify(
    digest,
    Buffer.from(body),
    pss
      ? {
        key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      }
      : key,
    Buffer.from(signature),
  );
  if (!valid) throw new Error("x509: the signature is not by the issuer's key");
}

/** What Go calls a signature algorithm in DER. Throws an `Error` for an insecure or unknown one. */
export function signatureAlgorithmName(signatureAlgorithm: Uint8Array): string {
  return readAlgorithm(signatureAlgorithm).name;
}

function readAlgorithm(der: Uint8Array): Algorithm {
  const fields = DerReader.unwrap(der);
  const oid = fields.oid();
  const insecure = INSECURE[oid];
  if (insecure !== undefined) {
    throw new Error(`x509: cannot verify signature: insecure algorithm ${insecure}`);
  }
  const algorithm = oid === RSA_PSS_OID ? readPss(fields.enter()) : ALGORITHMS[oid];
  if (algorithm === undefined) {
    throw new Error(`x509: cannot verify signature: algorithm ${oid} unimplemented`);
  }
  return algorithm;
}

/** The only form of the parameters in use: one digest throughout, and a salt of the same length. */
function readPss(fields: DerReader): Algorithm {
  const context = (number: number) => Tag.context(number, { constructed: true });
  const digestOid = fields.enter(context(0)).enter().oid();
  const mask = fields.enter(context(1)).enter();
  if (mask.oid() !== MGF1_OID || mask.enter().oid() !== digestOid) {
    throw new DerError("unusual parameters of RSA-PSS");
  }
  const { digest, bytes } = PSS_DIGESTS[digestOid] ?? { digest: null, bytes: 0 };
  const saltLength = fields.enter(context(2)).smallInteger();
  if (digest === null || saltLength !== bytes) {
    throw new DerError("unusual parameters of RSA-PSS");
  }
  const name = `${digest.toUpperCase()}-RSAPSS`;
  return { name, keyType: "rsa", digest, pss: true };
}
