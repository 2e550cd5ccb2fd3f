//! rustls's TLS_CHACHA20_POLY1305_SHA256 with our own ChaCha20-Poly1305 for the QUIC packets; the
//! rest of it is ring's.

use std::sync::OnceLock;

use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::crypto::ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
use rustls::crypto::CipherSuiteCommon;
use rustls::quic::{Algorithm, HeaderProtectionKey, PacketKey};
use rustls::{SupportedCipherSuite, Tls13CipherSuite};

#[cfg(all(target_arch = "wasm32", not(feature = "hostile")))]
use crate::packet_key::packet_key;
#[cfg(any(test, feature = "hostile"))]
use crate::tampering::packet_key;

pub fn chacha20_poly1305() -> SupportedCipherSuite {
    static SUITE: OnceLock<Tls13CipherSuite> = OnceLock::new();
    SupportedCipherSuite::Tls13(SUITE.get_or_init(|| {
        let ring = ring_suite();
        Tls13CipherSuite {
            common: CipherSuiteCommon {
                suite: ring.common.suite,
                hash_provider: ring.common.hash_provider,
                confidentiality_limit: ring.common.confidentiality_limit,
            },
            hkdf_provider: ring.hkdf_provider,
            aead_alg: ring.aead_alg,
            quic: Some(&QuicAlgorithm),
        }
    }))
}

pub fn ring_suite() -> &'static Tls13CipherSuite {
    TLS13_CHACHA20_POLY1305_SHA256
        .tls13()
        .expect("a suite of TLS 1.3")
}

struct QuicAlgorithm;

impl QuicAlgorithm {
    fn ring(&self) -> &'static dyn Algorithm {
        ring_suite().quic.expect("a suite for QUIC")
    }
}

impl Algorithm for QuicAlgorithm {
    fn packet_key(&self, key: AeadKey, iv: Iv) -> Box<dyn PacketKey> {
        packet_key(key, iv)
    }

    fn header_protection_key(&self, key: AeadKey) -> Box<dyn HeaderProtectionKey> {
        self.ring().header_protection_key(key)
    }

    fn aead_key_len(&self) -> usize {
        self.ring().aead_key_len()
    }
}
