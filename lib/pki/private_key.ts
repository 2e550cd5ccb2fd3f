/** Private keys from files: PKCS #8, and the older forms for RSA and elliptic curves. */
import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject } from "node:crypto";
import { messageOf } from "../base/error_message.ts";
import { parsePem, type PemBlock } from "./pem.ts";

/** How the key in a block with this label is encoded. */
const ENCODINGS = {
  "PRIVATE KEY": "pkcs8",
  "RSA PRIVATE KEY": "pkcs1",
  "EC PRIVATE KEY": "sec1",
} as const;

type KeyLabel = keyof typeof ENCODINGS;

/** The blocks of `text` that hold private keys, encrypted ones included. */
export function privateKeyBlocks(text: string): PemBlock[] {
  return parsePem(text).filter(({ label }) => label.endsWith("PRIVATE KEY"));
}

/**
 * Reads the first private key in PEM `text`; `file` names it in errors. Throws an `Error` that says
 * what the file holds instead, with the original's text where there is one.
 */
export function parsePrivateKey(text: string, file: string): KeyObject {
  const blocks = parsePem(text);
  if (blocks.length === 0) {
    throw new SyntaxError(`tls: failed to find any PEM data in key input: key=${file}`);
  }
  const block = blocks.find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (block === undefined) {
    const labels = blocks.map(({ label }) => label);
    throw new SyntaxError(
      labels.includes("CERTIFICATE")
        ? `tls: found a certificate rather than a key in the PEM for the private key: key=${file}`
        : `tls: failed to find a private key in key input: key=${file} holds ${labels.join(", ")}`,
    );
  }
  return readKeyBlock(block, file);
}

/** Reads one block. Throws an `Error` that names `file`. */
export function readKeyBlock({ label, headers, der }: PemBlock, file: string): KeyObject {
  if (label === "ENCRYPTED PRIVATE KEY" || /^Proc-Type:.*ENCRYPTED/m.test(headers)) {
    throw new SyntaxError(
      `the private key in ${file} is encrypted, and nobody can be asked for its passphrase: ` +
        `remove it with "openssl pkey -in ${file} -out <new file>"`,
    );
  }
  if (!Object.hasOwn(ENCODINGS, label)) {
    throw new SyntaxError(
      `${file} holds a "${label}", expected one of "${Object.keys(ENCODINGS).join('", "')}"`,
    );
  }
  try {
    const type = ENCODINGS[label as KeyLabel];
    return createPrivateKey({ key: Buffer.from(der), format: "der", type });
  } catch (cause) {
    const reason = messageOf(cause);
    throw new SyntaxError(`tls: failed to parse private key: key=${file}: ${reason}`, { cause });
  }
}
