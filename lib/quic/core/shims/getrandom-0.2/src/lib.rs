//! Stands in for `getrandom` 0.2, which ring draws from: the bytes come from the core's own source
//! (`src/entropy.rs`), not from a browser.

use std::fmt;

extern "Rust" {
    /// Defined by the core.
    fn receptor_fill_random(bytes: &mut [u8]);
}

/// The host's generator does not fail; the type is here for the callers' signatures.
#[derive(Clone, Copy, Debug)]
pub struct Error;

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no randomness")
    }
}

impl std::error::Error for Error {}

pub fn getrandom(bytes: &mut [u8]) -> Result<(), Error> {
    // SAFETY: the core defines the function with this very signature.
    unsafe { receptor_fill_random(bytes) };
    Ok(())
}
