/**
 * The core of a hostile peer (`hostile_core.wasm`, the crate in `lib/quic/core` with the feature
 * "hostile"): it shows any certificate with any key, and from its fourth packet after the handshake
 * on what it sends holds anything, by the host's randomness, sealed with the right keys.
 */
export const hostileCore: WebAssembly.Module = await WebAssembly.compile(
  await Deno.readFile(new URL("./hostile_core.wasm", import.meta.url)),
);
