/**
 * What a configuration says about TLS and signed work, ready to use. The PKI room and the runtime's
 * own TLS are loaded only if the configuration mentions either, or once something uses the client
 * profile that always exists: they take longer to load than the rest of the node.
 */
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/default_socket.ts";
import type { Log } from "../base/log.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import { tlsClient, tlsServer } from "../config/actions/tls.ts";
import { workSigning, workVerification } from "../config/actions/workers.ts";
import type { Config } from "../config/config.ts";
import { ControlError } from "../control/control_error.ts";
import type { PkiObserver } from "../pki/observer.ts";
import type { TlsClientProfile } from "../pki/tls_client_profile.ts";
import type { TlsProfiles, TlsProfileStatus } from "../pki/tls_profiles.ts";
import type { TlsServerProfile } from "../pki/tls_server_profile.ts";
import { DEFAULT_CLIENT } from "../pki/default_client.ts";
import type { LoadClientTls } from "../quic/tls.ts";
import { failedAction } from "./failed_action.ts";

async function loadPki() {
  const [profiles, tokens] = await Promise.all([
    import("../pki/tls_profiles.ts"),
    import("../pki/work_token.ts"),
  ]);
  return { ...profiles, ...tokens };
}
type Pki = Awaited<ReturnType<typeof loadPki>>;

export interface SecurityDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly environment: Environment;
  readonly observer?: PkiObserver | undefined;
}

export class Security implements Disposable {
  /** Makes the signature for a command to a node; absent without `work-signing`. */
  readonly signWork: ((node: string, command: string) => Promise<string>) | undefined;
  /** Rejects with a `ControlError`; absent without `work-verification`. */
  readonly verifySignature: ((signature: string, command: string) => Promise<void>) | undefined;
  readonly #profiles: TlsProfiles | undefined;
  /** In a node without `#profiles`; loads them at the first use. */
  readonly #loadEmptyProfiles: () => Promise<TlsProfiles>;
  readonly #expiryWatch: Disposable | undefined;

  private constructor(config: Config, deps: SecurityDeps, pki: Pki | undefined) {
    let empty: Promise<TlsProfiles> | undefined;
    this.#loadEmptyProfiles = () =>
      empty ??= loadPki().then((loaded) => loadProfiles(config, deps, loaded));
    if (pki === undefined) return;
    this.#profiles = loadProfiles(config, deps, pki);
    this.#expiryWatch = this.#profiles.watchExpiry();
    this.signWork = signerOf(config, deps, pki);
    this.verifySignature = verifierOf(config, deps, pki);
  }

  /** Throws a `ConfigError` that names the action whose files or parameters are wrong. */
  static async load(config: Config, deps: SecurityDeps): Promise<Security> {
    const actions: ActionSpec[] = [tlsServer, tlsClient, workSigning, workVerification];
    const needed = config.actions.some(({ action }) => actions.includes(action));
    return new Security(config, deps, needed ? await loadPki() : undefined);
  }

  /** For listeners. Throws an `Error` if there is no `tls-server` of that name. */
  server(name: string): TlsServerProfile {
    return this.#known(name).server(name);
  }

  /** For diallers. Rejects with an `Error` if there is no `tls-client` of that name. */
  async client(name: string): Promise<TlsClientProfile> {
    const onlyDefault = this.#profiles === undefined && name === DEFAULT_CLIENT;
    const profiles = onlyDefault ? await this.#loadEmptyProfiles() : this.#known(name);
    return profiles.client(name);
  }

  /** For streams over the mesh; `undefined` if there is no `tls-client` of that name. */
  clientTls(name: string): LoadClientTls | undefined {
    const exists = name === DEFAULT_CLIENT || this.#profiles?.hasClient(name);
    return exists ? async () => (await this.client(name)).mesh : undefined;
  }

  /** Our own certificates that are close to expiry, or past it. */
  expiringCertificates(): TlsProfileStatus[] {
    return this.#profiles?.expiring() ?? [];
  }

  [Symbol.dispose](): void {
    this.#expiryWatch?.[Symbol.dispose]();
  }

  #known(name: string): TlsProfiles {
    if (this.#profiles) return this.#profiles;
    throw new Error(
      `unknown TLS config ${name}: there is none, add a tls-server or tls-client of that name`,
    );
  }
}

function loadProfiles(config: Config, deps: SecurityDeps, pki: Pki): TlsProfiles {
  const { log, clock, environment, observer } = deps;
  const systemCertFile = environment("SSL_CERT_FILE");
  const profiles = new pki.TlsProfiles({
    log,
    clock,
    nodeId: config.nodeId,
    systemCertFile,
    observer,
  });
  for (const configured of config.all(tlsServer)) {
    const { values } = configured;
    atPosition(configured, () =>
      profiles.addServer({
        name: values.name,
        cert: values.cert,
        key: values.key,
        requireClientCert: values.requireclientcert,
        clientCas: values.clientcas,
        pinnedClientCert: values.pinnedclientcert,
        skipReceptorNamesCheck: values.skipreceptornamescheck,
        minTls13: values.mintls13,
      }));
  }
  for (const configured of config.all(tlsClient)) {
    const { values } = configured;
    atPosition(configured, () =>
      profiles.addClient({
        name: values.name,
        cert: values.cert,
        key: values.key,
        rootCas: values.rootcas,
        insecureSkipVerify: values.insecureskipverify,
        pinnedServerCert: values.pinnedservercert,
        skipReceptorNamesCheck: values.skipreceptornamescheck,
        minTls13: values.mintls13,
      }));
  }
  return profiles;
}

function signerOf(config: Config, { clock }: SecurityDeps, pki: Pki): Security["signWork"] {
  const configured = config.find(workSigning);
  if (configured === undefined) return undefined;
  const { privatekey = "", tokenexpiration } = configured.values;
  const key = atPosition(configured, () => pki.loadSigningKey(privatekey));
  return (audience, command) => {
    const expiresAt = clock.wallTime() + tokenexpiration;
    return Promise.resolve(pki.signWorkToken(key, { audience, command, expiresAt }));
  };
}

function verifierOf(
  config: Config,
  { clock }: SecurityDeps,
  pki: Pki,
): Security["verifySignature"] {
  const configured = config.find(workVerification);
  if (configured === undefined) return undefined;
  const { publickey = "", boundonly: boundOnly } = configured.values;
  const key = atPosition(configured, () => pki.loadVerifyingKey(publickey));
  return (token, command) => {
    const expected = { nodeId: config.nodeId, now: clock.wallTime(), command, boundOnly };
    try {
      pki.verifyWorkToken(token, key, expected);
      return Promise.resolve();
    } catch (cause) {
      if (!(cause instanceof pki.WorkTokenError)) return Promise.reject(cause);
      return Promise.reject(new ControlError(cause.message, { cause }));
    }
  };
}

/** Runs `step`; what it throws becomes a `ConfigError` that says where the action was written. */
function atPosition<T>(configured: Configured<ActionSpec>, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw failedAction(configured, cause);
  }
}
