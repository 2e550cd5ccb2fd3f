/**
 * What a QUIC endpoint needs to know about TLS, all in DER. The caller's check, in TypeScript,
 * decides during the handshake who is trusted: a refusal becomes a TLS alert that the peer sees.
 */

/** Our own certificate chain, leaf first, and its private key (PKCS #8). */
export interface Identity {
  readonly chain: readonly Uint8Array[];
  readonly privateKey: Uint8Array;
}

/**
 * Checks the peer's chain (leaf first) against the mesh node that it claims to be. Returns if it is
 * acceptable and throws a `CertificateRefused` otherwise. Must be synchronous: it runs inside the
 * handshake.
 */
export type VerifyPeer = (chain: readonly Uint8Array[], remoteNode: string) => void;

export interface ClientTls {
  /** Sent if the server asks for a certificate. */
  readonly identity?: Identity | undefined;
  readonly verifyServer: VerifyPeer;
}

/** TLS that is configured, and is loaded when a connection needs it. */
export type LoadClientTls = () => Promise<ClientTls>;

export interface ServerTls {
  /** Without one, the core makes a self-signed certificate with the well-known insecure name. */
  readonly identity?: Identity | undefined;
  /** Present if client certificates are required. */
  readonly verifyClient?: VerifyPeer | undefined;
}

/** Why a certificate is not acceptable, as the TLS alert to send and a text for both logs. */
export class CertificateRefused extends Error {
  override readonly name = "CertificateRefused";
  /** `alert` is a TLS AlertDescription number: 42 bad_certificate, 45 expired, 48 unknown_ca, … */
  constructor(message: string, readonly alert: number = 42, options?: ErrorOptions) {
    super(message, options);
  }
}
