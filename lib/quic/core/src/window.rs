//! How many bytes a connection may hold, for each direction: little until it has shown that it moves
//! much, since a peer that stops reading or sends what nobody reads keeps the window full.

use std::cell::Cell;

/// What each window begins with.
const INITIAL_BYTES: u64 = 512 * 1024;
/// What all windows of this endpoint may grow by, together; WebAssembly has 4 GB at most.
const SHARED_GROWTH_BYTES: u64 = 512 * 1024 * 1024;

thread_local! {
    static GROWTH_LEFT: Cell<u64> = const { Cell::new(SHARED_GROWTH_BYTES) };
}

/// One window; what it grew by goes back when it is dropped.
pub struct Window {
    bytes: u64,
    max_bytes: u64,
    grown_bytes: u64,
    /// Part of what it grew by: for streams that may fill their own windows and keep them full.
    reserved_bytes: u64,
    /// Bytes that went through since it last grew.
    passed_bytes: u64,
}

impl Window {
    pub fn new(max_bytes: u64) -> Self {
        Self {
            bytes: Self::initial_bytes(max_bytes),
            max_bytes,
            grown_bytes: 0,
            reserved_bytes: 0,
            passed_bytes: 0,
        }
    }

    pub fn initial_bytes(max_bytes: u64) -> u64 {
        max_bytes.min(INITIAL_BYTES)
    }

    /// Counts bytes that went through. Returns the new size when it grows.
    pub fn pass(&mut self, bytes: u64) -> Option<u64> {
        self.passed_bytes += bytes;
        let growth = self.bytes.min(self.max_bytes - self.bytes);
        let left = GROWTH_LEFT.get();
        if self.passed_bytes < 2 * self.bytes || growth == 0 || growth > left {
            return None;
        }
        GROWTH_LEFT.set(left - growth);
        self.passed_bytes = 0;
        self.grown_bytes += growth;
        self.bytes += growth;
        Some(self.bytes + self.reserved_bytes)
    }

    /// Adds `bytes` to the window, or as much as there is, in place of what was reserved before. Returns
    /// the new size when it changes.
    pub fn reserve(&mut self, bytes: u64) -> Option<u64> {
        let left = GROWTH_LEFT.get() + self.reserved_bytes;
        let reserved = bytes.min(left);
        if reserved == self.reserved_bytes {
            return None;
        }
        GROWTH_LEFT.set(left - reserved);
        self.grown_bytes = self.grown_bytes - self.reserved_bytes + reserved;
        self.reserved_bytes = reserved;
        Some(self.bytes + self.reserved_bytes)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        GROWTH_LEFT.set(GROWTH_LEFT.get() + self.grown_bytes);
    }
}
