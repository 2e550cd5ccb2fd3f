/**
 * Public keys in certificates and requests:
 *
 *     SubjectPublicKeyInfo ::= SEQUENCE { algorithm, subjectPublicKey BIT STRING }
 *     algorithm            ::= SEQUENCE { OID, parameters ANY OPTIONAL }
 */
import { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject } from "node:crypto";
import { messageOf } from "../base/error_message.ts";
import { DerReader } from "./der.ts";

/**
 * RFC 7518 (3.3) and TLS libraries require this; shorter private keys can be computed from public
 * ones.
 */
export const MIN_RSA_BITS = 2048;
/** The runtime cannot read longer public keys. */
export const MAX_RSA_BITS = 4096;

/**
 * Throws a `DerError` if `info` (DER) is not a SubjectPublicKeyInfo. The key in it may be anything.
 */
export function checkPublicKeyInfo(info: Uint8Array): void {
  const fields = DerReader.unwrap(info);
  const algorithm = fields.enter();
  algorithm.oid();
  if (!algorithm.atEnd) algorithm.element();
  algorithm.end();
  fields.wholeBitString();
  fields.end();
}

/** Throws an `Error` if the key is too weak, or of an unsupported kind. */
export function publicKeyOf(
  { publicKeyInfo }: { readonly publicKeyInfo: Uint8Array },
): KeyObject {
  const fields = DerReader.unwrap(publicKeyInfo);
  const algorithm = fields.enter().oid();
  try {
    const key = Buffer.from(publicKeyInfo);
    return checkKeyStrength(createPublicKey({ key, format: "der", type: "spki" }));
  } catch (cause) {
    if (cause instanceof WeakKeyError) throw cause;
    const reason = messageOf(cause);
    throw new Error(`x509: unusable public key of algorithm ${algorithm}: ${reason}`, { cause });
  }
}

/** The private key could be computed from the public one. */
export class WeakKeyError extends Error {
  override readonly name = "WeakKeyError";
}

/** Throws a `WeakKeyError` if `key`, public or private, is too weak; otherwise returns it. */
export function checkKeyStrength(key: KeyObject): KeyObject {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type !== "rsa" && type !== "rsa-pss") return key;
  const bits = details?.modulusLength ?? 0;
  if (bits >= MIN_RSA_BITS) return key;
  throw new WeakKeyError(
    `RSA key of ${bits} bits is too short: ${MIN_RSA_BITS} bits or more are required`,
  );
}
