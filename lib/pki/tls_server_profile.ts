/** `tls-server`: our certificate for clients, and what we require of theirs. */
import { createSecureContext, type SecureContext } from "node:tls";
import type { Identity, ServerTls } from "../quic/tls.ts";
import type { Certificate } from "./certificate.ts";
import { type CertificateInFile, earliestExpiry } from "./expiry.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { checkOwnNodeId, loadOwnCertificate, type OwnCertificate } from "./own_certificate.ts";
import { printable } from "../base/printable.ts";
import { Reloading } from "./reloading.ts";
import type { TlsServerOptions } from "./tls_options.ts";
import {
  certificatesInFiles,
  loadTrust,
  minVersionOf,
  parsePins,
  type ProfileDeps,
  warnOf,
} from "./tls_profile_parts.ts";
import type { TrustStore } from "./trust_store.ts";
import { type PeerName, verifyPeer } from "./verify_peer.ts";

/** How often to log a client that is refused repeatedly for the same reason, in milliseconds. */
const REPEAT_REFUSAL_MS = 60_000;

interface Loaded {
  readonly own: OwnCertificate;
  /** Undefined if clients are not asked for a certificate. */
  readonly clientRoots: TrustStore | undefined;
  /** Made when first needed. */
  context?: SecureContext;
}

export class TlsServerProfile {
  readonly kind = "tls-server";
  readonly name: string;
  readonly options: TlsServerOptions;
  /** Whether a client without a certificate is turned away. */
  readonly wantsClientCertificate: boolean;
  /**
   * For streams over the mesh. `identity` follows the files, so read it again for each handshake.
   * With `requireclientcert` a client must be the node that it claims to be.
   */
  readonly mesh: ServerTls & { readonly identity: Identity };
  readonly #deps: ProfileDeps;
  readonly #pins: readonly Fingerprint[];
  readonly #loaded: Reloading<Loaded>;
  #lastRefusal = { line: "", at: 0 };

  /** Throws an `Error` that says which file or parameter is wrong. */
  constructor(deps: ProfileDeps, options: TlsServerOptions) {
    this.#deps = deps;
    this.name = options.name;
    this.options = options;
    // The original turns away clients without one in both cases.
    this.wantsClientCertificate = Boolean(options.requireClientCert || options.clientCas);
    this.#pins = parsePins(options.pinnedClientCert);
    if (this.#pins.length > 0 && !this.wantsClientCertificate) {
      deps.log.warning(
        `${this.#what}: pinnedclientcert has no effect without requireclientcert or clientcas`,
      );
    }
    const files = [options.cert, options.key, ...(options.clientCas ? [options.clientCas] : [])];
    this.#loaded = new Reloading(deps, { what: this.#what, files, load: () => this.#load() });
    this.mesh = this.#meshView();
  }

  /** Our own certificate, as it is now. */
  get certificate(): Certificate {
    return this.#loaded.current().own.chain[0];
  }

  /** When it, or one of its intermediates, expires; milliseconds since 1970. */
  get expiresAt(): number {
    return earliestExpiry(this.#loaded.current().own.chain);
  }

  /** Everything in the files of this profile that can expire. */
  get certificates(): CertificateInFile[] {
    const { own: certificate, clientRoots: roots } = this.#loaded.current();
    const { cert, clientCas } = this.options;
    const now = this.#deps.clock.wallTime();
    return certificatesInFiles({ file: cert, certificate }, { file: clientCas, roots }, now);
  }

  /** For `node:tls`: certificate, key and versions, as the files are now. */
  get secureContext(): SecureContext {
    const loaded = this.#loaded.current();
    loaded.context ??= createSecureContext({
      ...loaded.own.pem,
      minVersion: minVersionOf(this.options),
    });
    return loaded.context;
  }

  /**
   * Checks the chain of a client of a backend or socket (DER, leaf first); any client that the
   * authorities vouch for passes. `from` names the client in the refusal. Throws a
   * `CertificateRefused`. Does nothing if clients are not asked for a certificate. Returns the
   * node ids that the certificate vouches for.
   */
  verifyClient(chain: readonly Uint8Array[], from: string): readonly string[] {
    return this.wantsClientCertificate ? this.#verify(chain, "any", from).names.nodeIds : [];
  }

  get #what(): string {
    return `tls-server ${this.name}`;
  }

  #meshView(): TlsServerProfile["mesh"] {
    const loaded = this.#loaded;
    const verifyClient: ServerTls["verifyClient"] = this.wantsClientCertificate
      ? (chain, node) => this.#verifyMeshClient(chain, node)
      : undefined;
    return {
      get identity() {
        return loaded.current().own.identity;
      },
      verifyClient,
    };
  }

  /** Logs the reason, since nobody is waiting for a stream that never came up. */
  #verifyMeshClient(chain: readonly Uint8Array[], node: string): void {
    try {
      this.#verify(chain, this.options.requireClientCert ? { node } : "any", `node ${node}`);
    } catch (error) {
      const line = `Refused stream from ${printable(node)}: ${(error as Error).message}`;
      const now = this.#deps.clock.now();
      if (line !== this.#lastRefusal.line || now - this.#lastRefusal.at >= REPEAT_REFUSAL_MS) {
        this.#lastRefusal = { line, at: now };
        this.#deps.log.warning(line);
      }
      throw error;
    }
  }

  #verify(chain: readonly Uint8Array[], name: PeerName, from: string): Certificate {
    const { clientRoots } = this.#loaded.current();
    return verifyPeer(
      chain,
      { profile: this.#what, peerIs: "client", roots: clientRoots, pins: this.#pins },
      { name, from, now: this.#deps.clock.wallTime() },
    );
  }

  #load(): Loaded {
    const { cert, clientCas, skipReceptorNamesCheck } = this.options;
    const own = loadOwnCertificate(this.options);
    if (!skipReceptorNamesCheck) {
      checkOwnNodeId(own, { nodeId: this.#deps.nodeId, profile: this.name, cert });
    }
    const clientRoots = this.wantsClientCertificate
      ? loadTrust(this.#deps, clientCas, "error reading client CAs file")
      : undefined;
    warnOf(this.#deps.log, this.#what, own, clientRoots);
    return { own, clientRoots };
  }
}
