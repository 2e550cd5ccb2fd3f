/** TLS profiles for tests, which trust whoever the test says. */
import { createSecureContext, type SecureVersion } from "node:tls";
import type { LinkClientTls, LinkServerTls } from "../../lib/backends/tls.ts";
import { clientCertificate, serverCertificate, type TestCertificate } from "./test_certificates.ts";

export interface TestTlsOptions {
  certificate?: TestCertificate | undefined;
  minVersion?: SecureVersion;
  maxVersion?: SecureVersion;
  /** Why the peer's certificate is refused, if it is. */
  refuse?: string;
}

/** The chains that were checked, and for which host. */
export interface Checked {
  readonly chains: (readonly Uint8Array[])[];
  readonly asked: string[];
}

/** Asks for a client certificate unless told otherwise. */
export function serverTls(
  { certificate = serverCertificate, refuse, ...context }: TestTlsOptions = {},
  { wantsClientCertificate = true } = {},
): LinkServerTls & Checked {
  const chains: (readonly Uint8Array[])[] = [];
  const asked: string[] = [];
  return {
    chains,
    asked,
    secureContext: createSecureContext({ ...certificate, ...context }),
    wantsClientCertificate,
    verifyClient(chain, from) {
      chains.push(chain);
      asked.push(from);
      if (refuse !== undefined) throw new Error(refuse);
      return ["client-node"];
    },
  };
}

/** Presents a certificate unless it is null. */
export function clientTls(
  { refuse, ...context }: Omit<TestTlsOptions, "certificate"> = {},
  certificate: TestCertificate | null = clientCertificate,
): LinkClientTls & Checked {
  const chains: (readonly Uint8Array[])[] = [];
  const asked: string[] = [];
  return {
    chains,
    asked,
    secureContext: createSecureContext({ ...certificate, ...context }),
    verifyServer(chain, host, from) {
      chains.push(chain);
      asked.push(`${host}, ${from}`);
      if (refuse !== undefined) throw new Error(refuse);
      return ["server-node"];
    },
  };
}
