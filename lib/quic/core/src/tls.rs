//! TLS set-up for both sides: TLS 1.3 only, ALPN `netceptor`, no resumption, and a clock that nobody
//! reads.

use std::sync::Arc;

use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::crypto::{ring, CryptoProvider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{CipherSuite, ClientConfig, ServerConfig};

use crate::host_keys::HostKeys;
use crate::session::{ClientSessions, ServerSessions};
use crate::suite;
use crate::verifier::HostVerifier;

/// The original's protocol: a connection carries one stream.
const NETCEPTOR: &[u8] = b"netceptor";
/// Ours: a connection carries many (docs/streams.md).
pub const STREAMS: &[u8] = b"receptor-streams/1";

/// What we speak, the protocol that we like best first; `many` says whether that is ours.
fn protocols(many: bool) -> Vec<Vec<u8>> {
    let ours: &[&[u8]] = if many {
        &[STREAMS, NETCEPTOR]
    } else {
        &[NETCEPTOR]
    };
    ours.iter().map(|name| name.to_vec()).collect()
}

/// The host's check for client certificates, in the numbering of `verify`; a dialled connection
/// has a number of its own.
const SERVER_TOKEN: u32 = 0;

/// Our own chain, leaf first, and its key.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// From DER: the certificates, then the private key (PKCS #8, PKCS #1 or SEC 1).
    pub fn from_blobs(blobs: &[&[u8]]) -> Result<Self, String> {
        let Some((key, chain)) = blobs.split_last() else {
            return Err("no certificate and no private key".into());
        };
        Ok(Self {
            chain: chain
                .iter()
                .map(|certificate| CertificateDer::from(certificate.to_vec()))
                .collect(),
            key: PrivateKeyDer::try_from(key.to_vec())
                .map_err(|problem| format!("the private key is not usable: {problem}"))?,
        })
    }
}

/// The host decides what is in date; rustls wants a time for its verifiers, and ours ignore it.
#[derive(Debug)]
struct NoTime;

impl TimeProvider for NoTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::ZERO))
    }
}

/// ring's, with the host's RSA signatures and our own ChaCha20-Poly1305. That comes first: ring has no AES instructions in
/// WebAssembly, and its AES without them is several times slower.
pub fn provider() -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.suite() != CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    provider.cipher_suites.insert(0, suite::chacha20_poly1305());
    provider.key_provider = &HostKeys;
    Arc::new(provider)
}

/// `token` names the host's check of the server, `many` says whether to offer many streams.
pub fn client(
    provider: &Arc<CryptoProvider>,
    token: u32,
    identity: Option<Identity>,
    many: bool,
) -> Result<Arc<ClientSessions>, String> {
    let builder = ClientConfig::builder_with_details(provider.clone(), Arc::new(NoTime))
        .with_protocol_versions(&[&TLS13])
        .map_err(in_words)?
        .dangerous()
        .with_custom_certificate_verifier(HostVerifier::new(token, provider.clone()));
    let mut config = match identity {
        Some(identity) => builder
            .with_client_auth_cert(identity.chain, identity.key)
            .map_err(in_words)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols(many);
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    let sessions = QuicClientConfig::try_from(config).map_err(|error| error.to_string())?;
    Ok(Arc::new(ClientSessions(Arc::new(sessions))))
}

pub fn server(
    provider: &Arc<CryptoProvider>,
    identity: Identity,
    verify_client: bool,
    many: bool,
) -> Result<Arc<ServerSessions>, String> {
    let builder = ServerConfig::builder_with_details(provider.clone(), Arc::new(NoTime))
        .with_protocol_versions(&[&TLS13])
        .map_err(in_words)?;
    let builder = if verify_client {
        builder.with_client_cert_verifier(HostVerifier::new(SERVER_TOKEN, provider.clone()))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder
        .with_single_cert(identity.chain, identity.key)
        .map_err(in_words)?;
    // Go peers list AES first.
    config.ignore_client_order = true;
    config.alpn_protocols = protocols(many);
    config.send_tls13_tickets = 0;
    let sessions = QuicServerConfig::try_from(config).map_err(|error| error.to_string())?;
    Ok(Arc::new(ServerSessions(Arc::new(sessions))))
}

fn in_words(error: rustls::Error) -> String {
    format!("the certificate and key are not usable: {error}")
}
