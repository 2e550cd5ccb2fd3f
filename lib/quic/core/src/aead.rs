//! ChaCha20-Poly1305 (RFC 8439, 2.8) in place, from the parts beside this file.

use crate::chacha20::{xor, ChaCha20, BATCH_BYTES};
use crate::poly1305::Poly1305;

pub const TAG_BYTES: usize = 16;
/// How much of the data the first batch of blocks covers: its first block is the one-time key.
const FIRST_BYTES: usize = BATCH_BYTES - 64;

pub fn seal(key: &[u8; 32], nonce: &[u8; 12], header: &[u8], data: &mut [u8]) -> [u8; TAG_BYTES] {
    let cipher = ChaCha20::new(key, nonce);
    let first = cipher.keystream(0);
    apply(&cipher, &first, data);
    tag(&first, header, data)
}

/// Decrypts `data` if `tag` fits; leaves it alone otherwise. Returns whether it did.
#[must_use]
pub fn open(
    key: &[u8; 32],
    nonce: &[u8; 12],
    header: &[u8],
    data: &mut [u8],
    given: &[u8; TAG_BYTES],
) -> bool {
    let cipher = ChaCha20::new(key, nonce);
    let first = cipher.keystream(0);
    let expected = u128::from_ne_bytes(tag(&first, header, data));
    // One comparison of all bits, so that its time does not reveal which of them differ.
    if expected ^ u128::from_ne_bytes(*given) != 0 {
        return false;
    }
    apply(&cipher, &first, data);
    true
}

/// Block 0 is for the one-time key, so the data begins with block 1.
fn apply(cipher: &ChaCha20, first: &[u8; BATCH_BYTES], data: &mut [u8]) {
    let (head, rest) = data.split_at_mut(data.len().min(FIRST_BYTES));
    xor(head, &first[64..]);
    cipher.apply(4, rest);
}

fn tag(first: &[u8; BATCH_BYTES], header: &[u8], ciphertext: &[u8]) -> [u8; TAG_BYTES] {
    let mut one_time_key = [0; 32];
    one_time_key.copy_from_slice(&first[..32]);
    let mut authenticator = Poly1305::new(&one_time_key);
    authenticator.update_padded(header);
    authenticator.update_padded(ciphertext);
    let lengths = header.len() as u128 | (ciphertext.len() as u128) << 64;
    authenticator.update_padded(&lengths.to_le_bytes());
    authenticator.finish()
}
