/** What `tls-server` and `tls-client` have in common. */
import type { SecureVersion } from "node:tls";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import type { CertificateInFile } from "./expiry.ts";
import { type Fingerprint, parseFingerprint } from "./fingerprint.ts";
import type { OwnCertificate } from "./own_certificate.ts";
import { readTextFile } from "./read_file.ts";
import type { ReloadingDeps } from "./reloading.ts";
import { TrustStore } from "./trust_store.ts";

export interface ProfileDeps extends ReloadingDeps {
  /** This node. */
  readonly nodeId: string;
  /** The authorities of this machine, read at most once. */
  readonly systemTrust: () => TrustStore;
}

/** The lowest version to agree to. The default is that of the original since 1.6.9. */
export function minVersionOf(options: { readonly minTls13?: boolean | undefined }): SecureVersion {
  return options.minTls13 ?? true ? "TLSv1.3" : "TLSv1.2";
}

/** Reads the fingerprints in a parameter. Throws as the original does. */
export function parsePins(texts: readonly string[] = []): Fingerprint[] {
  try {
    return texts.map(parseFingerprint);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new Error(`error decoding fingerprints: ${reason}`, { cause });
  }
}

/**
 * The authorities in `file`, or without one those of the machine. `failure` begins the error that
 * is thrown if the file cannot be read or has none.
 */
export function loadTrust(
  { systemTrust }: ProfileDeps,
  file: string | undefined,
  failure: string,
): TrustStore {
  if (!file) return systemTrust();
  try {
    return TrustStore.fromPem(readTextFile(file), file);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new Error(`${failure}: ${reason}`, { cause });
  }
}

/** Logs problems in the files of profile `what` that are no reason to refuse them. */
export function warnOf(
  log: Log,
  what: string,
  own: OwnCertificate | undefined,
  roots: TrustStore | undefined,
): void {
  if (own?.problem !== undefined) log.warning(`${what}: ${own.problem}`);
  for (const problem of roots?.problems ?? []) log.warning(`${what}: ${problem}`);
}

/**
 * Everything in the files of a profile that can expire. Authorities that have already expired are
 * left out: bundles keep them beside their successors.
 */
export function certificatesInFiles(
  own: { readonly file: string | undefined; readonly certificate: OwnCertificate | undefined },
  trust: { readonly file: string | undefined; readonly roots: TrustStore | undefined },
  now: number,
): CertificateInFile[] {
  const found: CertificateInFile[] = [];
  for (const certificate of own.certificate?.chain ?? []) {
    found.push({ certificate, file: own.file! });
  }
  if (trust.file) {
    for (const certificate of trust.roots?.certificates() ?? []) {
      if (certificate.notAfter >= now) found.push({ certificate, file: trust.file });
    }
  }
  return found;
}
