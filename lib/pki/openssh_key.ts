/**
 * RSA private keys as `ssh-keygen` writes them, which the original accepts for signing work. The
 * form is that of OpenSSH's PROTOCOL.key, without encryption:
 *
 *     "openssh-key-v1\0"
 *     string cipher, string kdf, string kdf options, uint32 number of keys, string public key
 *     string of: uint32 check, uint32 the same check, string "ssh-rsa",
 *                mpint n, e, d, q⁻¹ mod p, p, q, string comment, padding 1 2 3 …
 *
 * A string is its length as a uint32 and its bytes; an mpint is a string with a big-endian number.
 */
import { der, Tag } from "./der.ts";

/** The label of such a key's PEM block. */
export const OPENSSH_LABEL = "OPENSSH PRIVATE KEY";

const MAGIC = "openssh-key-v1\0";

/**
 * The key in `bytes`, the contents of the PEM block, as DER in the form of PKCS #1. Throws a
 * `SyntaxError` that says why there is no key; its message completes a sentence about the file.
 */
export function rsaKeyFromOpenSsh(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const outer = new SshReader(bytes);
  if (outer.text(MAGIC.length) !== MAGIC) throw new SyntaxError("is not in OpenSSH's format");
  const cipher = outer.string();
  outer.string();
  outer.string();
  if (outer.uint32() !== 1) throw new SyntaxError("holds several keys in one block");
  outer.string();
  if (decode(cipher) !== "none") {
    throw new SyntaxError(
      "is encrypted, and nobody can be asked for its passphrase: remove it with " +
        "\"ssh-keygen -p -N '' -f <file>\"",
    );
  }
  const inner = new SshReader(outer.string());
  if (inner.uint32() !== inner.uint32()) throw new SyntaxError("is damaged: its checks differ");
  const type = decode(inner.string());
  if (type !== "ssh-rsa") throw new SyntaxError(`holds a key of type ${type}, expected RSA`);
  const [n, e, d, inverse, p, q] = Array.from({ length: 6 }, () => toNumber(inner.string())) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  if (p < 2n || q < 2n) throw new SyntaxError("is damaged: its primes are too small");
  const numbers = [0n, n, e, d, p, q, d % (p - 1n), d % (q - 1n), inverse];
  return der(Tag.sequence, ...numbers.map(derInteger));
}

class SshReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  text(length: number): string {
    return decode(this.#take(length));
  }

  uint32(): number {
    return this.#take(4).reduce((value, byte) => value * 256 + byte, 0);
  }

  string(): Uint8Array {
    return this.#take(this.uint32());
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new SyntaxError("is damaged: it ends early");
    return this.#bytes.subarray(this.#at, this.#at += length);
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function toNumber(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`);
}

function derInteger(value: bigint): Uint8Array {
  const digits = value.toString(16);
  // If the first bit is set, it would be negative.
  const even = digits.length % 2 === 1 ? `0${digits}` : digits;
  return der(Tag.integer, Uint8Array.fromHex(/^[89a-f]/.test(even) ? `00${even}` : even));
}
