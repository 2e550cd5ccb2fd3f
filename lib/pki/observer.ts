/** What an embedding program may want to see of certificates. */
import type { MethodsOf } from "../base/observer.ts";

/** A certificate in the files of a TLS profile that has run out, or will within 30 days. */
export interface CertificateNearItsEndEvent {
  readonly file: string;
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  /** Until then, in milliseconds; below 0 when it has run out. */
  readonly leftMs: number;
}

export interface PkiObserver {
  /** Told twice a day for each certificate. */
  certificateNearItsEnd?(event: CertificateNearItsEndEvent): void;
}

/** All methods of a `PkiObserver`. */
export const pkiEvents: MethodsOf<PkiObserver> = { certificateNearItsEnd: true };
