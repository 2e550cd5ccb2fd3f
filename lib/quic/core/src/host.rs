//! What the core asks of its host.

use std::panic;

#[cfg(target_arch = "wasm32")]
use imports::{panicked, random, sign as sign_in_host, verify};
#[cfg(not(target_arch = "wasm32"))]
use native::{panicked, random, sign as sign_in_host, verify};

#[cfg(target_arch = "wasm32")]
mod imports {
    #[link(wasm_import_module = "host")]
    extern "C" {
        /// Fills `len` bytes at `ptr` with randomness.
        pub fn random(ptr: *mut u8, len: usize);
        /// Judges the peer's chain at `chain` (length-prefixed, leaf first). Returns 0 to accept it, or
        /// `1 << 31 | alert << 16 | length` with a reason of that many bytes written to `reason`.
        pub fn verify(
            token: u32,
            chain: *const u8,
            chain_len: usize,
            reason: *mut u8,
            reason_len: usize,
        ) -> u32;
        /// Signs the message with an RSA key (PKCS #8) as TLS's `scheme` says. Returns the length of
        /// the signature written to `signature`, or 0 when it cannot.
        pub fn sign(
            scheme: u32,
            key: *const u8,
            key_len: usize,
            message: *const u8,
            message_len: usize,
            signature: *mut u8,
            signature_len: usize,
        ) -> u32;
        /// Takes the words of a panic; the trap follows.
        pub fn panicked(ptr: *const u8, len: usize);
    }
}

/// A host for tests: it accepts every certificate, and its randomness is the same in every thread.
#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::RefCell;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    thread_local! {
        static RANDOM: RefCell<StdRng> = RefCell::new(StdRng::seed_from_u64(1));
    }

    pub unsafe fn random(ptr: *mut u8, len: usize) {
        let bytes = std::slice::from_raw_parts_mut(ptr, len);
        RANDOM.with_borrow_mut(|random| random.fill_bytes(bytes));
    }

    pub unsafe fn verify(
        _token: u32,
        _chain: *const u8,
        _chain_len: usize,
        _reason: *mut u8,
        _reason_len: usize,
    ) -> u32 {
        0
    }

    pub unsafe fn sign(
        _scheme: u32,
        _key: *const u8,
        _key_len: usize,
        _message: *const u8,
        _message_len: usize,
        _signature: *mut u8,
        _signature_len: usize,
    ) -> u32 {
        0
    }

    pub unsafe fn panicked(_ptr: *const u8, _len: usize) {}
}

/// Longest reason that the host may give for a refusal.
const REASON_BYTES: usize = 512;

pub fn fill_random(bytes: &mut [u8]) {
    // SAFETY: the host writes within the slice, during the call.
    unsafe { random(bytes.as_mut_ptr(), bytes.len()) }
}

/// Why the host refuses a peer's certificate.
pub struct Refusal {
    /// TLS AlertDescription.
    pub alert: u8,
    pub reason: String,
}

/// Asks the host about the peer's chain; `token` says by which of its checks.
pub fn verify_peer(token: u32, chain: &[u8]) -> Result<(), Refusal> {
    let mut reason = [0; REASON_BYTES];
    // SAFETY: the host reads and writes within the two slices, during the call.
    let answer = unsafe {
        verify(
            token,
            chain.as_ptr(),
            chain.len(),
            reason.as_mut_ptr(),
            reason.len(),
        )
    };
    if answer == 0 {
        return Ok(());
    }
    let len = ((answer & 0xffff) as usize).min(REASON_BYTES);
    Err(Refusal {
        alert: (answer >> 16) as u8,
        reason: String::from_utf8_lossy(&reason[..len]).into_owned(),
    })
}

/// Room for the signature of an RSA key of 16,384 bits.
const SIGNATURE_BYTES: usize = 2048;

/// Has the host sign with an RSA key (PKCS #8), by the number of a TLS signature scheme.
pub fn sign(scheme: u16, key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let mut signature = vec![0; SIGNATURE_BYTES];
    // SAFETY: the host reads and writes within the three slices, during the call.
    let len = unsafe {
        sign_in_host(
            scheme.into(),
            key.as_ptr(),
            key.len(),
            message.as_ptr(),
            message.len(),
            signature.as_mut_ptr(),
            signature.len(),
        )
    };
    signature.truncate(len as usize);
    (len > 0).then_some(signature)
}

/// Hands the words of a panic to the host before the trap.
pub fn report_panics() {
    panic::set_hook(Box::new(|info| {
        let words = info.to_string();
        // SAFETY: the host reads within the string, during the call.
        unsafe { panicked(words.as_ptr(), words.len()) }
    }));
}
