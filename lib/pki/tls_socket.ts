/**
 * TLS over a connection, by the rules of a profile. The runtime takes care of the handshake and of
 * the peer's proof that it has the key; who is trusted is decided here, right after the handshake
 * and before any byte of the peer is looked at.
 */
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect, type ConnectionOptions, TLSSocket } from "node:tls";
import type { ByteConn } from "../base/byte_conn.ts";
import type { Clock } from "../base/clock.ts";
import type { TlsClientProfile } from "./tls_client_profile.ts";
import type { TlsServerProfile } from "./tls_server_profile.ts";
import { TlsTransport } from "./tls_transport.ts";

/** How long a handshake may take, in milliseconds; the original's. */
const HANDSHAKE_TIMEOUT_MS = 15_000;
/** More certificates than any chain that is accepted has. */
const MAX_CHAIN_WALK = 32;

export interface HandshakeOptions {
  readonly clock: Clock;
  /** For messages, such as `tcp 192.0.2.1:27199`. */
  readonly from: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes an accepted connection through the handshake. Resolves to the secured socket, or rejects
 * with the reason, the connection closed: a `CertificateRefused` when it is the client's
 * certificate. A client without one gets the alert `certificate required`; for other refusals the
 * runtime has no alert, such a client only sees the connection end.
 */
export function acceptTls(
  conn: ByteConn,
  profile: TlsServerProfile,
  options: HandshakeOptions,
): Promise<TLSSocket> {
  const transport = new TlsTransport(conn);
  // The types ask for a socket; any stream will do.
  const socket = new TLSSocket(transport as Duplex as ConstructorParameters<typeof TLSSocket>[0], {
    isServer: true,
    secureContext: profile.secureContext,
    requestCert: profile.wantsClientCertificate,
    // Without a server object around it, this only makes a certificate a must.
    rejectUnauthorized: profile.wantsClientCertificate,
  });
  transport.pace(socket);
  const check = () => profile.verifyClient(peerChain(socket), options.from);
  return handshake(socket, "secure", check, options);
}

/**
 * Takes a connection that we made through the handshake. The server's certificate must be for
 * `host`, the DNS name or IP address (with or without brackets) that was connected to. Resolves to
 * the secured socket, or rejects with the reason, the connection closed: a `CertificateRefused`
 * when it is the server's certificate.
 */
export function connectTls(
  conn: ByteConn,
  host: string,
  profile: TlsClientProfile,
  options: HandshakeOptions,
): Promise<TLSSocket> {
  const name = host.replace(/^\[(.*)\]$/, "$1");
  const transport = new TlsTransport(conn);
  const connection: ConnectionOptions = {
    socket: transport,
    // An address is no server name (RFC 6066).
    ...(isIP(name) ? {} : { servername: name }),
    secureContext: profile.secureContext,
    rejectUnauthorized: false,
  };
  const socket = connect(connection);
  transport.pace(socket);
  const check = () => profile.verifyServer(peerChain(socket), name, options.from);
  return handshake(socket, "secureConnect", check, options);
}

/** The certificates that the peer sent, as they came: DER, leaf first. Empty for none. */
function peerChain(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate = socket.getPeerCertificate(true);
  while (certificate?.raw !== undefined && chain.length < MAX_CHAIN_WALK) {
    chain.push(new Uint8Array(certificate.raw));
    // The last one leads to itself when it is self-signed.
    if (certificate.issuerCertificate === certificate) break;
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

function handshake(
  socket: TLSSocket,
  done: "secure" | "secureConnect",
  check: () => void,
  { clock, from, signal }: HandshakeOptions,
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const fail = (reason: unknown) => {
    stopWaiting();
    reject(reason);
    socket.destroy();
  };
  const onError = (cause: Error) =>
    fail(new Error(`TLS handshake with ${from} failed: ${explain(cause)}`, { cause }));
  const onClose = () =>
    fail(new Error(`TLS handshake with ${from} failed: the peer closed the connection`));
  const onAbort = () => fail(signal!.reason);
  const onDone = () => {
    try {
      check();
    } catch (error) {
      fail(error);
      return;
    }
    stopWaiting();
    resolve(socket);
  };
  const seconds = HANDSHAKE_TIMEOUT_MS / 1000;
  const timer = clock.after(
    HANDSHAKE_TIMEOUT_MS,
    () => fail(new Error(`TLS handshake with ${from} took longer than ${seconds} s`)),
  );
  const stopWaiting = () => {
    timer[Symbol.dispose]();
    signal?.removeEventListener("abort", onAbort);
    socket.off("error", onError).off("end", onClose).off("close", onClose).off(done, onDone);
  };

  // For the whole life of the socket: an error that nobody listens for would end the program.
  // Whoever uses it learns of one from its reads and writes, and from `close`.
  socket.on("error", () => {});
  // Errors of a socket without a server object are told under this name once it is secured.
  if (done === "secure") socket.on("_tlsError", (error) => socket.destroy(error));
  socket.on("error", onError).on("end", onClose).on("close", onClose).on(done, onDone);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  return promise;
}

/** What the runtime's errors mean, where they do not say. */
function explain(error: Error): string {
  if (/InvalidContentType|wrong version number/i.test(error.message)) {
    return `the peer does not speak TLS (${error.message})`;
  }
  if (/SupportedVersionsExtensionRequired|ProtocolVersion/i.test(error.message)) {
    return `no TLS version that both sides allow, see mintls13 (${error.message})`;
  }
  return error.message;
}
