//! Stands in for `getrandom` 0.4, which rand seeds itself from: the bytes come from the core's own
//! source (`src/entropy.rs`), not from a browser.

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

pub fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    // SAFETY: the core defines the function with this very signature.
    unsafe { receptor_fill_random(bytes) };
    Ok(())
}

/// The generator that rand calls the system's.
#[cfg(feature = "sys_rng")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SysRng;

#[cfg(feature = "sys_rng")]
impl rand_core::TryRng for SysRng {
    type Error = Error;

    fn try_next_u32(&mut self) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        fill(bytes)
    }
}

#[cfg(feature = "sys_rng")]
impl rand_core::TryCryptoRng for SysRng {}
