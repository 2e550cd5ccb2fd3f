/** The parameters `notbefore` and `notafter` of the certificate commands. */
import type { Clock } from "../base/clock.ts";
import type { Validity } from "./certificate_authority.ts";
import { parseRfc3339 } from "./time.ts";

export interface ValidityOptions {
  /** RFC 3339; now without it. */
  readonly notBefore?: string | undefined;
  /** RFC 3339; some years from now without it. */
  readonly notAfter?: string | undefined;
}

/**
 * From when to when a certificate is to be valid: `years` from now if nothing else is said. Throws
 * a `SyntaxError` for what is not a time. An end in the past is allowed, as in the original.
 */
export function readValidity(
  clock: Clock,
  years: number,
  { notBefore, notAfter }: ValidityOptions,
): Validity {
  const now = clock.wallTime();
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + years);
  return {
    notBefore: notBefore ? parseRfc3339(notBefore, "notbefore") : now,
    notAfter: notAfter ? parseRfc3339(notAfter, "notafter") : end.getTime(),
  };
}
