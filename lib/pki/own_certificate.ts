/** Our own certificate and key, as the two files of a profile hold them. */
import type { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject } from "node:crypto";
import { messageOf } from "../base/error_message.ts";
import type { Identity } from "../quic/tls.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { formatPem, parsePem } from "./pem.ts";
import { printableList } from "../base/printable.ts";
import { parsePrivateKey } from "./private_key.ts";
import { publicKeyOf } from "./public_key.ts";
import { readTextFile } from "./read_file.ts";

export interface CertificateFiles {
  /** PEM: our certificate, then the intermediates up to the authority, if any. */
  readonly cert: string;
  /** PEM: its private key. */
  readonly key: string;
}

export interface OwnCertificate {
  /** Leaf first. */
  readonly chain: readonly [Certificate, ...Certificate[]];
  /** In the form that QUIC needs. */
  readonly identity: Identity;
  /** Why it cannot be used for everything, for a warning. */
  readonly problem: string | undefined;
  /** In the form that `node:tls` needs. */
  readonly pem: { readonly cert: string; readonly key: string };
}

/**
 * Reads both files. Throws an `Error` that names the file and says what is wrong with it: missing,
 * not readable, holds something else, encrypted key, key of another certificate.
 */
export function loadOwnCertificate(files: CertificateFiles): OwnCertificate {
  const texts = { cert: readTextFile(files.cert), key: readTextFile(files.key) };
  return parseOwnCertificate(texts, files);
}

/** As `loadOwnCertificate`, from what such files hold; `files` are their names for errors. */
export function parseOwnCertificate(
  texts: CertificateFiles,
  files: CertificateFiles,
): OwnCertificate {
  const chain = parseCertificateChain(texts.cert, files.cert);
  const key = parsePrivateKey(texts.key, files.key);
  checkKeyPair(chain[0], key, files);
  const privateKey = key.export({ format: "der", type: "pkcs8" });
  const isP521 = key.asymmetricKeyDetails?.namedCurve === "secp521r1";
  return {
    problem: isP521
      ? `the key in ${files.key} is on curve P-521, which secures links but not streams over the ` +
        "mesh: use P-256, P-384 or RSA"
      : undefined,
    chain,
    identity: { chain: chain.map(({ der }) => der), privateKey: new Uint8Array(privateKey) },
    pem: {
      cert: chain.map(({ der }) => formatPem("CERTIFICATE", der)).join(""),
      key: formatPem("PRIVATE KEY", privateKey),
    },
  };
}

/**
 * Throws if our own certificate is not for this node: peers would refuse it. The text is the
 * original's; administrators look for it.
 */
export function checkOwnNodeId(
  { chain: [leaf] }: OwnCertificate,
  expected: { readonly nodeId: string; readonly profile: string; readonly cert: string },
): void {
  const { nodeIds } = leaf.names;
  if (nodeIds.includes(expected.nodeId)) return;
  throw new Error(
    `nodeID=${expected.nodeId} not found in certificate name(s); ` +
      `names found=[${printableList(nodeIds, " ")}]; ` +
      `cfg section=${expected.profile}; server cert=${expected.cert}`,
  );
}

function parseCertificateChain(text: string, file: string): [Certificate, ...Certificate[]] {
  const blocks = parsePem(text);
  const certificates = blocks.filter(({ label }) => label === "CERTIFICATE");
  if (certificates.length === 0) {
    const labels = blocks.map(({ label }) => label);
    throw new SyntaxError(
      labels.length === 0
        ? `tls: failed to find any PEM data in certificate input: cert=${file}`
        : labels.some((label) => label.endsWith("PRIVATE KEY"))
        ? "tls: failed to find certificate PEM data in certificate input, but did find a private " +
          `key; PEM inputs may have been switched: cert=${file}`
        : "tls: failed to find certificate PEM data in certificate input: " +
          `cert=${file} holds ${labels.join(", ")}`,
    );
  }
  const [leaf, ...others] = certificates.map(({ der }, i) => {
    try {
      return parseCertificate(der);
    } catch (cause) {
      const reason = messageOf(cause);
      throw new SyntaxError(
        `tls: failed to parse certificate ${i + 1} of cert=${file}: ${reason}`,
        { cause },
      );
    }
  });
  return [leaf!, ...others];
}

function checkKeyPair(leaf: Certificate, key: KeyObject, { cert, key: keyFile }: CertificateFiles) {
  const certified = usableKeyOf(leaf, cert);
  const ours = createPublicKey(key);
  if (certified.asymmetricKeyType !== ours.asymmetricKeyType) {
    throw new Error(
      "tls: private key type does not match public key type: " +
        `cert=${cert} is for ${certified.asymmetricKeyType}, ` +
        `key=${keyFile} is ${ours.asymmetricKeyType}`,
    );
  }
  if (!spki(certified).equals(spki(ours))) {
    throw new Error(
      `tls: private key does not match public key: key=${keyFile} is not the key of cert=${cert}`,
    );
  }
}

function usableKeyOf(leaf: Certificate, file: string): KeyObject {
  try {
    return publicKeyOf(leaf);
  } catch (cause) {
    throw new Error(`tls: cannot use the certificate in cert=${file}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function spki(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" });
}
