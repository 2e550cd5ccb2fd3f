/** Decides whether to accept a peer's certificate: pins, chain, and the name that it claims. */
import { messageOf } from "../base/error_message.ts";
import { CertificateRefused } from "../quic/tls.ts";
import type { Certificate } from "./certificate.ts";
import { type Fingerprint, formatFingerprint, matchesFingerprint } from "./fingerprint.ts";
import { formatIpAddress, matchesHost } from "./host_name.ts";
import { printable, printableList } from "../base/printable.ts";
import type { TrustStore } from "./trust_store.ts";
import { Alert, parseChain, verifyChain } from "./verify_chain.ts";

/** What a profile requires of a peer's certificate. */
export interface PeerRules {
  /** For messages: `tls-client name`. */
  readonly profile: string;
  /** What the peer acts as. */
  readonly peerIs: "server" | "client";
  /** Undefined to accept any issuer and any name (`insecureskipverify`). */
  readonly roots: TrustStore | undefined;
  /** The certificate must be one of these; empty for any. */
  readonly pins: readonly Fingerprint[];
}

/** Who the peer must be. */
export type PeerName =
  /** A node of the mesh. */
  | { readonly node: string }
  /** A DNS name or IP address. */
  | { readonly host: string }
  /** Anybody that the authorities vouch for. */
  | "any";

/**
 * Checks a peer's chain (DER, leaf first) and returns its own certificate. `from` says where the
 * peer is, for messages, such as `tcp 192.0.2.1:27199`. Throws a `CertificateRefused` that begins
 * with the original's text and then says what was expected and what was found.
 */
export function verifyPeer(
  chain: readonly Uint8Array[],
  rules: PeerRules,
  expected: { readonly name: PeerName; readonly from: string; readonly now: number },
): Certificate {
  try {
    const [leaf, ...intermediates] = parseChain(chain);
    checkPins(leaf, rules.pins);
    if (rules.roots !== undefined) {
      const { roots, peerIs: purpose } = rules;
      verifyChain(leaf, intermediates, { roots, purpose, now: expected.now });
      checkName(leaf, expected.name);
    }
    return leaf;
  } catch (error) {
    throw withContext(error, `${rules.peerIs} ${printable(expected.from)}, ${rules.profile}`);
  }
}

function checkPins(leaf: Certificate, pins: readonly Fingerprint[]): void {
  if (pins.length === 0 || matchesFingerprint(leaf.der, pins)) return;
  const digests = [...new Set(pins.map(({ digest }) => digest))];
  const found = digests.map((digest) => formatFingerprint(leaf.der, digest)).join(", ");
  throw new CertificateRefused(
    "presented certificate does not match any pinned fingerprint: " +
      `"${printable(leaf.subjectText)}" has ${found}`,
  );
}

function checkName(leaf: Certificate, name: PeerName): void {
  if (name === "any") return;
  if ("node" in name) checkNode(leaf, name.node);
  else checkHost(leaf, name.host);
}

function checkNode({ names, subjectText }: Certificate, node: string): void {
  const { nodeIds } = names;
  if (nodeIds.includes(node)) return;
  const found = nodeIds.length === 0
    ? "is not valid for any Receptor node IDs, but wanted to match"
    : `is valid for Receptor node ID${nodeIds.length > 1 ? "s" : ""} ` +
      `${printableList(nodeIds)}, not`;
  throw new CertificateRefused(
    `x509: certificate ${found} ${printable(node)}: its subject is "${printable(subjectText)}"`,
    Alert.badCertificate,
  );
}

function checkHost({ names, subjectText }: Certificate, host: string): void {
  if (matchesHost(host, names)) return;
  const found = [...names.dnsNames, ...names.ipAddresses.map(formatIpAddress)];
  const valid = found.length === 0
    ? "is not valid for any names, but wanted to match"
    : `is valid for ${printableList(found)}, not`;
  throw new CertificateRefused(
    `x509: certificate ${valid} ${printable(host)}: its subject is "${printable(subjectText)}"`,
    Alert.badCertificate,
  );
}

/** A check that fails unexpectedly must also refuse, rather than break the handshake. */
function withContext(error: unknown, context: string): CertificateRefused {
  const message = messageOf(error);
  const alert = error instanceof CertificateRefused ? error.alert : Alert.badCertificate;
  return new CertificateRefused(`${message} (${context})`, alert, { cause: error });
}
