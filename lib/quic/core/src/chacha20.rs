//! The ChaCha20 stream cipher (RFC 8439, 2.4) on WebAssembly SIMD, four blocks at a time: ring has
//! no vector code for WebAssembly, and this is four times as fast as its portable code.

use core::arch::wasm32::*;

/// Bytes of four blocks, which are made together.
pub const BATCH_BYTES: usize = 256;

/// Four blocks of key stream in order, as vectors of 16 bytes.
type Batch = [v128; 16];

/// "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

pub struct ChaCha20 {
    key: [u32; 8],
    nonce: [u32; 3],
}

impl ChaCha20 {
    pub fn new(key: &[u8; 32], nonce: &[u8; 12]) -> Self {
        Self {
            key: words(key),
            nonce: words(nonce),
        }
    }

    /// Blocks `counter` to `counter + 3` of the key stream.
    pub fn keystream(&self, counter: u32) -> [u8; BATCH_BYTES] {
        let mut bytes = [0; BATCH_BYTES];
        xor_batch(&mut bytes, &self.batch(counter));
        bytes
    }

    /// Encrypts or decrypts `data`, beginning with block `counter`.
    pub fn apply(&self, mut counter: u32, data: &mut [u8]) {
        let mut batches = data.chunks_exact_mut(BATCH_BYTES);
        for bytes in &mut batches {
            xor_batch(bytes, &self.batch(counter));
            counter = counter.wrapping_add(4);
        }
        let rest = batches.into_remainder();
        if !rest.is_empty() {
            xor(rest, &self.keystream(counter));
        }
    }

    /// Each of the 16 vectors of `state` has one word of the state of all four blocks.
    #[inline(always)]
    fn batch(&self, counter: u32) -> Batch {
        let [a, b, c, d] = CONSTANTS.map(|word| u32x4_splat(word));
        let [e, f, g, h, i, j, k, l] = self.key.map(|word| u32x4_splat(word));
        let [n, o, p] = self.nonce.map(|word| u32x4_splat(word));
        let m = u32x4_add(u32x4_splat(counter), u32x4(0, 1, 2, 3));
        let initial = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];

        let mut state = initial;
        for _ in 0..10 {
            for column in 0..4 {
                quarter_round(&mut state, [column, 4 + column, 8 + column, 12 + column]);
            }
            for column in 0..4 {
                let diagonal = |row: usize| 4 * row + (column + row) % 4;
                quarter_round(&mut state, [0, 1, 2, 3].map(diagonal));
            }
        }
        for (word, initial) in state.iter_mut().zip(initial) {
            *word = u32x4_add(*word, initial);
        }
        by_block(&state)
    }
}

#[inline(always)]
fn quarter_round(state: &mut Batch, [a, b, c, d]: [usize; 4]) {
    state[a] = u32x4_add(state[a], state[b]);
    state[d] = rotate_16(v128_xor(state[d], state[a]));
    state[c] = u32x4_add(state[c], state[d]);
    state[b] = rotate::<12, 20>(v128_xor(state[b], state[c]));
    state[a] = u32x4_add(state[a], state[b]);
    state[d] = rotate::<8, 24>(v128_xor(state[d], state[a]));
    state[c] = u32x4_add(state[c], state[d]);
    state[b] = rotate::<7, 25>(v128_xor(state[b], state[c]));
}

/// Rotates left by `LEFT`; `RIGHT` is 32 minus that.
#[inline(always)]
fn rotate<const LEFT: u32, const RIGHT: u32>(words: v128) -> v128 {
    v128_or(u32x4_shl(words, LEFT), u32x4_shr(words, RIGHT))
}

/// By swapping halves, for which engines have cheaper instructions than for other shuffles.
#[inline(always)]
fn rotate_16(words: v128) -> v128 {
    u16x8_shuffle::<1, 0, 3, 2, 5, 4, 7, 6>(words, words)
}

/// From word by word for all blocks, to block by block.
#[inline(always)]
fn by_block(state: &Batch) -> Batch {
    let mut blocks = *state;
    for quarter in 0..4 {
        let rows = transposed([0, 1, 2, 3].map(|word| state[4 * quarter + word]));
        for (block, row) in rows.into_iter().enumerate() {
            blocks[4 * block + quarter] = row;
        }
    }
    blocks
}

#[inline(always)]
fn transposed([a, b, c, d]: [v128; 4]) -> [v128; 4] {
    let ab_low = u32x4_shuffle::<0, 4, 1, 5>(a, b);
    let cd_low = u32x4_shuffle::<0, 4, 1, 5>(c, d);
    let ab_high = u32x4_shuffle::<2, 6, 3, 7>(a, b);
    let cd_high = u32x4_shuffle::<2, 6, 3, 7>(c, d);
    [
        u64x2_shuffle::<0, 2>(ab_low, cd_low),
        u64x2_shuffle::<1, 3>(ab_low, cd_low),
        u64x2_shuffle::<0, 2>(ab_high, cd_high),
        u64x2_shuffle::<1, 3>(ab_high, cd_high),
    ]
}

#[inline(always)]
fn xor_batch(bytes: &mut [u8], batch: &Batch) {
    for (bytes, &key) in bytes.chunks_exact_mut(16).zip(batch) {
        let at = bytes.as_mut_ptr().cast::<v128>();
        // SAFETY: the chunk has 16 bytes; WebAssembly's vectors need no alignment.
        unsafe { v128_store(at, v128_xor(v128_load(at), key)) };
    }
}

/// Combines `data` with the key stream, as far as the shorter of the two reaches.
pub fn xor(data: &mut [u8], keystream: &[u8]) {
    for (byte, key) in data.iter_mut().zip(keystream) {
        *byte ^= key;
    }
}

fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    words
}
