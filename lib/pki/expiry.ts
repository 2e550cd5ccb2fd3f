/** Finds certificates that are about to expire, and describes them. */
import type { Certificate } from "./certificate.ts";
import { printable } from "../base/printable.ts";
import type { CertificateNearItsEndEvent } from "./observer.ts";
import { formatTime } from "./time.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** A certificate that expires within this time is worth a warning; milliseconds. */
export const EXPIRY_WARNING_MS = 30 * dayMs;

/** A certificate and the file that it is in. */
export interface CertificateInFile {
  readonly certificate: Certificate;
  readonly file: string;
}

/** When the first of them expires, in milliseconds since 1970. */
export function earliestExpiry(certificates: readonly Certificate[]): number {
  return Math.min(...certificates.map(({ notAfter }) => notAfter));
}

/** Those that have expired, or will within 30 days of `now`. */
export function nearTheirEnd(
  certificates: readonly CertificateInFile[],
  now: number,
): CertificateNearItsEndEvent[] {
  return certificates
    .map(({ certificate: { notAfter, subjectText }, file }) => ({
      file,
      subject: subjectText,
      notAfter,
      leftMs: notAfter - now,
    }))
    .filter(({ leftMs }) => leftMs <= EXPIRY_WARNING_MS);
}

/** The same in a sentence. */
export function describeExpiry(
  { file, subject, notAfter, leftMs }: CertificateNearItsEndEvent,
): string {
  const when = leftMs < 0
    ? `expired on ${formatTime(notAfter)}`
    : `expires in ${describeDays(leftMs)}, on ${formatTime(notAfter)}`;
  return `certificate "${printable(subject)}" in ${file} ${when}`;
}

function describeDays(ms: number): string {
  const days = Math.floor(ms / dayMs);
  if (days === 0) return "less than a day";
  return days === 1 ? "1 day" : `${days} days`;
}
