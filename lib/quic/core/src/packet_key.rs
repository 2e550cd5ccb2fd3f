//! The key of QUIC packets under our own ChaCha20-Poly1305.

use rustls::crypto::cipher::{AeadKey, Iv, Nonce};
use rustls::quic::{PacketKey, Tag};
use rustls::Error;

use crate::aead::{self, TAG_BYTES};

pub fn packet_key(key: AeadKey, iv: Iv) -> Box<dyn PacketKey> {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key.as_ref());
    Box::new(ChaChaKey { key: bytes, iv })
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
