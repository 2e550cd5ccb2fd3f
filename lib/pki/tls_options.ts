/** The parameters of `tls-server` and `tls-client`, as the configuration gives them. */

/** What both kinds of profile have. */
interface CommonOptions {
  readonly name: string;
  /** Skip the check, at the start, that our certificate names this node. */
  readonly skipReceptorNamesCheck?: boolean | undefined;
  /** TLS 1.3 at least (default); otherwise 1.2 at least. */
  readonly minTls13?: boolean | undefined;
}

export interface TlsServerOptions extends CommonOptions {
  /** File names. */
  readonly cert: string;
  readonly key: string;
  readonly requireClientCert?: boolean | undefined;
  /** File name of the authorities for clients; without it, system trust. */
  readonly clientCas?: string | undefined;
  /** Fingerprints of client certificates. */
  readonly pinnedClientCert?: readonly string[] | undefined;
}

export interface TlsClientOptions extends CommonOptions {
  /** File names; both or neither ("" counts as absent). */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** File name of the authorities for servers; without it, system trust. */
  readonly rootCas?: string | undefined;
  /** Accept any server certificate. */
  readonly insecureSkipVerify?: boolean | undefined;
  /** Fingerprints of server certificates. */
  readonly pinnedServerCert?: readonly string[] | undefined;
}
