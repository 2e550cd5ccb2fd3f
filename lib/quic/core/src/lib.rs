//! QUIC for the mesh as a WebAssembly module: quinn-proto and rustls behind the functions of
//! `exports.rs`. The host (`../../core.ts`) owns the sockets, the clock and the randomness; all work
//! happens within its calls, on one thread.

// A native build is for tests only, which have no use for some of it.
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]

#[cfg(target_arch = "wasm32")]
mod aead;
mod blobs;
mod border;
#[cfg(target_arch = "wasm32")]
mod chacha20;
mod congestion;
mod connection;
mod ending;
mod endpoint;
mod entropy;
#[cfg(target_arch = "wasm32")]
mod exports;
#[cfg(test)]
mod fuzz_tests;
mod host;
mod host_keys;
mod mtus;
mod options;
#[cfg(target_arch = "wasm32")]
mod packet_key;
#[cfg(target_arch = "wasm32")]
mod poly1305;
#[cfg(feature = "hostile")]
mod second_opinion;
mod self_signed;
mod session;
mod stream;
mod suite;
#[cfg(any(test, feature = "hostile"))]
mod tampering;
mod time;
mod tls;
mod verifier;
mod window;
#[cfg(test)]
mod window_tests;
