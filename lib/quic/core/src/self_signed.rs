//! The self-signed certificate of a service without a TLS config: a fresh P-256 key under the one
//! name that such clients accept.

use ring::rand::SystemRandom;
use ring::signature::{EcdsaKeyPair, KeyPair, ECDSA_P256_SHA256_ASN1_SIGNING};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::host;
use crate::tls::Identity;

const COMMON_NAME: &[u8] = b"netceptor-insecure-common-name";

// Object identifiers, encoded.
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ID_AT_COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

// DER tags.
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXPLICIT_0: u8 = 0xa0;

/// X.509 version 3.
const VERSION_3: u8 = 2;
/// Nobody checks the dates of this certificate, but these are valid at any time.
const NOT_BEFORE: &[u8] = b"000101000000Z";
/// "No well-defined expiration date" (RFC 5280, 4.1.2.5).
const NOT_AFTER: &[u8] = b"99991231235959Z";

pub fn identity() -> Result<Identity, String> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let unusable = |_| "no self-signed certificate: the key could not be made".to_string();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(unusable)?;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
        .map_err(|error| format!("no self-signed certificate: {error}"))?;

    let body = certificate_body(key.public_key().as_ref());
    let signature = key.sign(&random, &body).map_err(unusable)?;
    let certificate = der(
        SEQUENCE,
        &[
            &body,
            &signature_algorithm(),
            &bit_string(signature.as_ref()),
        ],
    );
    Ok(Identity {
        chain: vec![CertificateDer::from(certificate)],
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.as_ref().to_vec())),
    })
}

/// `TBSCertificate` (RFC 5280, 4.1).
fn certificate_body(public_key: &[u8]) -> Vec<u8> {
    let mut serial = [0; 16];
    host::fill_random(&mut serial);
    // Positive and without a leading zero, as the encoding of a number wants.
    serial[0] = (serial[0] & 0x7f) | 0x40;
    let name = der(
        SEQUENCE,
        &[&der(
            SET,
            &[&der(
                SEQUENCE,
                &[
                    &der(OBJECT_IDENTIFIER, &[ID_AT_COMMON_NAME]),
                    &der(UTF8_STRING, &[COMMON_NAME]),
                ],
            )],
        )],
    );
    let validity = der(
        SEQUENCE,
        &[
            &der(UTC_TIME, &[NOT_BEFORE]),
            &der(GENERALIZED_TIME, &[NOT_AFTER]),
        ],
    );
    let key_algorithm = der(
        SEQUENCE,
        &[
            &der(OBJECT_IDENTIFIER, &[EC_PUBLIC_KEY]),
            &der(OBJECT_IDENTIFIER, &[PRIME256V1]),
        ],
    );
    der(
        SEQUENCE,
        &[
            &der(EXPLICIT_0, &[&der(INTEGER, &[&[VERSION_3]])]),
            &der(INTEGER, &[&serial]),
            &signature_algorithm(),
            &name,
            &validity,
            &name,
            &der(SEQUENCE, &[&key_algorithm, &bit_string(public_key)]),
        ],
    )
}

fn signature_algorithm() -> Vec<u8> {
    der(SEQUENCE, &[&der(OBJECT_IDENTIFIER, &[ECDSA_WITH_SHA256])])
}

/// Whole bytes: no unused bits.
fn bit_string(bytes: &[u8]) -> Vec<u8> {
    der(BIT_STRING, &[&[0], bytes])
}

/// One DER element; contents up to 65,535 bytes.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let len = contents.len();
    let mut element = vec![tag];
    match len {
        0..=0x7f => element.push(len as u8),
        0x80..=0xff => element.extend([0x81, len as u8]),
        _ => element.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    element.extend(contents);
    element
}
