/** Keys that the commands make or read, and their form in files. */
import { createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { formatPem } from "./pem.ts";
import { MAX_RSA_BITS, MIN_RSA_BITS } from "./public_key.ts";

/** A kind of key: RSA, or the NIST curve of that many bits. */
export interface KeySpec {
  readonly type: "rsa" | "ec";
  readonly bits: number;
}

/** As in the original if `bits` is 0. */
const DEFAULT_RSA_BITS = 2048;
const DEFAULT_EC_BITS = 256;

/** Not 521, which cannot secure streams over the mesh: the QUIC core does not support such keys. */
const EC_BITS = [256, 384];

/** By bits: the curve's names in `node:crypto` and in WebCrypto, and the digest used with it. */
const CURVES = new Map([
  [256, { name: "prime256v1", namedCurve: "P-256", hash: "SHA-256" }],
  [384, { name: "secp384r1", namedCurve: "P-384", hash: "SHA-384" }],
  [521, { name: "secp521r1", namedCurve: "P-521", hash: "SHA-512" }],
]);

/**
 * Reads the parameters `keytype` and `bits`; without them, RSA of 2048 bits. Throws a `RangeError`
 * that says what is allowed.
 */
export function parseKeySpec(
  { keyType = "rsa", bits }: { keyType?: string | undefined; bits?: number | undefined },
): KeySpec {
  if (keyType === "rsa") {
    const length = bits || DEFAULT_RSA_BITS;
    if (!(length >= MIN_RSA_BITS && length <= MAX_RSA_BITS)) {
      throw new RangeError(
        `bits of an RSA key must be ${MIN_RSA_BITS} to ${MAX_RSA_BITS}, not ${length}`,
      );
    }
    return { type: "rsa", bits: length };
  }
  if (keyType === "ec") {
    const length = bits || DEFAULT_EC_BITS;
    if (!EC_BITS.includes(length)) {
      throw new RangeError(`bits of an EC key must be ${EC_BITS.join(" or ")}, not ${length}`);
    }
    return { type: "ec", bits: length };
  }
  throw new RangeError(`keytype must be rsa or ec, not ${JSON.stringify(keyType)}`);
}

/** Makes a private key. */
export async function generateKey(spec: KeySpec): Promise<KeyObject> {
  const generate = promisify(generateKeyPair);
  const { privateKey } = spec.type === "rsa"
    ? await generate("rsa", { modulusLength: spec.bits })
    : await generate("ec", { namedCurve: CURVES.get(spec.bits)!.name });
  return privateKey;
}

/** PEM in the form that the original writes and reads for RSA; PKCS #8 for others. */
export function formatPrivateKey(key: KeyObject): string {
  return key.asymmetricKeyType === "rsa"
    ? formatPem("RSA PRIVATE KEY", key.export({ format: "der", type: "pkcs1" }))
    : formatPem("PRIVATE KEY", key.export({ format: "der", type: "pkcs8" }));
}

/** A private key with its public half, ready to sign certificates. */
export interface SigningKeys extends CryptoKeyPair {
  readonly algorithm: { readonly name: string; readonly hash?: string };
}

/** Throws a `TypeError` for a kind of key that cannot sign certificates. */
export async function signingKeysOf(key: KeyObject): Promise<SigningKeys> {
  const algorithm = algorithmOf(key);
  const pkcs8 = new Uint8Array(key.export({ format: "der", type: "pkcs8" }));
  const spki = new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }));
  return {
    privateKey: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]),
    publicKey: await crypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]),
    algorithm,
  };
}

function algorithmOf(key: KeyObject) {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    case "ed25519":
      return { name: "Ed25519" };
    case "ec": {
      const name = key.asymmetricKeyDetails?.namedCurve;
      const curve = [...CURVES.values()].find((candidate) => candidate.name === name);
      if (curve !== undefined) {
        return { name: "ECDSA", namedCurve: curve.namedCurve, hash: curve.hash };
      }
      throw new TypeError(`cannot sign certificates with a key on curve ${name}`);
    }
    default:
      throw new TypeError(`cannot sign certificates with a key of type ${key.asymmetricKeyType}`);
  }
}
