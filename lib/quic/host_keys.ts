/**
 * RSA signatures for the core, which would take several times as long in WebAssembly. They are made
 * synchronously, in the middle of a handshake.
 */
import { Buffer } from "node:buffer";
import { constants, createPrivateKey, type KeyObject, sign } from "node:crypto";

/** TLS signature schemes (RFC 8446, 4.2.3) for RSA keys in certificates, and their hashes. */
const HASHES: ReadonlyMap<number, { readonly name: string; readonly bytes: number }> = new Map([
  [0x0804, { name: "sha256", bytes: 32 }],
  [0x0805, { name: "sha384", bytes: 48 }],
  [0x0806, { name: "sha512", bytes: 64 }],
]);
/** A node uses few keys at a time. */
const MOST_KEYS = 8;

export class HostKeys {
  readonly #keys: { readonly der: Buffer; readonly key: KeyObject }[] = [];

  /** Signs with a key in PKCS #8; undefined if it cannot, such as for another scheme. */
  sign(scheme: number, der: Uint8Array, message: Uint8Array): Uint8Array | undefined {
    const hash = HASHES.get(scheme);
    if (hash === undefined) return undefined;
    try {
      return sign(hash.name, message, {
        key: this.#keyOf(der),
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: hash.bytes,
      });
    } catch {
      // The core then signs by itself, or reports why it cannot.
      return undefined;
    }
  }

  /** Keeps parsed keys, since parsing is slow too. */
  #keyOf(der: Uint8Array): KeyObject {
    const known = this.#keys.find((entry) => entry.der.equals(der));
    if (known !== undefined) return known.key;
    const copy = Buffer.from(der);
    const key = createPrivateKey({ key: copy, format: "der", type: "pkcs8" });
    if (this.#keys.length === MOST_KEYS) this.#keys.shift();
    this.#keys.push({ der: copy, key });
    return key;
  }
}
