//! One connection and its streams, as the host sees them.

use std::collections::{BTreeMap, VecDeque};

use crate::time::Instant;
use bytes::Bytes;
use quinn_proto::crypto::rustls::HandshakeData;
use quinn_proto::{ConnectionError, ConnectionHandle, Dir, Event, StreamEvent, StreamId, VarInt};
use rustls::pki_types::CertificateDer;

use crate::blobs;
use crate::options::Options;
use crate::stream::{read, write, Found, Stream};
use crate::tls;
use crate::window::Window;

/// What happened since the last poll: bits, as the host reads them.
pub mod happened {
    /// The handshake is complete.
    pub const CONNECTED: u32 = 1;
    /// The connection is over; `Connection::ending` says why.
    pub const LOST: u32 = 2;
    /// Nothing more will happen.
    pub const DRAINED: u32 = 64;
    /// The peer takes more streams than before.
    pub const STREAMS: u32 = 16;
    /// There is something in `Connection::told`.
    pub const NEWS: u32 = 512;
}

/// What happened to a stream: bits, as the host reads them.
pub mod news {
    /// There may be something to read, or an end or an error to report.
    pub const READABLE: u32 = 4;
    /// A write that was cut short went through: there is room again, or the peer stopped us.
    pub const WRITABLE: u32 = 8;
    /// The peer opened the stream.
    pub const OPENED: u32 = 16;
    /// The peer has all that we wrote, and our end of the stream.
    pub const FINISHED: u32 = 32;
    /// The peer no longer reads the stream.
    pub const STOPPED: u32 = 128;
    /// The peer has broken its direction off.
    pub const RESET: u32 = 256;
}

/// What a stream may write while others wait for room too.
const TURN_BYTES: usize = 16 * 1024;

pub struct Connection {
    pub handle: ConnectionHandle,
    pub quic: quinn_proto::Connection,
    pub remote: u64,
    /// Whether quinn's endpoint still knows `handle`.
    pub registered: bool,
    /// Why it ended, once `LOST`.
    pub ending: Option<ConnectionError>,
    /// Whether both sides speak our own protocol, which allows for many streams; known after the
    /// handshake.
    pub many_streams: bool,
    stream_window_bytes: u64,
    receive_window: Window,
    send_window: Window,
    /// By their index among the streams that the client opens.
    streams: BTreeMap<u32, Stream>,
    /// Streams that there were, those that are gone included.
    streams_seen: u64,
    /// Streams with something to send that found no room, in the order of their turns.
    waiting: VecDeque<u32>,
    /// What happened to streams since the last poll: an index and bits of `news` each.
    news: Vec<[u32; 2]>,
    /// What the last poll found of that.
    pub told: Vec<[u32; 2]>,
    /// Bytes lent to the host until its next read, and where they lie.
    lent: Vec<Bytes>,
    pub parts: Vec<[u32; 2]>,
}

impl Connection {
    pub fn new(
        handle: ConnectionHandle,
        quic: quinn_proto::Connection,
        remote: u64,
        options: &Options,
    ) -> Self {
        Self {
            handle,
            quic,
            remote,
            registered: true,
            ending: None,
            many_streams: false,
            stream_window_bytes: options.receive_window_bytes.into(),
            receive_window: Window::new(node_of(remote), options.receive_window_bytes.into()),
            send_window: Window::new(node_of(remote), options.send_window_bytes.into()),
            streams: BTreeMap::new(),
            streams_seen: 0,
            waiting: VecDeque::new(),
            news: Vec::new(),
            told: Vec::new(),
            lent: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Takes what happened to the connection, except for the endpoint's share of it.
    pub fn take_events(&mut self) -> u32 {
        let mut bits = 0;
        while let Some(event) = self.quic.poll() {
            match event {
                Event::Connected => {
                    self.many_streams = speaks_streams(&self.quic);
                    self.accept();
                    bits |= happened::CONNECTED;
                }
                Event::ConnectionLost { reason } => {
                    self.ending = Some(reason);
                    bits |= happened::LOST;
                }
                Event::Stream(StreamEvent::Available { .. }) => bits |= happened::STREAMS,
                Event::Stream(event) => self.take_stream_event(event),
                _ => {}
            }
        }
        self.told.clear();
        std::mem::swap(&mut self.told, &mut self.news);
        if !self.told.is_empty() {
            bits |= happened::NEWS;
        }
        if self.quic.is_drained() {
            bits |= happened::DRAINED;
        }
        bits
    }

    fn take_stream_event(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Opened { dir: Dir::Bi } => self.accept(),
            StreamEvent::Readable { id } => self.tell_readable(index(id)),
            StreamEvent::Writable { .. } => self.serve_waiting(|_, _| true),
            StreamEvent::Finished { id } => self.tell(index(id), news::FINISHED),
            StreamEvent::Stopped { id, error_code } => self.take_stop(index(id), error_code),
            _ => {}
        }
    }

    /// Notes what happened, if the host knows the stream.
    fn tell(&mut self, stream: u32, bits: u32) {
        if self.streams.contains_key(&stream) {
            self.news.push([stream, bits]);
        }
    }

    fn accept(&mut self) {
        while self.many_streams || self.streams_seen == 0 {
            let Some(id) = self.quic.streams().accept(Dir::Bi) else {
                return;
            };
            self.add(id);
            self.tell(index(id), news::OPENED);
            self.tell_readable(index(id));
        }
    }

    fn tell_readable(&mut self, stream: u32) {
        let Some(it) = self.streams.get_mut(&stream) else {
            return;
        };
        let reset = it.is_reset(&mut self.quic);
        self.tell(stream, news::READABLE | if reset { news::RESET } else { 0 });
    }

    fn take_stop(&mut self, stream: u32, code: VarInt) {
        let Some(it) = self.streams.get_mut(&stream) else {
            return;
        };
        // quinn reports nothing more about what we wrote.
        let given_up = it.stopped(&mut self.quic, code);
        self.leave_queue(stream);
        let finished = if given_up { news::FINISHED } else { 0 };
        self.tell(stream, news::STOPPED | news::WRITABLE | finished);
    }

    fn add(&mut self, id: StreamId) {
        self.streams_seen += 1;
        self.streams.insert(index(id), Stream::new(id));
        self.size_window();
    }

    /// Opens a stream, if the peer allows for one more now.
    pub fn open(&mut self) -> Option<u32> {
        if self.streams_seen > 0 && !self.many_streams {
            return None;
        }
        let id = self.quic.streams().open(Dir::Bi)?;
        self.add(id);
        Some(index(id))
    }

    /// Forgets a stream that the host has no more use for.
    pub fn forget(&mut self, stream: u32) {
        self.leave_queue(stream);
        if self.streams.remove(&stream).is_some() {
            self.size_window();
        }
    }

    /// Has room for all that all streams but one may keep unread, so that they do not stop that one.
    fn size_window(&mut self) {
        let others = self.streams.len().saturating_sub(1) as u64;
        // quinn announces room once an eighth of the window is free, which has to be left besides.
        let bytes = (others * self.stream_window_bytes * 8).div_ceil(7);
        if let Some(bytes) = self.receive_window.reserve(bytes) {
            self.quic.set_receive_window(window_bytes(bytes));
        }
    }

    /// Lends up to `max` bytes to the host, as `parts`, until the next read. Returns how many, or one
    /// of `read`, and whether the peer should hear of the room that this makes.
    pub fn read(&mut self, stream: u32, max: usize) -> (i32, bool) {
        self.release();
        let Some(it) = self.streams.get_mut(&stream) else {
            return (read::NO_STREAM, false);
        };
        let Found {
            outcome,
            total,
            mut tell_peer,
        } = it.read(&mut self.quic, max, &mut self.lent);
        let parts = self.lent.iter();
        self.parts
            .extend(parts.map(|bytes| [bytes.as_ptr() as u32, bytes.len() as u32]));
        if let Some(bytes) = self.receive_window.pass(total as u64) {
            self.quic.set_receive_window(window_bytes(bytes));
            tell_peer = true;
        }
        (if total > 0 { total as i32 } else { outcome }, tell_peer)
    }

    /// Ends the loan of the last read.
    pub fn release(&mut self) {
        self.lent.clear();
        self.parts.clear();
    }

    /// Takes all of `bytes`. The host waits for `WRITABLE` after a `TAKEN_WAIT`.
    pub fn write(&mut self, stream: u32, bytes: Bytes) -> i32 {
        let Some(it) = self.streams.get_mut(&stream) else {
            return write::NO_STREAM;
        };
        it.take(bytes);
        // Behind those that wait already: whoever just came must not take the room that they need.
        self.waiting.push_back(stream);
        let mut outcome = write::TAKEN_WAIT;
        self.serve_waiting(|done, result| {
            if done == stream {
                outcome = result.err().unwrap_or(write::TAKEN);
            }
            done != stream
        });
        outcome
    }

    /// Gives all that wait a piece of the room in turn, until it is used up. `tells` is asked whether
    /// the host should hear of a stream that waits no more.
    fn serve_waiting(&mut self, mut tells: impl FnMut(u32, Result<(), i32>) -> bool) {
        let mut any_sent = true;
        while any_sent && !self.waiting.is_empty() {
            any_sent = false;
            for _ in 0..self.waiting.len() {
                let Some(stream) = self.waiting.pop_front() else {
                    break;
                };
                let result = match self.send_turn(stream) {
                    // Until quinn says that it is blocked: only then does it report room again.
                    Ok(sent @ Some(_)) => {
                        any_sent |= sent > Some(0);
                        self.waiting.push_back(stream);
                        continue;
                    }
                    Ok(None) => Ok(()),
                    Err(problem) => Err(problem),
                };
                if tells(stream, result) {
                    self.tell(stream, news::WRITABLE);
                }
            }
        }
    }

    /// Passes a piece on of what a stream has to send. Returns how long it was, or nothing when that was
    /// all.
    fn send_turn(&mut self, stream: u32) -> Result<Option<usize>, i32> {
        let Some(it) = self.streams.get_mut(&stream) else {
            return Err(write::NO_STREAM);
        };
        let most = match self.waiting.is_empty() {
            true => usize::MAX,
            false => TURN_BYTES,
        };
        let sent = it.send_some(&mut self.quic, most)?;
        if let Some(bytes) = self.send_window.pass(sent as u64) {
            self.quic.set_send_window(bytes);
        }
        if it.has_unsent() {
            return Ok(Some(sent));
        }
        if it.finish_if_due(&mut self.quic) {
            self.tell(stream, news::FINISHED);
        }
        Ok(None)
    }

    fn leave_queue(&mut self, stream: u32) {
        self.waiting.retain(|waiting| *waiting != stream);
    }

    /// Ends our direction after what was written. Returns whether `FINISHED` will follow.
    pub fn finish(&mut self, stream: u32) -> bool {
        let it = self.streams.get_mut(&stream);
        it.is_some_and(|it| it.finish(&mut self.quic))
    }

    /// Breaks our direction off.
    pub fn reset(&mut self, stream: u32, code: u32) {
        self.leave_queue(stream);
        if let Some(it) = self.streams.get_mut(&stream) {
            it.reset(&mut self.quic, code);
        }
    }

    /// Tells the peer that we read no more, and forgets what came.
    pub fn stop_reading(&mut self, stream: u32, code: u32) {
        self.release();
        if let Some(it) = self.streams.get_mut(&stream) {
            it.stop(&mut self.quic, code);
        }
    }

    /// With which code the peer stopped or reset the stream.
    pub fn code(&self, stream: u32) -> Option<u64> {
        self.streams.get(&stream)?.code
    }

    pub fn close(&mut self, now: Instant, code: u32, reason: &[u8]) {
        let reason = Bytes::copy_from_slice(reason);
        self.quic.close(now, VarInt::from_u32(code), reason);
    }

    /// The peer's certificates as a list of blobs, leaf first; empty when it showed none.
    pub fn peer_chain(&self) -> Vec<u8> {
        let identity = self.quic.crypto_session().peer_identity();
        let chain = identity.and_then(|it| it.downcast::<Vec<CertificateDer<'static>>>().ok());
        match chain {
            Some(chain) => blobs::write(chain.iter().map(|certificate| certificate.as_ref())),
            None => Vec::new(),
        }
    }
}

/// The node's part of a remote's number.
fn node_of(remote: u64) -> u32 {
    (remote >> 24) as u32
}

fn window_bytes(bytes: u64) -> VarInt {
    VarInt::from_u64(bytes).unwrap_or(VarInt::MAX)
}

fn index(id: StreamId) -> u32 {
    id.index() as u32
}

fn speaks_streams(quic: &quinn_proto::Connection) -> bool {
    let data = quic.crypto_session().handshake_data();
    data.and_then(|it| it.downcast::<HandshakeData>().ok())
        .and_then(|it| it.protocol)
        .is_some_and(|protocol| protocol == tls::STREAMS)
}
