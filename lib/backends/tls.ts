/**
 * TLS over any byte stream, by the rules of a profile. The runtime does the handshake; right after
 * it, before any of the peer's bytes are read, the profile decides whom to trust.
 */
import { isIP } from "node:net";
import { connect, type SecureContext, TLSSocket } from "node:tls";
import { CertificateRefused } from "../quic/tls.ts";
import type { ByteConn } from "../base/byte_conn.ts";
import { ConnDuplex } from "./conn_duplex.ts";
import { TlsConn } from "./tls_conn.ts";

/** What a listener needs from a `tls-server` profile. */
export interface LinkServerTls {
  /** Our certificate and versions. Read for each handshake, so that it follows its files. */
  readonly secureContext: SecureContext;
  /** Whether a client without a certificate is turned away. */
  readonly wantsClientCertificate: boolean;
  /**
   * Throws if the chain (DER, leaf first) is not acceptable; returns the node ids that it proves.
   * `from` says where the peer is, for messages.
   */
  verifyClient(chain: readonly Uint8Array[], from: string): readonly string[];
}

/** What a dialler needs from a `tls-client` profile. */
export interface LinkClientTls {
  /** As `LinkServerTls.secureContext`; the certificate is sent if the server asks for one. */
  readonly secureContext: SecureContext;
  /**
   * Throws if the chain is not acceptable or not for `host`, a DNS name or IP address; returns the
   * node ids that it proves.
   */
  verifyServer(chain: readonly Uint8Array[], host: string, from: string): readonly string[];
}

export interface TlsHandshakeOptions {
  /** For messages, such as `tcp 192.0.2.1:27199`. */
  readonly from: string;
  /** Bounds the handshake. */
  readonly signal?: AbortSignal | undefined;
}

/** More certificates than any acceptable chain has. */
const MAX_CHAIN_CERTIFICATES = 32;

/** A connection whose handshake is done. */
export interface SecuredConn {
  readonly conn: ByteConn;
  /** Node ids that the peer's certificate proves; undefined if it showed none. */
  readonly certifiedNodes: readonly string[] | undefined;
}

/**
 * Takes an accepted connection through the handshake. Otherwise closes it and rejects with the
 * reason: a `CertificateRefused` if it is the client's certificate. A client without one gets the
 * alert `certificate required`; for other refusals the runtime has no alert, and the client only
 * sees the connection end.
 */
export function acceptTls(
  conn: ByteConn,
  tls: LinkServerTls,
  options: TlsHandshakeOptions,
): Promise<SecuredConn> {
  return handshake(conn, options, {
    start: (stream) =>
      new TLSSocket(stream, {
        isServer: true,
        secureContext: tls.secureContext,
        requestCert: tls.wantsClientCertificate,
        // Without a server object around it, this only makes a certificate mandatory.
        rejectUnauthorized: tls.wantsClientCertificate,
      }),
    done: "secure",
    check: (chain) =>
      tls.wantsClientCertificate ? tls.verifyClient(chain, options.from) : undefined,
  });
}

/**
 * Takes a connection that we opened to `host` through the handshake. Otherwise closes it and
 * rejects with the reason: a `CertificateRefused` if it is the server's certificate.
 */
export function connectTls(
  conn: ByteConn,
  tls: LinkClientTls,
  options: TlsHandshakeOptions & { readonly host: string },
): Promise<SecuredConn> {
  const { host, from } = options;
  return handshake(conn, options, {
    start: (stream) =>
      connect({
        socket: stream,
        // An address is not a server name (RFC 6066, section 3).
        ...(isIP(host) ? {} : { servername: host }),
        secureContext: tls.secureContext,
        rejectUnauthorized: false,
      }),
    done: "secureConnect",
    check: (chain) => tls.verifyServer(chain, host, from),
  });
}

interface Role {
  readonly start: (stream: ConnDuplex) => TLSSocket;
  readonly done: "secure" | "secureConnect";
  readonly check: (chain: readonly Uint8Array[]) => readonly string[] | undefined;
}

async function handshake(
  conn: ByteConn,
  { from, signal }: TlsHandshakeOptions,
  role: Role,
): Promise<SecuredConn> {
  const stream = new ConnDuplex(conn);
  try {
    signal?.throwIfAborted();
    const socket = role.start(stream);
    const secured = new TlsConn(socket, stream);
    await handshakeEnd(socket, role.done, { from, signal });
    const chain = peerChain(socket);
    if (chain.length > 0) checkVersion(chain[0]!, from);
    const certifiedNodes = role.check(chain);
    stream.own();
    return { conn: secured, certifiedNodes };
  } catch (error) {
    await stream.fail();
    throw error;
  }
}

function handshakeEnd(
  socket: TLSSocket,
  done: Role["done"],
  { from, signal }: TlsHandshakeOptions,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (cause: Error) =>
    reject(new Error(`TLS handshake with ${from} failed: ${explain(cause)}`, { cause }));
  const onClose = () =>
    reject(new Error(`TLS handshake with ${from} failed: the peer closed the connection`));
  const onAbort = () => reject(signal!.reason);
  socket.on("error", onError).on("end", onClose).on("close", onClose).on(done, resolve);
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => {
    signal?.removeEventListener("abort", onAbort);
    socket.off("error", onError).off("end", onClose).off("close", onClose).off(done, resolve);
  });
}

/** The certificates that the peer sent, as they came: DER, leaf first. Empty for none. */
function peerChain(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate = socket.getPeerCertificate(true);
  while (certificate?.raw !== undefined && chain.length < MAX_CHAIN_CERTIFICATES) {
    chain.push(new Uint8Array(certificate.raw));
    // A self-signed one at the end refers to itself.
    if (certificate.issuerCertificate === certificate) break;
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

/**
 * Refuses all but X.509 version 3 certificates: the runtime accepts others without proof that the
 * peer has the private key.
 */
function checkVersion(der: Uint8Array, from: string): void {
  const version3 = [0xa0, 3, 2, 1, 2];
  // Certificate and TBSCertificate are sequences; the version is the first thing in the latter.
  const start = contentStart(der, contentStart(der, 0));
  if (version3.every((byte, index) => der[start + index] === byte)) return;
  throw new CertificateRefused(`${from} presented a certificate that is not X.509 version 3`);
}

/** Where the content of the DER element at `at` starts. */
function contentStart(der: Uint8Array, at: number): number {
  const length = der[at + 1] ?? 0;
  return at + 2 + (length & 0x80 ? length & 0x7f : 0);
}

/** What the runtime's errors mean, if they do not say so. */
function explain(error: Error): string {
  if (/InvalidContentType|wrong version number/i.test(error.message)) {
    // Includes Go's own text, which users search logs for.
    return "the peer does not speak TLS: first record does not look like a TLS handshake " +
      `(${error.message})`;
  }
  if (
    /SupportedVersionsExtensionRequired|Tls1[23]NotOffered|ProtocolVersion/i.test(error.message)
  ) {
    return `no TLS version that both sides allow, see mintls13 (${error.message})`;
  }
  // The runtime checks no issuers for us: this is how it tells of a signature by another key.
  if (/unable to (get issuer|verify the first) certificate/i.test(error.message)) {
    return "the peer did not prove that it has the private key of its certificate, which happens " +
      `if its certificate and key files do not belong together (${error.message})`;
  }
  return error.message;
}
