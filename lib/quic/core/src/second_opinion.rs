//! What rustls-webpki says of a chain, to compare our own verifier with.

use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{anchor_from_trusted_cert, EndEntityCert, KeyUsage};

use crate::{blobs, border};

/// The argument is blobs: "client" or "server", which the leaf is for; a name that it must have, or
/// nothing; the root; the chain, leaf first. `now` is in seconds since 1970. Returns whether the chain is
/// good; if not, the reason is the output.
#[no_mangle]
extern "C" fn second_opinion(now: f64, len: usize) -> bool {
    let argument = border::take_argument(len);
    match judge(now, &blobs::read(&argument)) {
        Ok(()) => true,
        Err(problem) => {
            border::output(problem.as_bytes());
            false
        }
    }
}

fn judge(now: f64, blobs: &[&[u8]]) -> Result<(), String> {
    let [purpose, name, root, leaf, intermediates @ ..] = blobs else {
        return Err("no chain".into());
    };
    let usage = match *purpose {
        b"client" => KeyUsage::client_auth(),
        _ => KeyUsage::server_auth(),
    };
    let [root, leaf] = [root, leaf].map(|der| CertificateDer::from(der.to_vec()));
    let intermediates: Vec<_> = intermediates
        .iter()
        .map(|der| CertificateDer::from(der.to_vec()))
        .collect();
    let anchor = anchor_from_trusted_cert(&root).map_err(in_words)?;
    let leaf = EndEntityCert::try_from(&leaf).map_err(in_words)?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now as u64));
    let algorithms = default_provider().signature_verification_algorithms.all;
    leaf.verify_for_usage(
        algorithms,
        &[anchor],
        &intermediates,
        time,
        usage,
        None,
        None,
    )
    .map_err(in_words)?;
    if name.is_empty() {
        return Ok(());
    }
    let name = std::str::from_utf8(name).map_err(|error| error.to_string())?;
    let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
    leaf.verify_is_valid_for_subject_name(&name)
        .map_err(in_words)
}

fn in_words(error: webpki::Error) -> String {
    format!("{error:?}")
}
