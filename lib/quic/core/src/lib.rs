//! QUIC for the mesh as a WebAssembly module: quinn-proto and rustls behind the functions of this
//! file. The host (`../../core.ts`) owns the sockets, the clock and the randomness; all work happens
//! within its calls, on one thread.
//!
//! Endpoints are numbered by the host, connections by their endpoint. An argument of bytes goes into
//! the room of `argument` first. A host function (`host.rs`) must not call back in.

mod aead;
mod blobs;
mod border;
mod chacha20;
mod congestion;
mod connection;
mod ending;
mod endpoint;
mod entropy;
mod host;
mod options;
mod poly1305;
mod self_signed;
mod session;
mod suite;
mod tls;
mod verifier;
mod window;

use std::cell::RefCell;

use web_time::Instant;

use crate::connection::{read, write, Connection};
use crate::ending::Ending;
use crate::endpoint::Endpoint;
use crate::options::Options;
use crate::tls::Identity;

thread_local! {
    static ENDPOINTS: RefCell<Vec<Option<Endpoint>>> = const { RefCell::new(Vec::new()) };
}

/// No connection: an answer of `receive` and `connect`.
const NONE: u32 = u32::MAX;

fn with_endpoint<T>(endpoint: u32, action: impl FnOnce(&mut Endpoint) -> T) -> Option<T> {
    host::enter(endpoint);
    ENDPOINTS.with_borrow_mut(|endpoints| {
        let endpoint = endpoints.get_mut(endpoint as usize)?.as_mut()?;
        Some(action(endpoint))
    })
}

fn with_connection<T>(
    endpoint: u32,
    connection: u32,
    action: impl FnOnce(&mut Connection) -> T,
) -> Option<T> {
    with_endpoint(endpoint, |it| it.connection(connection).map(action)).flatten()
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
}

/// Where the words of further answers are; it does not move.
#[no_mangle]
extern "C" fn mailbox() -> *const u32 {
    border::mailbox()
}

#[no_mangle]
extern "C" fn argument(len: usize) -> *mut u8 {
    border::make_argument(len)
}

/// The argument is the options, then the server's certificates and key as blobs (none for a
/// self-signed one). Answers whether it worked, else the reason is the output.
#[no_mangle]
extern "C" fn endpoint_new(endpoint: u32, now: f64, len: usize) -> bool {
    at(now);
    host::enter(endpoint);
    let argument = border::take_argument(len);
    let (options, blobs) = argument.split_at(4 * Options::FIELDS);
    let mut words = [0; Options::FIELDS];
    for (word, bytes) in words.iter_mut().zip(options.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let created =
        identity(blobs).and_then(|identity| Endpoint::new(Options::from_words(&words), identity));
    match created {
        Ok(created) => ENDPOINTS.with_borrow_mut(|endpoints| {
            let slot = endpoint as usize;
            if endpoints.len() <= slot {
                endpoints.resize_with(slot + 1, || None);
            }
            endpoints[slot] = Some(created);
            true
        }),
        Err(problem) => {
            border::output(problem.as_bytes());
            false
        }
    }
}

/// Has a server make new handshakes with another certificate and key, as blobs. Returns 0 and keeps
/// the old ones, with the problem as output, when they are not usable.
#[no_mangle]
extern "C" fn endpoint_renew(endpoint: u32, now: f64, len: usize) -> bool {
    at(now);
    host::enter(endpoint);
    let argument = border::take_argument(len);
    let renewed = identity(&argument).and_then(|identity| {
        with_endpoint(endpoint, |endpoint| endpoint.renew(identity)).unwrap_or(Ok(()))
    });
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

/// Drops the endpoint and its connections.
#[no_mangle]
extern "C" fn endpoint_free(endpoint: u32) {
    ENDPOINTS.with_borrow_mut(|endpoints| {
        if let Some(slot) = endpoints.get_mut(endpoint as usize) {
            *slot = None;
        }
    });
}

/// The argument is our certificates and key as blobs, or nothing. Answers the connection, or `NONE`
/// with the reason as the output.
#[no_mangle]
extern "C" fn connect(endpoint: u32, now: f64, remote: u32, token: u32, len: usize) -> u32 {
    let now = at(now);
    let argument = border::take_argument(len);
    let started = with_endpoint(endpoint, |it| {
        it.connect(now, remote, token, identity(&argument)?)
    });
    match started.unwrap_or_else(|| Err("the endpoint is closed".into())) {
        Ok(connection) => connection,
        Err(problem) => {
            border::output(problem.as_bytes());
            NONE
        }
    }
}

/// The argument is one datagram. Answers the connection that it was for.
#[no_mangle]
extern "C" fn receive(endpoint: u32, now: f64, remote: u32, len: usize) -> u32 {
    let now = at(now);
    host::set_remote(remote);
    let datagram = border::take_argument(len);
    with_endpoint(endpoint, |it| it.receive(now, remote, datagram))
        .flatten()
        .unwrap_or(NONE)
}

/// Makes the output the datagram that answers the last one received, which was for no connection;
/// whether there is one. It lies apart from the output of `transmit`, which the host may be reading.
#[no_mangle]
extern "C" fn answer(endpoint: u32) -> bool {
    with_endpoint(endpoint, |it| {
        let answer = it.answer()?;
        border::post([answer.as_ptr() as u32, answer.len() as u32]);
        Some(())
    })
    .flatten()
    .is_some()
}

/// What happened since (`connection::happened`).
#[no_mangle]
extern "C" fn poll(endpoint: u32, now: f64, connection: u32) -> u32 {
    at(now);
    with_endpoint(endpoint, |it| it.poll(connection)).unwrap_or(0)
}

/// Datagrams to send, at most `most`: the output has them back to back, each but the last of the
/// answered size; 0 for none.
#[no_mangle]
extern "C" fn transmit(endpoint: u32, now: f64, connection: u32, most: usize) -> usize {
    let now = at(now);
    with_endpoint(endpoint, |it| {
        border::with_output(|out| it.transmit(now, connection, most, out))
    })
    .unwrap_or(0)
}

/// When the connection wants `expire`, in the host's milliseconds; NaN for never.
#[no_mangle]
extern "C" fn deadline(endpoint: u32, connection: u32) -> f64 {
    with_connection(endpoint, connection, |it| it.quic.poll_timeout())
        .flatten()
        .map_or(f64::NAN, Instant::as_millis)
}

/// Acts on the timers that are due.
#[no_mangle]
extern "C" fn expire(endpoint: u32, now: f64, connection: u32) {
    let now = at(now);
    with_connection(endpoint, connection, |it| it.quic.handle_timeout(now));
}

/// Makes the peer's certificates the output, as blobs.
#[no_mangle]
extern "C" fn peer_chain(endpoint: u32, connection: u32) {
    let chain = with_connection(endpoint, connection, |it| it.peer_chain());
    border::output(&chain.unwrap_or_default());
}

/// Makes the words of why the connection ended the output; the answer is the kind (`ending.rs`), 0
/// while it lives, and the code is in words 2 (low) and 3 of the mailbox.
#[no_mangle]
extern "C" fn ending(endpoint: u32, connection: u32) -> u32 {
    let ending = with_connection(endpoint, connection, |it| {
        it.ending.as_ref().map(Ending::from)
    });
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

#[no_mangle]
extern "C" fn stream_open(endpoint: u32, connection: u32) -> bool {
    with_connection(endpoint, connection, |it| it.open()).unwrap_or(false)
}

/// Lends bytes of the stream until the next call: words 0 and 1 are where their parts are listed (a
/// pointer and a length each) and how many; word 2 says whether there is news for the peer.
#[no_mangle]
extern "C" fn stream_read(endpoint: u32, connection: u32, most: usize) -> i32 {
    with_connection(endpoint, connection, |it| {
        let (outcome, tell_peer) = it.read(most);
        let parts = &it.parts;
        border::post([parts.as_ptr() as u32, parts.len() as u32, tell_peer.into()]);
        outcome
    })
    .unwrap_or(read::NO_STREAM)
}

/// Ends the loan of the last read, which frees its memory.
#[no_mangle]
extern "C" fn stream_release(endpoint: u32, connection: u32) {
    with_connection(endpoint, connection, |it| it.release());
}

/// Writes the argument, as `connection::write` answers.
#[no_mangle]
extern "C" fn stream_write(endpoint: u32, connection: u32, len: usize) -> i32 {
    let bytes = border::take_argument(len).freeze();
    with_connection(endpoint, connection, |it| it.write(bytes)).unwrap_or(write::NO_STREAM)
}

#[no_mangle]
extern "C" fn stream_finish(endpoint: u32, connection: u32) -> bool {
    with_connection(endpoint, connection, |it| it.finish()).unwrap_or(false)
}

#[no_mangle]
extern "C" fn stream_stop(endpoint: u32, connection: u32) {
    with_connection(endpoint, connection, |it| it.stop_reading());
}

/// Closes the connection with a code and the argument as the reason; the peer is told by `transmit`.
#[no_mangle]
extern "C" fn close(endpoint: u32, now: f64, connection: u32, code: u32, len: usize) {
    let now = at(now);
    let reason = border::take_argument(len);
    with_connection(endpoint, connection, |it| it.close(now, code, &reason));
}

/// Forgets the connection.
#[no_mangle]
extern "C" fn connection_free(endpoint: u32, connection: u32) {
    with_endpoint(endpoint, |it| it.free(connection));
}

/// For tests and measurements: 0 the path's MTU, 1 round trip in ms, 2 congestion window in bytes,
/// 3 packets sent, 4 packets lost, 5 datagrams received.
#[no_mangle]
extern "C" fn statistic(endpoint: u32, connection: u32, which: u32) -> f64 {
    with_connection(endpoint, connection, |it| {
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

/// The other way: the data ends with its tag. Answers whether it opens; then the output is the data.
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
