/**
 * TLS for services without a TLS config: encrypted, but not authenticated. The server presents a
 * self-signed certificate with a well-known name, and the client accepts only that name, so that it
 * does not mistake a properly secured service for an open one.
 */
import { X509Certificate } from "node:crypto";
import { CertificateRefused, type ClientTls, type ServerTls } from "./tls.ts";

/** The common name that both sides agree on (`insecureCommonName` in `pkg/netceptor/conn.go`). */
export const INSECURE_COMMON_NAME = "netceptor-insecure-common-name";

/** For a service without a TLS config. */
export function insecureServerTls(): ServerTls {
  return {};
}

/** For dialling a service without a TLS config. */
export function insecureClientTls(): ClientTls {
  return { verifyServer: verifyInsecureServer };
}

function verifyInsecureServer(chain: readonly Uint8Array[]): void {
  const leaf = chain[0];
  if (!leaf || subjectOf(leaf) !== `CN=${INSECURE_COMMON_NAME}`) {
    throw new CertificateRefused("insecure connection to secure service");
  }
}

function subjectOf(certificate: Uint8Array): string {
  try {
    return new X509Certificate(certificate).subject;
  } catch (cause) {
    throw new CertificateRefused("the server's certificate does not parse", 42, { cause });
  }
}
