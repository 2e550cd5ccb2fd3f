/** The authorities that a profile trusts: a configured file or those of the machine. */
import { rootCertificates } from "node:tls";
import { messageOf } from "../base/error_message.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { parsePem } from "./pem.ts";
import { sameBytes } from "./same_bytes.ts";

/**
 * Where distributions keep the authorities that a machine trusts, in Go's order: Debian, Fedora,
 * OpenSUSE, RHEL 7, Alpine.
 */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
] as const;

export class TrustStore {
  /** Where these come from, for messages: `ca.crt`, `system trust`. */
  readonly source: string;
  /** What could not be read and is left out, for a warning. */
  readonly problems: readonly string[];
  readonly #bySubject = new Map<string, Certificate[]>();
  readonly #size: number;

  private constructor(source: string, text: string) {
    this.source = source;
    const problems: string[] = [];
    let size = 0;
    for (const { label, der } of parsePem(text)) {
      if (label !== "CERTIFICATE") continue;
      try {
        this.#add(parseCertificate(der));
        size++;
      } catch (error) {
        const reason = messageOf(error);
        problems.push(`certificate ${size + problems.length + 1} in ${source} left out: ${reason}`);
      }
    }
    this.#size = size;
    this.problems = problems;
  }

  /**
   * Reads PEM; `source` names it in messages. Throws a `SyntaxError` if it holds no readable
   * certificate.
   */
  static fromPem(text: string, source: string): TrustStore {
    const store = new TrustStore(source, text);
    if (store.#size === 0) {
      throw new SyntaxError(
        store.problems[0] ?? `no certificate found in ${source}: expected PEM blocks "CERTIFICATE"`,
      );
    }
    return store;
  }

  /**
   * The authorities of this machine: the file named by SSL_CERT_FILE (`certFile`), else the first
   * existing one of the distributions' files, else those built into the runtime.
   */
  static system(options: { certFile?: string | undefined } = {}): TrustStore {
    const files = options.certFile ? [options.certFile] : SYSTEM_BUNDLES;
    for (const file of files) {
      try {
        return TrustStore.fromPem(Deno.readTextFileSync(file), `system trust (${file})`);
      } catch {
        // Not this kind of system, or nothing usable: try the next one.
      }
    }
    return new TrustStore("built-in authorities", rootCertificates.join("\n"));
  }

  get size(): number {
    return this.#size;
  }

  /** Whether this very certificate is trusted. */
  has(certificate: Certificate): boolean {
    return this.withSubject(certificate.subject)
      .some((candidate) => sameBytes(candidate.der, certificate.der));
  }

  /** Certificates whose subject is `name` (DER). */
  withSubject(name: Uint8Array): readonly Certificate[] {
    return this.#bySubject.get(name.toHex()) ?? [];
  }

  certificates(): Certificate[] {
    return [...this.#bySubject.values()].flat();
  }

  #add(certificate: Certificate): void {
    const key = certificate.subject.toHex();
    const others = this.#bySubject.get(key);
    if (others === undefined) this.#bySubject.set(key, [certificate]);
    else others.push(certificate);
  }
}
