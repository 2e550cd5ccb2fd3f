//! What the core asks of its host, and the context of the call it is in.

use std::cell::Cell;
use std::panic;

#[link(wasm_import_module = "host")]
extern "C" {
    /// Fills `len` bytes at `ptr` from the randomness of `endpoint`.
    fn random(endpoint: u32, ptr: *mut u8, len: usize);
    /// Judges the peer's chain at `chain` (length-prefixed, leaf first). Answers 0 to accept it, or
    /// `1 << 31 | alert << 16 | length` with a reason of that many bytes written to `reason`.
    fn verify(
        endpoint: u32,
        token: u32,
        remote: u32,
        chain: *const u8,
        chain_len: usize,
        reason: *mut u8,
        reason_len: usize,
    ) -> u32;
    /// Takes the words of a panic; the trap follows.
    fn panicked(ptr: *const u8, len: usize);
}

/// Longest reason that the host may give for a refusal.
const REASON_BYTES: usize = 512;

thread_local! {
    static ENDPOINT: Cell<u32> = const { Cell::new(0) };
    static REMOTE: Cell<u32> = const { Cell::new(0) };
}

/// Names the endpoint that the core works for from here on.
pub fn enter(endpoint: u32) {
    ENDPOINT.set(endpoint);
}

/// Names the remote whose datagram is being processed.
pub fn set_remote(remote: u32) {
    REMOTE.set(remote);
}

pub fn fill_random(bytes: &mut [u8]) {
    // SAFETY: the host writes within the slice, during the call.
    unsafe { random(ENDPOINT.get(), bytes.as_mut_ptr(), bytes.len()) }
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
            ENDPOINT.get(),
            token,
            REMOTE.get(),
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

/// Hands the words of a panic to the host before the trap.
pub fn report_panics() {
    panic::set_hook(Box::new(|info| {
        let words = info.to_string();
        // SAFETY: the host reads within the string, during the call.
        unsafe { panicked(words.as_ptr(), words.len()) }
    }));
}
