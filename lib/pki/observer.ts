/** What an embedding program may want to know about certificates. */
import type { MethodsOf } from "../base/observer.ts";

/** A certificate in the files of a TLS profile that has expired, or will within 30 days. */
export interface CertificateNearItsEndEvent {
  readonly file: string;
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  /** Time until then, in milliseconds; negative if it has expired. */
  readonly leftMs: number;
}

export interface PkiObserver {
  /** Called twice a day for each certificate. */
  certificateNearItsEnd?(event: CertificateNearItsEndEvent): void;
}

/** All methods of a `PkiObserver`. */
export const pkiEvents: MethodsOf<PkiObserver> = { certificateNearItsEnd: true };
