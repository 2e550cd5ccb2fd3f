//! What the host calls.
//!
//! An instance of the module holds one endpoint, so that a panic, which ends the instance, ends no
//! other. Connections are numbered by the core, remotes by the host. An argument of bytes goes into
//! the room of `argument` first. A host function (`host.rs`) must not call back in.

use std::cell::RefCell;

use web_time::Instant;

use crate::connection::Connection;
use crate::ending::Ending;
use crate::endpoint::{Endpoint, Received, RESET_KEY_BYTES};
use crate::options::Options;
use crate::stream::{read, write};
use crate::tls::Identity;
use crate::{aead, blobs, border, host};

thread_local! {
    static ENDPOINT: RefCell<Option<Endpoint>> = const { RefCell::new(None) };
}

/// No connection, or no stream: a result of `receive`, `admit`, `connect` and `stream_open`.
const NONE: u32 = u32::MAX;
/// A handshake that waits for `admit`: a result of `receive`.
const INCOMING: u32 = u32::MAX - 1;

fn with_endpoint<T>(action: impl FnOnce(&mut Endpoint) -> T) -> Option<T> {
    ENDPOINT.with_borrow_mut(|endpoint| endpoint.as_mut().map(action))
}

fn with_connection<T>(connection: u32, action: impl FnOnce(&mut Connection) -> T) -> Option<T> {
    with_endpoint(|it| it.connection(connection).map(action)).flatten()
}

fn at(now: f64) -> Instant {
    let now = Instant::from_millis(now);
    web_time::set_now(now);
    now
}

/// Once, before anything else.
#[no_mangle]
extern "C" fn start() {
    host::report_panics();
    #[cfg(feature = "hostile")]
    crate::tampering::arm_at_random();
}

/// Where the words of further results are; it does not move.
#[no_mangle]
extern "C" fn mailbox() -> *const u32 {
    border::mailbox()
}

#[no_mangle]
extern "C" fn argument(len: usize) -> *mut u8 {
    border::make_argument(len)
}

/// Makes the endpoint. The argument is the options, then the key of stateless resets, then the
/// server's certificates and key as blobs (none for a self-signed one). Returns whether it worked;
/// if not, the reason is the output.
#[no_mangle]
extern "C" fn endpoint_new(now: f64, len: usize) -> bool {
    at(now);
    let argument = border::take_argument(len);
    let (options, rest) = argument.split_at(4 * Options::FIELDS);
    let (reset_key, blobs) = rest.split_at(RESET_KEY_BYTES);
    let mut words = [0; Options::FIELDS];
    for (word, bytes) in words.iter_mut().zip(options.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let created = identity(blobs)
        .and_then(|identity| Endpoint::new(Options::from_words(&words), reset_key, identity));
    match created {
        Ok(created) => {
            ENDPOINT.set(Some(created));
            true
        }
        Err(problem) => {
            border::output(problem.as_bytes());
            false
        }
    }
}

/// Has a server make new handshakes with another certificate and key, as blobs. Returns 0 and keeps
/// the old ones, with the problem as output, when they are not usable.
#[no_mangle]
extern "C" fn endpoint_renew(now: f64, len: usize) -> bool {
    at(now);
    let argument = border::take_argument(len);
    let renewed = identity(&argument)
        .and_then(|identity| with_endpoint(|it| it.renew(identity)).unwrap_or(Ok(())));
    match renewed {
        Ok(()) => true,
        Err(problem) => {
            border::output(problem.as_bytes());
            false
        }
    }
}

fn identity(list: &[u8]) -> Result<Option<Identity>, String> {
    match blobs::read(list).as_slice() {
        [] => Ok(None),
        blobs => Identity::from_blobs(blobs).map(Some),
    }
}

/// The argument is our certificates and key as blobs, or nothing. Returns the connection, or `NONE`
/// with the reason as the output.
#[no_mangle]
extern "C" fn connect(now: f64, remote: f64, token: u32, len: usize) -> u32 {
    let now = at(now);
    let argument = border::take_argument(len);
    let started = with_endpoint(|it| it.connect(now, remote as u64, token, identity(&argument)?));
    match started.unwrap_or_else(|| Err("there is no endpoint".into())) {
        Ok(connection) => connection,
        Err(problem) => {
            border::output(problem.as_bytes());
            NONE
        }
    }
}

/// The argument is one datagram. Returns the connection that it was for, or `INCOMING` when it
/// begins a handshake: `admit` decides about that before anything else is received, and word 0 of
/// the mailbox says whether the remote has shown that it receives what is sent to it.
#[no_mangle]
extern "C" fn receive(now: f64, remote: f64, len: usize) -> u32 {
    let now = at(now);
    let datagram = border::take_argument(len);
    match with_endpoint(|it| it.receive(now, remote as u64, datagram)).flatten() {
        Some(Received::Connection(id)) => id,
        Some(Received::Incoming { validated }) => {
            border::post([validated.into()]);
            INCOMING
        }
        None => NONE,
    }
}

/// Decides about the handshake that `receive` announced, by one of `endpoint::admit`. Returns the
/// connection if it is accepted.
#[no_mangle]
extern "C" fn admit(now: f64, verdict: u32) -> u32 {
    let now = at(now);
    with_endpoint(|it| it.admit(now, verdict))
        .flatten()
        .unwrap_or(NONE)
}

/// Makes the output the datagram that answers the last one received, which was for no connection, and
/// returns whether there is one. It lies apart from the output of `transmit`, which the host may be reading.
#[no_mangle]
extern "C" fn answer() -> bool {
    with_endpoint(|it| {
        let answer = it.answer()?;
        border::post([answer.as_ptr() as u32, answer.len() as u32]);
        Some(())
    })
    .flatten()
    .is_some()
}

/// What happened since (`connection::happened`). Words 0 and 1 are where the news of streams are listed
/// until the next poll (an index and bits of `connection::news` each) and how many there are.
#[no_mangle]
extern "C" fn poll(now: f64, connection: u32) -> u32 {
    at(now);
    let happened = with_endpoint(|it| it.poll(connection)).unwrap_or(0);
    with_connection(connection, |it| {
        border::post([it.told.as_ptr() as u32, it.told.len() as u32]);
    });
    happened
}

/// Datagrams to send, at most `most`: the output has them back to back, each but the last of the
/// returned size; 0 for none.
#[no_mangle]
extern "C" fn transmit(now: f64, connection: u32, most: usize) -> usize {
    let now = at(now);
    with_endpoint(|it| border::with_output(|out| it.transmit(now, connection, most, out)))
        .unwrap_or(0)
}

/// When the connection wants `expire`, in the host's milliseconds; NaN for never.
#[no_mangle]
extern "C" fn deadline(connection: u32) -> f64 {
    with_connection(connection, |it| it.quic.poll_timeout())
        .flatten()
        .map_or(f64::NAN, Instant::as_millis)
}

/// Acts on the timers that are due.
#[no_mangle]
extern "C" fn expire(now: f64, connection: u32) {
    let now = at(now);
    with_connection(connection, |it| it.quic.handle_timeout(now));
}

/// Makes the peer's certificates the output, as blobs.
#[no_mangle]
extern "C" fn peer_chain(connection: u32) {
    let chain = with_connection(connection, |it| it.peer_chain());
    border::output(&chain.unwrap_or_default());
}

/// Makes the words of why the connection ended the output; the result is the kind (`ending.rs`), 0
/// while it lives, and the code is in words 2 (low) and 3 of the mailbox.
#[no_mangle]
extern "C" fn ending(connection: u32) -> u32 {
    let ending = with_connection(connection, |it| it.ending.as_ref().map(Ending::from));
    let Some(ending) = ending.flatten() else {
        return 0;
    };
    border::with_output(|out| {
        out.clear();
        out.extend_from_slice(ending.words.as_bytes());
    });
    border::post_code(ending.code);
    ending.kind
}

/// Whether both sides speak our own protocol, with many streams on a connection.
#[no_mangle]
extern "C" fn many_streams(connection: u32) -> bool {
    with_connection(connection, |it| it.many_streams).unwrap_or(false)
}

/// Returns the stream's index, or `NONE`.
#[no_mangle]
extern "C" fn stream_open(connection: u32) -> u32 {
    with_connection(connection, |it| it.open())
        .flatten()
        .unwrap_or(NONE)
}

/// Lends bytes of the stream until the next call: words 0 and 1 are where their parts are listed (a
/// pointer and a length each) and how many; word 2 says whether there is news for the peer.
#[no_mangle]
extern "C" fn stream_read(connection: u32, stream: u32, most: usize) -> i32 {
    with_connection(connection, |it| {
        let (outcome, tell_peer) = it.read(stream, most);
        let parts = &it.parts;
        border::post([parts.as_ptr() as u32, parts.len() as u32, tell_peer.into()]);
        outcome
    })
    .unwrap_or(read::NO_STREAM)
}

/// Ends the loan of the connection's last read, which frees its memory.
#[no_mangle]
extern "C" fn stream_release(connection: u32) {
    with_connection(connection, |it| it.release());
}

/// Writes the argument; the result is one of `stream::write`.
#[no_mangle]
extern "C" fn stream_write(connection: u32, stream: u32, len: usize) -> i32 {
    let bytes = border::take_argument(len).freeze();
    with_connection(connection, |it| it.write(stream, bytes)).unwrap_or(write::NO_STREAM)
}

#[no_mangle]
extern "C" fn stream_finish(connection: u32, stream: u32) -> bool {
    with_connection(connection, |it| it.finish(stream)).unwrap_or(false)
}

/// Breaks our direction off, with a code for the peer.
#[no_mangle]
extern "C" fn stream_reset(connection: u32, stream: u32, code: u32) {
    with_connection(connection, |it| it.reset(stream, code));
}

/// Tells the peer that we read no more, with a code.
#[no_mangle]
extern "C" fn stream_stop(connection: u32, stream: u32, code: u32) {
    with_connection(connection, |it| it.stop_reading(stream, code));
}

/// With which code the peer reset or stopped the stream, or NaN.
#[no_mangle]
extern "C" fn stream_code(connection: u32, stream: u32) -> f64 {
    with_connection(connection, |it| it.code(stream))
        .flatten()
        .map_or(f64::NAN, |code| code as f64)
}

/// Forgets a stream whose both directions have ended.
#[no_mangle]
extern "C" fn stream_free(connection: u32, stream: u32) {
    with_connection(connection, |it| it.forget(stream));
}

/// Closes the connection with a code and the argument as the reason; the peer is told by `transmit`.
#[no_mangle]
extern "C" fn close(now: f64, connection: u32, code: u32, len: usize) {
    let now = at(now);
    let reason = border::take_argument(len);
    with_connection(connection, |it| it.close(now, code, &reason));
}

/// Forgets the connection.
#[no_mangle]
extern "C" fn connection_free(connection: u32) {
    with_endpoint(|it| it.free(connection));
}

/// For tests and measurements: 0 the path's MTU, 1 round trip in ms, 2 congestion window in bytes,
/// 3 packets sent, 4 packets lost, 5 datagrams received.
#[no_mangle]
extern "C" fn statistic(connection: u32, which: u32) -> f64 {
    with_connection(connection, |it| {
        let stats = it.quic.stats();
        match which {
            0 => it.quic.current_mtu().into(),
            1 => stats.path.rtt.as_secs_f64() * 1e3,
            2 => stats.path.cwnd as f64,
            3 => stats.path.sent_packets as f64,
            4 => stats.path.lost_packets as f64,
            5 => stats.udp_rx.datagrams as f64,
            _ => f64::NAN,
        }
    })
    .unwrap_or(f64::NAN)
}

/// For tests of the cipher: the argument is a key (32 bytes), a nonce (12), then `header` bytes and the
/// data. Makes the sealed data with its tag the output.
#[no_mangle]
extern "C" fn check_seal(len: usize, header: usize) {
    let mut argument = border::take_argument(len);
    let (key, nonce, header, data) = aead_parts(&mut argument, header);
    let tag = aead::seal(key, nonce, header, data);
    border::with_output(|out| {
        out.clear();
        out.extend_from_slice(data);
        out.extend_from_slice(&tag);
    });
}

/// The other way: the data ends with its tag. Returns whether it opens; if so, the output is the data.
#[no_mangle]
extern "C" fn check_open(len: usize, header: usize) -> bool {
    let mut argument = border::take_argument(len);
    let (key, nonce, header, sealed) = aead_parts(&mut argument, header);
    let Some((data, tag)) = sealed.split_last_chunk_mut() else {
        return false;
    };
    let opens = aead::open(key, nonce, header, data, tag);
    border::output(data);
    opens
}

type AeadParts<'a> = (&'a [u8; 32], &'a [u8; 12], &'a [u8], &'a mut [u8]);

fn aead_parts(argument: &mut [u8], header: usize) -> AeadParts<'_> {
    let (key, rest) = argument.split_first_chunk_mut().expect("a key");
    let (nonce, rest) = rest.split_first_chunk_mut().expect("a nonce");
    let (header, data) = rest.split_at_mut(header);
    (key, nonce, header, data)
}
