/** Nodes of ours and of Go with certificates, good ones and bad ones. */
import { TcpListener, TcpPeer } from "../../lib/backends/tcp.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { Netceptor } from "../../lib/netceptor/netceptor.ts";
import type { TlsClientProfile } from "../../lib/pki/tls_client_profile.ts";
import type { TlsClientOptions, TlsServerOptions } from "../../lib/pki/tls_options.ts";
import { TlsProfiles } from "../../lib/pki/tls_profiles.ts";
import type { TlsServerProfile } from "../../lib/pki/tls_server_profile.ts";
import { type CertificateOptions, type Issued, makeCertificate } from "../pki/_certificates.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { eventually } from "../support/eventually.ts";
import type { Mesh } from "../support/mesh.ts";
import type { TempFolder } from "../support/temp_folder.ts";

const POLICY = { cost: 1, nodeCost: {} };

/** A certificate and its key, as file names. */
export interface Files {
  readonly cert: string;
  readonly key: string;
}

/** The certificates of one test, in a folder of its own. All count from today. */
export class TestPki {
  readonly #folder: TempFolder;
  /** File of the one authority that all good nodes trust. */
  readonly ca: string;
  readonly authority: Issued;
  /** Another authority, which nobody trusts. */
  readonly stranger: Issued;

  private constructor(folder: TempFolder, ca: string, authority: Issued, stranger: Issued) {
    this.#folder = folder;
    this.ca = ca;
    this.authority = authority;
    this.stranger = stranger;
  }

  static async create(mesh: Mesh): Promise<TestPki> {
    const folder = await mesh.folder();
    const now = Date.now();
    const authority = await makeCertificate({ commonName: "Test CA", ca: true, now });
    const stranger = await makeCertificate({ commonName: "Stranger", ca: true, now });
    const ca = folder.join("ca.crt");
    await Deno.writeTextFile(ca, authority.cert);
    return new TestPki(folder, ca, authority, stranger);
  }

  /** A certificate for node `name` on this machine, with whatever `options` change. */
  async files(name: string, options: Partial<CertificateOptions> = {}): Promise<Files> {
    const issued = await makeCertificate({
      commonName: name,
      issuer: this.authority,
      nodeIds: [name],
      dnsNames: ["localhost"],
      ipAddresses: ["127.0.0.1"],
      now: Date.now(),
      ...options,
    });
    return await this.write(name, issued);
  }

  /** Writes a certificate, its intermediates in the same file, and its key. */
  async write(name: string, issued: Issued, ...chain: Issued[]): Promise<Files> {
    const files = {
      cert: this.#folder.join(`${name}.crt`),
      key: this.#folder.join(`${name}.key`),
    };
    await Deno.writeTextFile(files.cert, [issued, ...chain].map(({ cert }) => cert).join(""));
    await Deno.writeTextFile(files.key, issued.key);
    return files;
  }
}

/** Our mesh node in this process, with TLS. */
export class OwnTlsNode implements AsyncDisposable {
  readonly netceptor: Netceptor;
  readonly log = new RecordingLog();
  readonly profiles: TlsProfiles;
  readonly #deps = { log: this.log, clock: systemClock, random: systemRandom };

  constructor(nodeId: string) {
    this.netceptor = new Netceptor(this.#deps, { nodeId });
    this.profiles = new TlsProfiles({ ...this.#deps, nodeId });
  }

  server(options: Omit<TlsServerOptions, "name">): TlsServerProfile {
    return this.profiles.addServer({ name: "server", ...options });
  }

  client(options: Omit<TlsClientOptions, "name">): TlsClientProfile {
    return this.profiles.addClient({ name: "client", ...options });
  }

  /** Listens on a free loopback port. */
  listen(tls?: TlsServerProfile): number {
    const options = { bindAddress: "127.0.0.1", port: 0, tls };
    const listener = TcpListener.bind(this.#deps, options);
    this.netceptor.addBackend(listener, POLICY);
    return listener.address.port;
  }

  /** Keeps dialling a loopback port. */
  dial(port: number, tls?: TlsClientProfile, host = "127.0.0.1"): void {
    const peer = new TcpPeer(this.#deps, { address: `${host}:${port}`, redial: true, tls });
    this.netceptor.addBackend(peer, POLICY);
  }

  async waitForRoute(node: string): Promise<void> {
    await eventually(() => this.netceptor.hasRoute(node), {
      what: `a route from ${this.netceptor.nodeId} to ${node}; it logged:\n${
        this.log.lines.join("\n")
      }`,
    });
  }

  /** Resolves to the first line of the log that matches. */
  async waitForLog(pattern: RegExp): Promise<string> {
    return await eventually(() => this.log.lines.find((line) => pattern.test(line)), {
      what: `a log line like ${pattern} among:\n${this.log.lines.join("\n")}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.netceptor[Symbol.asyncDispose]();
  }
}

/** The `tls-server` and `tls-client` actions of a Go node; both are named `tls`. */
export function goTls(
  kind: "tls-server" | "tls-client",
  files: Files | { cert: ""; key: "" },
  options: Record<string, unknown> = {},
) {
  return { [kind]: { name: "tls", ...files, ...options } };
}
