/**
 * Finds a chain of signatures from a peer's certificate to a trusted authority, by the rules of
 * Go's `crypto/x509`, so that both daemons accept the same certificates. Synchronous: it runs in
 * the middle of a handshake.
 */
import { messageOf } from "../base/error_message.ts";
import { CertificateRefused } from "../quic/tls.ts";
import { type Certificate, KeyPurpose, parseCertificate } from "./certificate.ts";
import { findForbiddenName } from "./name_constraints.ts";
import { printable, printableList } from "../base/printable.ts";
import { publicKeyOf } from "./public_key.ts";
import { sameBytes } from "./same_bytes.ts";
import { checkSignature } from "./signature.ts";
import { formatTime } from "./time.ts";
import type { TrustStore } from "./trust_store.ts";

/** TLS AlertDescription numbers (RFC 8446, 6) that a refusal can have. */
export const Alert = {
  badCertificate: 42,
  unsupportedCertificate: 43,
  certificateExpired: 45,
  unknownCa: 48,
  certificateRequired: 116,
} as const;

/** How many signatures to check for one chain; Go's bound. Intermediates come from strangers. */
const MAX_SIGNATURE_CHECKS = 100;
/** Certificates that a peer may send. */
const MAX_CHAIN_LENGTH = 16;

/** How many authorities a message lists; others are only counted. */
const MAX_ROOTS_SHOWN = 4;

export interface ChainRequirements {
  readonly roots: TrustStore;
  /** What the peer must be allowed to act as. */
  readonly purpose: "server" | "client";
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Reads a peer's chain, leaf first. Throws a `CertificateRefused` if there is none or it is not
 * readable.
 */
export function parseChain(chain: readonly Uint8Array[]): [Certificate, ...Certificate[]] {
  if (chain.length === 0) {
    throw new CertificateRefused("peer certificate missing", Alert.certificateRequired);
  }
  if (chain.length > MAX_CHAIN_LENGTH) {
    throw new CertificateRefused(`chain of ${chain.length} certificates is too long`);
  }
  const [leaf, ...others] = chain.map((der, i) => {
    try {
      return parseCertificate(der);
    } catch (cause) {
      const reason = messageOf(cause);
      throw new CertificateRefused(
        `failed to parse certificate ${i + 1} of the chain: ${reason}`,
        Alert.badCertificate,
        { cause },
      );
    }
  });
  // rustls cannot read older ones, and then does not check the peer's proof of its key.
  if (leaf!.version !== 3) {
    throw new CertificateRefused(
      `certificate "${printable(leaf!.subjectText)}" is of X.509 version ${leaf!.version}, ` +
        "which has no place for names: expected version 3",
      Alert.unsupportedCertificate,
    );
  }
  checkKey(leaf!);
  return [leaf!, ...others];
}

/** The peer proves that it has this key, which proves nothing if others can compute the key. */
function checkKey(leaf: Certificate): void {
  try {
    publicKeyOf(leaf);
  } catch (cause) {
    throw new CertificateRefused(
      `certificate "${printable(leaf.subjectText)}": ${messageOf(cause)}`,
      Alert.unsupportedCertificate,
      { cause },
    );
  }
}

/**
 * Checks that `leaf` leads to one of the roots, through any of `intermediates`. Throws a
 * `CertificateRefused` with the reason in Go's words.
 */
export function verifyChain(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  requirements: ChainRequirements,
): void {
  const { roots, now } = requirements;
  checkCertificate(leaf, now);
  if (roots.has(leaf)) {
    checkPurpose([leaf], requirements);
    return;
  }
  const search = new ChainSearch(intermediates, requirements);
  if (search.extend([leaf])) return;
  throw search.refusal(leaf);
}

/** Tries all paths, authorities first; remembers why candidates were rejected. */
class ChainSearch {
  readonly #intermediates: readonly Certificate[];
  readonly #requirements: ChainRequirements;
  #checksLeft = MAX_SIGNATURE_CHECKS;
  #hint: { candidate: Certificate; reason: string } | undefined;
  #wrongPurpose: CertificateRefused | undefined;

  constructor(intermediates: readonly Certificate[], requirements: ChainRequirements) {
    this.#intermediates = intermediates;
    this.#requirements = requirements;
  }

  /** Whether `chain`, leaf first, can be continued to a root. */
  extend(chain: readonly [Certificate, ...Certificate[]]): boolean {
    const child = chain.at(-1)!;
    for (const root of this.#requirements.roots.withSubject(child.issuer)) {
      if (this.#accepts(root, chain, "root") && this.#fitsPurpose([...chain, root])) return true;
    }
    for (const intermediate of this.#intermediates) {
      if (!sameBytes(intermediate.subject, child.issuer)) continue;
      if (
        this.#accepts(intermediate, chain, "intermediate") && this.extend([...chain, intermediate])
      ) return true;
    }
    return false;
  }

  refusal(leaf: Certificate): CertificateRefused {
    if (this.#wrongPurpose !== undefined) return this.#wrongPurpose;
    const { roots } = this.#requirements;
    const hint = this.#hint === undefined
      ? ""
      : ` (possibly because of "${this.#hint.reason}" while trying to verify candidate authority ` +
        `certificate "${printable(this.#hint.candidate.subjectText)}")`;
    const subjects = roots.certificates().map(({ subjectText }) => subjectText);
    const trusted = subjects.length > MAX_ROOTS_SHOWN
      ? `${subjects.length} authorities`
      : `"${printableList(subjects, '", "')}"`;
    return new CertificateRefused(
      `x509: certificate signed by unknown authority${hint}: ` +
        `"${printable(leaf.subjectText)}" was issued by "${printable(leaf.issuerText)}", ` +
        `${roots.source} has ${trusted}`,
      Alert.unknownCa,
    );
  }

  #accepts(
    candidate: Certificate,
    chain: readonly [Certificate, ...Certificate[]],
    kind: "root" | "intermediate",
  ): boolean {
    if (chain.some((other) => isSameEntity(other, candidate))) return false;
    if (this.#checksLeft-- <= 0) return false;
    try {
      checkAuthority(candidate, chain, kind, this.#requirements.now);
      checkSignature(chain.at(-1)!, publicKeyOf(candidate));
      return true;
    } catch (error) {
      const reason = messageOf(error);
      this.#hint ??= { candidate, reason };
      return false;
    }
  }

  #fitsPurpose(chain: readonly [Certificate, ...Certificate[]]): boolean {
    try {
      checkPurpose(chain, this.#requirements);
      return true;
    } catch (error) {
      if (!(error instanceof CertificateRefused)) throw error;
      this.#wrongPurpose ??= error;
      return false;
    }
  }
}

/** Checks what depends on one certificate alone. */
function checkCertificate(certificate: Certificate, now: number): void {
  const { notBefore, notAfter, unknownCritical } = certificate;
  // Go also compares fractions of a second, so of the last second only its start counts.
  if (now < notBefore || now > notAfter) {
    const relation = now < notBefore
      ? `before ${formatTime(notBefore)}`
      : `after ${formatTime(notAfter)}`;
    throw new CertificateRefused(
      "x509: certificate has expired or is not yet valid: " +
        `current time ${formatTime(now)} is ${relation}`,
      Alert.certificateExpired,
    );
  }
  if (unknownCritical.length > 0) {
    throw new CertificateRefused(
      `x509: unhandled critical extension ${printableList(unknownCritical)}`,
      Alert.unsupportedCertificate,
    );
  }
}

function checkAuthority(
  candidate: Certificate,
  chain: readonly Certificate[],
  kind: "root" | "intermediate",
  now: number,
): void {
  checkCertificate(candidate, now);
  const { basicConstraints, maySignCertificates, nameConstraints, version } = candidate;
  // Certificates before version 3 cannot say that they are authorities; those in our own file are.
  const isAuthority = basicConstraints?.isCa ?? (kind === "root" && version < 3);
  if (!isAuthority || !maySignCertificates) {
    throw new CertificateRefused(
      "x509: certificate is not authorized to sign other certificates",
    );
  }
  const maxPathLength = basicConstraints?.maxPathLength;
  if (maxPathLength !== undefined && chain.length - 1 > maxPathLength) {
    throw new CertificateRefused("x509: too many intermediates for path length constraint");
  }
  if (nameConstraints !== undefined) {
    for (const { names } of chain) {
      const problem = findForbiddenName(nameConstraints, names);
      if (problem !== undefined) throw new CertificateRefused(`x509: ${printable(problem)}`);
    }
  }
}

/** Every certificate of the chain that lists purposes must list ours, the root's included. */
function checkPurpose(
  chain: readonly [Certificate, ...Certificate[]],
  { purpose }: ChainRequirements,
): void {
  const wanted = purpose === "server" ? KeyPurpose.serverAuth : KeyPurpose.clientAuth;
  for (const { purposes, subjectText } of chain) {
    if (purposes.length === 0) continue;
    if (purposes.includes(wanted) || purposes.includes(KeyPurpose.any)) continue;
    throw new CertificateRefused(
      "x509: certificate specifies an incompatible key usage: the extended key usage of " +
        `"${printable(subjectText)}" does not include ${purpose} authentication`,
      Alert.unsupportedCertificate,
    );
  }
}

/** An authority may have several certificates, but passing through it twice leads nowhere. */
function isSameEntity(left: Certificate, right: Certificate): boolean {
  return sameBytes(left.subject, right.subject) &&
    sameBytes(left.publicKeyInfo, right.publicKeyInfo);
}
