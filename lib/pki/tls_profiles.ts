/** All `tls-server` and `tls-client` profiles of a node, by name. */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import { guardObserver } from "../base/observer.ts";
import { DEFAULT_CLIENT } from "./default_client.ts";
import { describeExpiry, EXPIRY_WARNING_MS, nearTheirEnd } from "./expiry.ts";
import { pkiEvents, type PkiObserver } from "./observer.ts";
import { formatTime } from "./time.ts";
import { TlsClientProfile } from "./tls_client_profile.ts";
import type { TlsClientOptions, TlsServerOptions } from "./tls_options.ts";
import type { ProfileDeps } from "./tls_profile_parts.ts";
import { TlsServerProfile } from "./tls_server_profile.ts";
import { TrustStore } from "./trust_store.ts";

const hourMs = 60 * 60 * 1000;
/** How often to warn about certificates close to expiry, in milliseconds. */
const EXPIRY_CHECK_MS = 12 * hourMs;

export interface TlsProfilesDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeId: string;
  /** Value of SSL_CERT_FILE, which names the system trust as it does for Go. */
  readonly systemCertFile?: string | undefined;
  readonly observer?: PkiObserver | undefined;
}

/** One profile's own certificate, as `status` shows it. */
export interface TlsProfileStatus {
  readonly Kind: "tls-server" | "tls-client";
  readonly Name: string;
  /** File name. */
  readonly Cert: string;
  readonly Subject: string;
  readonly NodeIDs: readonly string[];
  /** RFC 3339; the earliest in the file if it also holds intermediates. */
  readonly NotAfter: string;
}

export class TlsProfiles {
  readonly #deps: ProfileDeps;
  readonly #observer: Required<PkiObserver>;
  readonly #servers = new Map<string, TlsServerProfile>();
  readonly #clients = new Map<string, TlsClientProfile>();

  constructor({ clock, log, nodeId, systemCertFile, observer = {} }: TlsProfilesDeps) {
    this.#observer = guardObserver(observer, pkiEvents, { log, what: "certificates" });
    let system: TrustStore | undefined;
    const systemTrust = () => system ??= TrustStore.system({ certFile: systemCertFile });
    this.#deps = { clock, log, nodeId, systemTrust };
  }

  /** Throws an `Error` in the original's words if a file or parameter is wrong. */
  addServer(options: TlsServerOptions): TlsServerProfile {
    return add(this.#servers, "server", () => new TlsServerProfile(this.#deps, options));
  }

  /** Throws an `Error` in the original's words if a file or parameter is wrong. */
  addClient(options: TlsClientOptions): TlsClientProfile {
    return add(this.#clients, "client", () => new TlsClientProfile(this.#deps, options));
  }

  /** Throws an `Error` if there is no such profile. */
  server(name: string): TlsServerProfile {
    return this.#servers.get(name) ?? unknown(name, [...this.#servers.keys()]);
  }

  /** Whether `addClient` has made a profile of that name. */
  hasClient(name: string): boolean {
    return this.#clients.has(name);
  }

  /** Throws an `Error` if there is no such profile; `default` always exists. */
  client(name: string): TlsClientProfile {
    if (name === DEFAULT_CLIENT && !this.#clients.has(name)) {
      return this.addClient({ name, minTls13: false });
    }
    return this.#clients.get(name) ?? unknown(name, [...this.#clients.keys()]);
  }

  status(): TlsProfileStatus[] {
    const found: TlsProfileStatus[] = [];
    for (const profile of this.#all()) {
      const { kind, name, options, certificate, expiresAt } = profile;
      if (certificate === undefined) continue;
      found.push({
        Kind: kind,
        Name: name,
        Cert: options.cert!,
        Subject: certificate.subjectText,
        NodeIDs: certificate.names.nodeIds,
        NotAfter: formatTime(expiresAt!),
      });
    }
    return found;
  }

  /** Those that are close to expiry, or past it. */
  expiring(): TlsProfileStatus[] {
    const soon = this.#deps.clock.wallTime() + EXPIRY_WARNING_MS;
    return this.status().filter(({ NotAfter }) => Date.parse(NotAfter) <= soon);
  }

  /** Warns about certificates close to expiry, now and twice a day until disposed of. */
  watchExpiry(): Disposable {
    const { clock } = this.#deps;
    let timer: Disposable;
    const check = () => {
      this.#warnOfExpiry();
      timer = clock.after(EXPIRY_CHECK_MS, check);
    };
    check();
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  #warnOfExpiry(): void {
    const { clock, log } = this.#deps;
    // Profiles share files: log one line for each certificate.
    const events = this.#all().flatMap(({ certificates }) =>
      nearTheirEnd(certificates, clock.wallTime())
    );
    const byLine = new Map(events.map((event) => [describeExpiry(event), event]));
    for (const [line, event] of byLine) {
      log.warning(line);
      this.#observer.certificateNearItsEnd(event);
    }
  }

  #all(): (TlsServerProfile | TlsClientProfile)[] {
    return [...this.#servers.values(), ...this.#clients.values()];
  }
}

function add<P extends { readonly name: string }>(
  profiles: Map<string, P>,
  kind: "server" | "client",
  make: () => P,
): P {
  try {
    const profile = make();
    if (profile.name === "") throw new Error("must provide a name");
    profiles.set(profile.name, profile);
    return profile;
  } catch (cause) {
    const reason = messageOf(cause);
    throw new Error(`error preparing tls ${kind} config: ${reason}`, { cause });
  }
}

function unknown(name: string, known: readonly string[]): never {
  const choice = known.length === 0 ? "there is none" : `known names are ${known.join(", ")}`;
  throw new Error(`unknown TLS config ${name}: ${choice}`);
}
