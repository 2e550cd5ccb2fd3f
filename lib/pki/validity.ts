/** The parameters `notbefore` and `notafter` of the certificate commands. */
import type { Clock } from "../base/clock.ts";
import type { Validity } from "./certificate_authority.ts";
import { parseRfc3339 } from "./time.ts";

export interface ValidityOptions {
  /** RFC 3339; without it, now. */
  readonly notBefore?: string | undefined;
  /** RFC 3339; without it, some years from now. */
  readonly notAfter?: string | undefined;
}

/**
 * From when to when a certificate should be valid: by default, `years` from now on. Throws a
 * `SyntaxError` for what is not a time. An end in the past is allowed, as in the original.
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
