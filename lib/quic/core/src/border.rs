//! Memory shared with the host: one argument in, one output out, and a mailbox of words for results
//! that do not fit into one number.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::BytesMut;

/// Words that a call may leave besides its result.
const WORDS: usize = 4;

static MAILBOX: [AtomicU32; WORDS] = [const { AtomicU32::new(0) }; WORDS];

thread_local! {
    static ARGUMENT: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub fn mailbox() -> *const u32 {
    MAILBOX.as_ptr().cast()
}

pub fn post<const N: usize>(words: [u32; N]) {
    for (slot, word) in MAILBOX.iter().zip(words) {
        slot.store(word, Ordering::Relaxed);
    }
}

/// Room for an argument of `len` bytes, which the host fills before the call that takes it.
pub fn make_argument(len: usize) -> *mut u8 {
    ARGUMENT.with_borrow_mut(|argument| {
        *argument = BytesMut::with_capacity(len);
        argument.as_mut_ptr()
    })
}

/// The argument that the host has written, `len` bytes as it asked for.
pub fn take_argument(len: usize) -> BytesMut {
    let mut argument = ARGUMENT.take();
    assert!(len <= argument.capacity(), "argument without room");
    // SAFETY: the host wrote `len` bytes into the room made for them.
    unsafe { argument.set_len(len) };
    argument
}

/// Lets `write` fill the output buffer, and posts where it lies.
pub fn with_output<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    OUTPUT.with_borrow_mut(|output| {
        let answer = write(output);
        post([output.as_ptr() as u32, output.len() as u32]);
        answer
    })
}

/// Posts `bytes` as the output.
pub fn output(bytes: &[u8]) {
    with_output(|output| {
        output.clear();
        output.extend_from_slice(bytes);
    });
}

/// Posts a 64-bit code as words 2 (low) and 3.
pub fn post_code(code: u64) {
    MAILBOX[2].store(code as u32, Ordering::Relaxed);
    MAILBOX[3].store((code >> 32) as u32, Ordering::Relaxed);
}
