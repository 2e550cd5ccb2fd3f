/** Certificates that run out: found early, said plainly. */
import type { Certificate } from "./certificate.ts";
import { printable } from "../base/printable.ts";
import { formatTime } from "./time.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** From this long before its end on, a certificate is worth a warning; milliseconds. */
export const EXPIRY_WARNING_MS = 30 * dayMs;

/** A certificate and the file that it is in. */
export interface CertificateInFile {
  readonly certificate: Certificate;
  readonly file: string;
}

/** When the first of them runs out, in milliseconds since 1970. */
export function earliestExpiry(certificates: readonly Certificate[]): number {
  return Math.min(...certificates.map(({ notAfter }) => notAfter));
}

/** A sentence for each certificate that has run out, or will within 30 days of `now`. */
export function expiryWarnings(
  certificates: readonly CertificateInFile[],
  now: number,
): string[] {
  const warnings: string[] = [];
  for (const { certificate: { notAfter, subjectText }, file } of certificates) {
    const leftMs = notAfter - now;
    if (leftMs > EXPIRY_WARNING_MS) continue;
    const when = leftMs < 0
      ? `expired on ${formatTime(notAfter)}`
      : `expires in ${describeDays(leftMs)}, on ${formatTime(notAfter)}`;
    warnings.push(`certificate "${printable(subjectText)}" in ${file} ${when}`);
  }
  return warnings;
}

function describeDays(ms: number): string {
  const days = Math.floor(ms / dayMs);
  if (days === 0) return "less than a day";
  return days === 1 ? "1 day" : `${days} days`;
}
