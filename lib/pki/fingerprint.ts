/** Pinned certificates: the digest of a whole certificate, in hex, with or without colons. */
import { createHash } from "node:crypto";
import { sameBytes } from "./same_bytes.ts";

const DIGEST_BY_LENGTH = new Map([
  [28, "sha224"],
  [32, "sha256"],
  [48, "sha384"],
  [64, "sha512"],
]);

export interface Fingerprint {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads a fingerprint; its length determines the digest. Throws a `SyntaxError` or `RangeError`
 * that begins like the original's.
 */
export function parseFingerprint(text: string): Fingerprint {
  const hex = text.replaceAll(":", "");
  if (!/^(?:[0-9a-f]{2})*$/i.test(hex)) {
    throw new SyntaxError(`error decoding fingerprint: ${JSON.stringify(text)} is not hexadecimal`);
  }
  const bytes = Uint8Array.fromHex(hex);
  const digest = DIGEST_BY_LENGTH.get(bytes.length);
  if (digest === undefined) {
    throw new RangeError(
      "fingerprints must be 28, 32, 48 or 64 bytes for sha224, sha256, sha384 or sha512, " +
        `this one has ${bytes.length}: ${JSON.stringify(text)}`,
    );
  }
  return { digest, bytes };
}

/** Whether any of `pins` is the fingerprint of the certificate in `der`. */
export function matchesFingerprint(der: Uint8Array, pins: readonly Fingerprint[]): boolean {
  return pins.some(({ digest, bytes }) => sameBytes(digestOf(der, digest), bytes));
}

/** As tools print it: `sha256 AB:CD:…`. */
export function formatFingerprint(der: Uint8Array, digest = "sha256"): string {
  const hex = digestOf(der, digest).toHex().toUpperCase();
  return `${digest} ${hex.match(/../g)!.join(":")}`;
}

function digestOf(der: Uint8Array, digest: string): Uint8Array {
  return new Uint8Array(createHash(digest).update(der).digest());
}
