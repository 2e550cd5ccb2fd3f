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

/** RFC 7518 (3.3) and TLS libraries want this much; shorter keys can be computed from public ones. */
export const MIN_RSA_BITS = 2048;
/** The runtime reads no longer public keys. */
export const MAX_RSA_BITS = 4096;

/** Throws a `DerError` when `info` (DER) is no SubjectPublicKeyInfo. The key in it may be any. */
export function checkPublicKeyInfo(info: Uint8Array): void {
  const fields = DerReader.unwrap(info);
  const algorithm = fields.enter();
  algorithm.oid();
  if (!algorithm.atEnd) algorithm.element();
  algorithm.end();
  fields.wholeBitString();
  fields.end();
}

/** Throws an `Error` when the key is too weak, or of a kind that nobody here can use. */
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

/** A key that could be computed from public ones. */
export class WeakKeyError extends Error {
  override readonly name = "WeakKeyError";
}

/** Throws a `WeakKeyError` when `key`, public or private, is too weak; returns it otherwise. */
export function checkKeyStrength(key: KeyObject): KeyObject {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type !== "rsa" && type !== "rsa-pss") return key;
  const bits = details?.modulusLength ?? 0;
  if (bits >= MIN_RSA_BITS) return key;
  throw new WeakKeyError(
    `RSA key of ${bits} bits is too short: ${MIN_RSA_BITS} bits or more are wanted`,
  );
}
