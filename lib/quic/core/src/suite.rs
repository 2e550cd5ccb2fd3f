//! rustls's TLS_CHACHA20_POLY1305_SHA256 with our own ChaCha20-Poly1305 for the QUIC packets; all
//! else of it stays ring's.

use std::sync::OnceLock;

use rustls::crypto::cipher::{AeadKey, Iv, Nonce};
use rustls::crypto::ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
use rustls::crypto::CipherSuiteCommon;
use rustls::quic::{Algorithm, HeaderProtectionKey, PacketKey, Tag};
use rustls::{Error, SupportedCipherSuite, Tls13CipherSuite};

use crate::aead::{self, TAG_BYTES};

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

fn ring_suite() -> &'static Tls13CipherSuite {
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
        let mut bytes = [0; 32];
        bytes.copy_from_slice(key.as_ref());
        Box::new(ChaChaKey { key: bytes, iv })
    }

    fn header_protection_key(&self, key: AeadKey) -> Box<dyn HeaderProtectionKey> {
        self.ring().header_protection_key(key)
    }

    fn aead_key_len(&self) -> usize {
        self.ring().aead_key_len()
    }
}

struct ChaChaKey {
    key: [u8; 32],
    iv: Iv,
}

impl PacketKey for ChaChaKey {
    fn encrypt_in_place(
        &self,
        packet_number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<Tag, Error> {
        let nonce = Nonce::new(&self.iv, packet_number).0;
        let tag = aead::seal(&self.key, &nonce, header, payload);
        Ok(Tag::from(tag.as_slice()))
    }

    fn decrypt_in_place<'a>(
        &self,
        packet_number: u64,
        header: &[u8],
        payload: &'a mut [u8],
    ) -> Result<&'a [u8], Error> {
        let (data, tag) = payload
            .split_last_chunk_mut::<TAG_BYTES>()
            .ok_or(Error::DecryptError)?;
        let nonce = Nonce::new(&self.iv, packet_number).0;
        match aead::open(&self.key, &nonce, header, data, tag) {
            true => Ok(data),
            false => Err(Error::DecryptError),
        }
    }

    fn tag_len(&self) -> usize {
        TAG_BYTES
    }

    /// RFC 9001, 6.6.
    fn confidentiality_limit(&self) -> u64 {
        u64::MAX
    }

    /// RFC 9001, 6.6.
    fn integrity_limit(&self) -> u64 {
        1 << 36
    }
}
