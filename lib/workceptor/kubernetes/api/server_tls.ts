/** TLS with an API server, by what the kubeconfig or the service account says of it. */
import { createSecureContext, type SecureContext } from "node:tls";
import type { LinkClientTls } from "../../../backends/tls.ts";
import type { Clock } from "../../../base/clock.ts";
import { messageOf } from "../../../base/error_message.ts";
import { parseOwnCertificate } from "../../../pki/own_certificate.ts";
import { TrustStore } from "../../../pki/trust_store.ts";
import { verifyPeer } from "../../../pki/verify_peer.ts";
import { type ClientCertificate, readMaterial } from "./credentials.ts";
import { SetupError } from "./kube_error.ts";
import type { Material } from "./kubeconfig.ts";

export interface ServerTlsDeps {
  readonly clock: Pick<Clock, "wallTime">;
  /** The authorities of this machine, read at most once. */
  readonly systemTrust: () => TrustStore;
}

export interface ServerTlsOptions {
  /** For messages, such as `context prod`. */
  readonly what: string;
  /** Undefined for the machine's authorities. */
  readonly ca: Material | undefined;
  readonly insecure: boolean;
}

/** Go's default, and what API servers of all ages speak. */
const MIN_VERSION = "TLSv1.2";

/** What handshakes with one server need. Files are read anew for each. */
export class ServerTls {
  readonly #deps: ServerTlsDeps;
  readonly #options: ServerTlsOptions;
  /** Parsed from these texts, which seldom change. */
  #roots: { readonly text: string; readonly store: TrustStore } | undefined;
  #context: { readonly pair: string; readonly context: SecureContext } | undefined;

  constructor(deps: ServerTlsDeps, options: ServerTlsOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Throws a `SetupError` that names the file, or the field of the kubeconfig, that is wrong. */
  async forHandshake(certificate: ClientCertificate | undefined): Promise<LinkClientTls> {
    try {
      return this.#tls(
        this.#options.insecure ? undefined : await this.#trusted(),
        this.#contextFor(certificate),
      );
    } catch (cause) {
      throw new SetupError(messageOf(cause), { cause });
    }
  }

  #tls(roots: TrustStore | undefined, secureContext: SecureContext): LinkClientTls {
    const rules = { profile: this.#options.what, peerIs: "server", roots, pins: [] } as const;
    return {
      secureContext,
      verifyServer: (chain, host, from) => {
        const expected = { name: { host }, from, now: this.#deps.clock.wallTime() };
        try {
          verifyPeer(chain, rules, expected);
        } catch (cause) {
          throw new SetupError(messageOf(cause), { cause });
        }
        return [];
      },
    };
  }

  async #trusted(): Promise<TrustStore> {
    const { ca } = this.#options;
    if (ca === undefined) return this.#deps.systemTrust();
    const { text, from } = await readMaterial(ca);
    if (this.#roots?.text !== text) this.#roots = { text, store: TrustStore.fromPem(text, from) };
    return this.#roots.store;
  }

  #contextFor(certificate: ClientCertificate | undefined): SecureContext {
    const pair = certificate === undefined ? "" : certificate.cert + certificate.key;
    if (this.#context?.pair !== pair) {
      this.#context = { pair, context: makeContext(certificate) };
    }
    return this.#context.context;
  }
}

function makeContext(certificate: ClientCertificate | undefined): SecureContext {
  if (certificate === undefined) return createSecureContext({ minVersion: MIN_VERSION });
  const { cert, key, certFrom, keyFrom } = certificate;
  const { pem } = parseOwnCertificate({ cert, key }, { cert: certFrom, key: keyFrom });
  return createSecureContext({ ...pem, minVersion: MIN_VERSION });
}
