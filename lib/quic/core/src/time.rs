//! The instants of quinn-proto: the host's time in WebAssembly, the machine's in a native test.

#[cfg(not(target_arch = "wasm32"))]
pub use std::time::Instant;
#[cfg(target_arch = "wasm32")]
pub use web_time::Instant;
