/** What the PKI room offers to other rooms: profiles, TLS over connections, signed work. */
export { certInit, type CertInitOptions } from "./cert_init.ts";
export { certMakeRequest, type CertMakeRequestOptions } from "./cert_make_request.ts";
export { certMesh, type CertMeshOptions } from "./cert_mesh.ts";
export { certSignRequest, type CertSignRequestOptions } from "./cert_sign_request.ts";
export type { CommandDeps, CommandIo } from "./command_io.ts";
export type { CertificateNearItsEndEvent, PkiObserver } from "./observer.ts";
export { TlsClientProfile } from "./tls_client_profile.ts";
export type { TlsClientOptions, TlsServerOptions } from "./tls_options.ts";
export { TlsProfiles, type TlsProfilesDeps, type TlsProfileStatus } from "./tls_profiles.ts";
export { TlsServerProfile } from "./tls_server_profile.ts";
export {
  loadSigningKey,
  loadVerifyingKey,
  signWorkToken,
  verifyWorkToken,
  WorkTokenError,
} from "./work_token.ts";
