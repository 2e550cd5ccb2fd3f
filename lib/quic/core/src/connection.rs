//! One connection and its one stream, as the host sees them.

use crate::time::Instant;
use bytes::Bytes;
use quinn_proto::{
    ConnectionError, ConnectionHandle, Dir, Event, FinishError, ReadError, StreamEvent, StreamId,
    VarInt, WriteError,
};
use rustls::pki_types::CertificateDer;

use crate::blobs;
use crate::options::Options;
use crate::window::Window;

/// What happened since the last poll: bits, as the host reads them.
pub mod happened {
    /// The handshake is complete.
    pub const CONNECTED: u32 = 1;
    /// The connection is over; `Connection::ending` says why.
    pub const LOST: u32 = 2;
    /// There may be something to read, or an end or an error to report.
    pub const READABLE: u32 = 4;
    /// A write that was cut short went through: there is room again, or the peer stopped us.
    pub const WRITABLE: u32 = 8;
    /// The stream can be opened (`open`) or was opened by the peer.
    pub const STREAM: u32 = 16;
    /// The peer has all that we wrote, and our end of the stream.
    pub const FINISHED: u32 = 32;
    /// Nothing more will happen.
    pub const DRAINED: u32 = 64;
    /// The peer no longer reads the stream.
    pub const STOPPED: u32 = 128;
}

/// Results of `read`, besides a number of bytes.
pub mod read {
    pub const NOTHING_YET: i32 = 0;
    pub const END: i32 = -1;
    pub const RESET: i32 = -2;
    pub const NO_STREAM: i32 = -3;
}

/// Results of `write`.
pub mod write {
    /// Taken whole; the next write may follow.
    pub const TAKEN: i32 = 0;
    /// Taken whole, but only part is on its way: wait for `WRITABLE`.
    pub const TAKEN_WAIT: i32 = 1;
    /// The peer no longer reads.
    pub const STOPPED: i32 = -1;
    /// There is no stream to write to, or it is finished.
    pub const NO_STREAM: i32 = -2;
}

/// Parts of the stream lent to the host by one `read`.
const MOST_PARTS: usize = 64;

pub struct Connection {
    pub handle: ConnectionHandle,
    pub quic: quinn_proto::Connection,
    pub remote: u64,
    /// Whether quinn's endpoint still knows `handle`.
    pub registered: bool,
    /// Why it ended, once `LOST`.
    pub ending: Option<ConnectionError>,
    receive_window: Window,
    send_window: Window,
    stream: Option<StreamId>,
    /// The rest of a write that the window did not take.
    unsent: Bytes,
    finishing: bool,
    /// The peer will not take the rest: quinn reports nothing more about what we wrote.
    given_up: bool,
    /// How reading ended, when bytes came before that: quinn reports it only once.
    read_outcome: Option<i32>,
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
            receive_window: Window::new(options.receive_window_bytes.into()),
            send_window: Window::new(options.send_window_bytes.into()),
            stream: None,
            unsent: Bytes::new(),
            finishing: false,
            given_up: false,
            read_outcome: None,
            lent: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Takes what happened to the connection, except for the endpoint's share of it.
    pub fn take_events(&mut self) -> u32 {
        let mut bits = 0;
        while let Some(event) = self.quic.poll() {
            bits |= match event {
                Event::Connected => happened::CONNECTED,
                Event::ConnectionLost { reason } => {
                    self.ending = Some(reason);
                    happened::LOST
                }
                Event::Stream(event) => self.take_stream_event(event),
                _ => 0,
            };
        }
        if std::mem::take(&mut self.given_up) {
            bits |= happened::FINISHED;
        }
        if self.quic.is_drained() {
            bits |= happened::DRAINED;
        }
        bits
    }

    fn take_stream_event(&mut self, event: StreamEvent) -> u32 {
        match event {
            StreamEvent::Opened { dir: Dir::Bi } => {
                self.stream = self.stream.or_else(|| self.quic.streams().accept(Dir::Bi));
                happened::STREAM | happened::READABLE
            }
            StreamEvent::Available { dir: Dir::Bi } => happened::STREAM,
            StreamEvent::Readable { .. } => happened::READABLE,
            StreamEvent::Writable { .. } => match self.send_rest() {
                Ok(()) if !self.unsent.is_empty() => 0,
                _ => happened::WRITABLE,
            },
            StreamEvent::Finished { .. } => happened::FINISHED,
            StreamEvent::Stopped { .. } => {
                self.unsent = Bytes::new();
                self.given_up = self.finishing;
                happened::STOPPED | happened::WRITABLE
            }
            _ => 0,
        }
    }

    /// Opens the stream, if the peer allows it by now.
    pub fn open(&mut self) -> bool {
        self.stream = self.stream.or_else(|| self.quic.streams().open(Dir::Bi));
        self.stream.is_some()
    }

    /// Lends up to `max` bytes to the host, as `parts`, until the next read. Returns how many, or one
    /// of `read`, and whether the peer should hear of the room that this makes.
    pub fn read(&mut self, max: usize) -> (i32, bool) {
        self.release();
        if let Some(outcome) = self.read_outcome {
            return (outcome, false);
        }
        let Some(id) = self.stream else {
            return (read::NO_STREAM, false);
        };
        let mut stream = self.quic.recv_stream(id);
        let Ok(mut chunks) = stream.read(true) else {
            return (read::NO_STREAM, false);
        };
        let mut total = 0;
        let outcome = loop {
            if total == max || self.lent.len() == MOST_PARTS {
                break read::NOTHING_YET;
            }
            match chunks.next(max - total) {
                Ok(Some(chunk)) => {
                    total += chunk.bytes.len();
                    self.parts
                        .push([chunk.bytes.as_ptr() as u32, chunk.bytes.len() as u32]);
                    self.lent.push(chunk.bytes);
                }
                Ok(None) => break read::END,
                Err(ReadError::Blocked) => break read::NOTHING_YET,
                Err(ReadError::Reset(_)) => break read::RESET,
            }
        };
        let mut tell_peer = chunks.finalize().should_transmit();
        if let Some(bytes) = self.receive_window.pass(total as u64) {
            self.quic.set_receive_window(window_bytes(bytes));
            tell_peer = true;
        }
        if outcome != read::NOTHING_YET {
            self.read_outcome = Some(outcome);
        }
        (if total > 0 { total as i32 } else { outcome }, tell_peer)
    }

    /// Ends the loan of the last read.
    pub fn release(&mut self) {
        self.lent.clear();
        self.parts.clear();
    }

    /// Takes all of `bytes`. The host waits for `WRITABLE` after a `TAKEN_WAIT`.
    pub fn write(&mut self, bytes: Bytes) -> i32 {
        self.unsent = bytes;
        match self.send_rest() {
            Ok(()) if self.unsent.is_empty() => write::TAKEN,
            Ok(()) => write::TAKEN_WAIT,
            Err(problem) => problem,
        }
    }

    fn send_rest(&mut self) -> Result<(), i32> {
        let Some(id) = self.stream else {
            return Err(write::NO_STREAM);
        };
        // Until quinn says that it is blocked: only then does it report room again.
        while !self.unsent.is_empty() {
            let mut chunks = [std::mem::take(&mut self.unsent)];
            let outcome = self.quic.send_stream(id).write_chunks(&mut chunks);
            [self.unsent] = chunks;
            match outcome {
                Ok(written) => {
                    if let Some(bytes) = self.send_window.pass(written.bytes as u64) {
                        self.quic.set_send_window(bytes);
                    }
                }
                Err(WriteError::Blocked) => break,
                Err(problem) => {
                    self.unsent = Bytes::new();
                    return Err(match problem {
                        WriteError::Stopped(_) => write::STOPPED,
                        _ => write::NO_STREAM,
                    });
                }
            }
        }
        if self.finishing && self.unsent.is_empty() && !self.finish_now(id) {
            self.given_up = true;
        }
        Ok(())
    }

    /// Ends our direction after what was written. Returns whether `FINISHED` will follow.
    pub fn finish(&mut self) -> bool {
        let Some(id) = self.stream else {
            return false;
        };
        self.finishing = true;
        if !self.unsent.is_empty() {
            return true;
        }
        self.finish_now(id)
    }

    fn finish_now(&mut self, id: StreamId) -> bool {
        match self.quic.send_stream(id).finish() {
            Ok(()) => true,
            // There is nothing left to deliver.
            Err(FinishError::Stopped(_) | FinishError::ClosedStream) => false,
        }
    }

    /// Tells the peer that we read no more, and forgets what came.
    pub fn stop_reading(&mut self) {
        self.release();
        if let Some(id) = self.stream {
            // An error says that the direction has ended already.
            let _ = self.quic.recv_stream(id).stop(VarInt::from_u32(0));
        }
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

fn window_bytes(bytes: u64) -> VarInt {
    VarInt::from_u64(bytes).unwrap_or(VarInt::MAX)
}
