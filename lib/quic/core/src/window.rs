//! How many bytes a connection may hold, for each direction: little until it has shown that it moves
//! much, since a peer that stops reading or sends what nobody reads keeps the window full.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// What each window begins with.
const INITIAL_BYTES: u64 = 128 * 1024;
/// What all windows of this endpoint may grow by, together; WebAssembly has 4 GB at most.
const SHARED_GROWTH_BYTES: u64 = 512 * 1024 * 1024;
/// What those of one node may take of that.
const NODE_GROWTH_BYTES: u64 = SHARED_GROWTH_BYTES / 2;

thread_local! {
    static GROWTH: RefCell<Growth> = const { RefCell::new(Growth::new()) };
}

/// What windows have grown by.
struct Growth {
    bytes: u64,
    by_node: BTreeMap<u32, u64>,
}

impl Growth {
    const fn new() -> Self {
        Self {
            bytes: 0,
            by_node: BTreeMap::new(),
        }
    }

    /// What the windows of `node` may still grow by.
    fn left(&self, node: u32) -> u64 {
        let of_node = self.by_node.get(&node).copied().unwrap_or(0);
        (SHARED_GROWTH_BYTES - self.bytes).min(NODE_GROWTH_BYTES - of_node)
    }

    fn take(&mut self, node: u32, bytes: u64) {
        self.bytes += bytes;
        *self.by_node.entry(node).or_default() += bytes;
    }

    fn give_back(&mut self, node: u32, bytes: u64) {
        self.bytes -= bytes;
        let of_node = self.by_node.entry(node).or_default();
        *of_node -= bytes;
        if *of_node == 0 {
            self.by_node.remove(&node);
        }
    }
}

/// One window; what it grew by goes back when it is dropped.
pub struct Window {
    node: u32,
    bytes: u64,
    max_bytes: u64,
    grown_bytes: u64,
    /// Part of what it grew by: for streams that may fill their own windows and keep them full.
    reserved_bytes: u64,
    /// Bytes that went through since it last grew.
    passed_bytes: u64,
}

impl Window {
    /// A window of a connection with `node`.
    pub fn new(node: u32, max_bytes: u64) -> Self {
        Self {
            node,
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
        if self.passed_bytes < 2 * self.bytes || growth == 0 {
            return None;
        }
        GROWTH.with_borrow_mut(|all| {
            if growth > all.left(self.node) {
                return None;
            }
            all.take(self.node, growth);
            self.passed_bytes = 0;
            self.grown_bytes += growth;
            self.bytes += growth;
            Some(self.bytes + self.reserved_bytes)
        })
    }

    /// Adds `bytes` to the window, or as much as there is, in place of what was reserved before. Returns
    /// the new size when it changes.
    pub fn reserve(&mut self, bytes: u64) -> Option<u64> {
        let before = self.reserved_bytes;
        GROWTH.with_borrow_mut(|all| {
            all.give_back(self.node, before);
            self.reserved_bytes = bytes.min(all.left(self.node));
            all.take(self.node, self.reserved_bytes);
        });
        self.grown_bytes = self.grown_bytes - before + self.reserved_bytes;
        (self.reserved_bytes != before).then_some(self.bytes + self.reserved_bytes)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        GROWTH.with_borrow_mut(|all| all.give_back(self.node, self.grown_bytes));
    }
}
