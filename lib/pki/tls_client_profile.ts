/** `tls-client`: what we require of servers that we connect to, and our certificate for them. */
import { createSecureContext, type SecureContext } from "node:tls";
import type { ClientTls } from "../quic/tls.ts";
import type { Certificate } from "./certificate.ts";
import { type CertificateInFile, earliestExpiry } from "./expiry.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { checkOwnNodeId, loadOwnCertificate, type OwnCertificate } from "./own_certificate.ts";
import { Reloading } from "./reloading.ts";
import type { TlsClientOptions } from "./tls_options.ts";
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

interface Loaded {
  /** Undefined for a client that shows no certificate. */
  readonly own: OwnCertificate | undefined;
  /** Undefined with `insecureskipverify`. */
  readonly roots: TrustStore | undefined;
  /** Made when first needed. */
  context?: SecureContext;
}

export class TlsClientProfile {
  readonly kind = "tls-client";
  readonly name: string;
  readonly options: TlsClientOptions;
  /**
   * For streams over the mesh: the server must be the node that is dialled. `identity` follows the
   * files, so read it again for each dial.
   */
  readonly mesh: ClientTls;
  readonly #deps: ProfileDeps;
  readonly #pins: readonly Fingerprint[];
  readonly #loaded: Reloading<Loaded>;

  /** Throws an `Error` that says which file or parameter is wrong. */
  constructor(deps: ProfileDeps, options: TlsClientOptions) {
    this.#deps = deps;
    this.name = options.name;
    this.options = options;
    if (!options.cert !== !options.key) {
      throw new Error("cert and key must both be supplied or neither");
    }
    this.#pins = parsePins(options.pinnedServerCert);
    const files = [options.cert, options.key, options.rootCas].filter((file) => file) as string[];
    this.#loaded = new Reloading(deps, { what: this.#what, files, load: () => this.#load() });
    this.mesh = this.#meshView();
  }

  /** Our own certificate, as it is now; undefined for a client that shows none. */
  get certificate(): Certificate | undefined {
    return this.#loaded.current().own?.chain[0];
  }

  /** When it, or one of its intermediates, expires; milliseconds since 1970. */
  get expiresAt(): number | undefined {
    const { own } = this.#loaded.current();
    return own === undefined ? undefined : earliestExpiry(own.chain);
  }

  /** Everything in the files of this profile that can expire. */
  get certificates(): CertificateInFile[] {
    const { own: certificate, roots } = this.#loaded.current();
    const { cert, rootCas } = this.options;
    const now = this.#deps.clock.wallTime();
    return certificatesInFiles({ file: cert, certificate }, { file: rootCas, roots }, now);
  }

  /** For `node:tls`: certificate, key and versions, as the files are now. */
  get secureContext(): SecureContext {
    const loaded = this.#loaded.current();
    loaded.context ??= createSecureContext({
      ...loaded.own?.pem,
      minVersion: minVersionOf(this.options),
    });
    return loaded.context;
  }

  /**
   * Checks the chain of a backend's server (DER, leaf first), which must be for `host`, a DNS name
   * or IP address. `from` names the server in the refusal. Throws a `CertificateRefused`. Returns
   * the node ids in its certificate; none if anybody may have made it.
   */
  verifyServer(chain: readonly Uint8Array[], host: string, from: string): readonly string[] {
    return this.#verify(chain, { host }, from);
  }

  get #what(): string {
    return `tls-client ${this.name}`;
  }

  #meshView(): ClientTls {
    const loaded = this.#loaded;
    return {
      get identity() {
        return loaded.current().own?.identity;
      },
      verifyServer: (chain, node) => void this.#verify(chain, { node }, `node ${node}`),
    };
  }

  #verify(chain: readonly Uint8Array[], name: PeerName, from: string): readonly string[] {
    const { roots } = this.#loaded.current();
    const leaf = verifyPeer(
      chain,
      { profile: this.#what, peerIs: "server", roots, pins: this.#pins },
      { name, from, now: this.#deps.clock.wallTime() },
    );
    return roots === undefined && this.#pins.length === 0 ? [] : leaf.names.nodeIds;
  }

  #load(): Loaded {
    const { cert, key, rootCas, insecureSkipVerify, skipReceptorNamesCheck } = this.options;
    const own = cert && key ? loadOwnCertificate({ cert, key }) : undefined;
    if (own !== undefined && !skipReceptorNamesCheck) {
      checkOwnNodeId(own, { nodeId: this.#deps.nodeId, profile: this.name, cert: cert! });
    }
    const roots = insecureSkipVerify
      ? undefined
      : loadTrust(this.#deps, rootCas, "error reading root CAs file");
    warnOf(this.#deps.log, this.#what, own, roots);
    return { own, roots };
  }
}
