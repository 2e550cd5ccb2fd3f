//! One stream of a connection.

use bytes::{Buf, Bytes};
use quinn_proto::{Connection, FinishError, ReadError, StreamId, VarInt, WriteError};

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
/// What has carried more goes behind streams that have carried less.
const BULK_BYTES: u64 = 1024 * 1024;
const BULK_PRIORITY: i32 = -1;

pub struct Stream {
    id: StreamId,
    /// The rest of a write that the window did not take.
    unsent: Bytes,
    written_bytes: u64,
    finishing: bool,
    /// The peer reads no more: what we write goes nowhere.
    stopped: bool,
    /// How reading ended: quinn reports it only once.
    read_outcome: Option<i32>,
    /// With which the peer stopped or reset the stream, the first of both.
    pub code: Option<u64>,
}

/// What one `read` found.
pub struct Found {
    pub outcome: i32,
    pub total: usize,
    /// Whether the peer should hear of the room that this makes.
    pub tell_peer: bool,
}

impl Stream {
    pub fn new(id: StreamId) -> Self {
        Self {
            id,
            unsent: Bytes::new(),
            written_bytes: 0,
            finishing: false,
            stopped: false,
            read_outcome: None,
            code: None,
        }
    }

    /// Reads up to `max` bytes into `lent`.
    pub fn read(&mut self, quic: &mut Connection, max: usize, lent: &mut Vec<Bytes>) -> Found {
        let mut found = Found {
            outcome: read::NOTHING_YET,
            total: 0,
            tell_peer: false,
        };
        if let Some(outcome) = self.read_outcome {
            found.outcome = outcome;
            return found;
        }
        let mut stream = quic.recv_stream(self.id);
        let Ok(mut chunks) = stream.read(true) else {
            found.outcome = read::NO_STREAM;
            return found;
        };
        while found.total < max && lent.len() < MOST_PARTS {
            match chunks.next(max - found.total) {
                Ok(Some(chunk)) => {
                    found.total += chunk.bytes.len();
                    lent.push(chunk.bytes);
                }
                Ok(None) => {
                    self.read_outcome = Some(read::END);
                    break;
                }
                Err(ReadError::Blocked) => break,
                Err(ReadError::Reset(code)) => {
                    self.code.get_or_insert(code.into());
                    self.read_outcome = Some(read::RESET);
                    break;
                }
            }
        }
        found.tell_peer = chunks.finalize().should_transmit();
        found.outcome = self.read_outcome.unwrap_or(read::NOTHING_YET);
        found
    }

    /// Whether the peer has broken its direction off, now or earlier. What came before that is gone.
    pub fn is_reset(&mut self, quic: &mut Connection) -> bool {
        if let Ok(Some(code)) = quic.recv_stream(self.id).received_reset() {
            self.code.get_or_insert(code.into());
            self.read_outcome = Some(read::RESET);
        }
        self.read_outcome == Some(read::RESET)
    }

    /// Takes all of `bytes`; `send_some` has to follow.
    pub fn take(&mut self, bytes: Bytes) {
        self.unsent = bytes;
    }

    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Passes up to `most` of the rest on. Returns how many bytes went, 0 when there is no room: quinn
    /// then reports when there is.
    pub fn send_some(&mut self, quic: &mut Connection, most: usize) -> Result<usize, i32> {
        if self.stopped {
            return Err(write::STOPPED);
        }
        let mut chunks = [self.unsent.slice(..most.min(self.unsent.len()))];
        let written = match quic.send_stream(self.id).write_chunks(&mut chunks) {
            Ok(written) => written.bytes,
            Err(WriteError::Blocked) => 0,
            Err(problem) => {
                self.unsent = Bytes::new();
                return Err(match problem {
                    WriteError::Stopped(_) => write::STOPPED,
                    _ => write::NO_STREAM,
                });
            }
        };
        self.unsent.advance(written);
        self.count(quic, written as u64);
        Ok(written)
    }

    fn count(&mut self, quic: &mut Connection, written: u64) {
        let was_bulk = self.written_bytes > BULK_BYTES;
        self.written_bytes += written;
        if !was_bulk && self.written_bytes > BULK_BYTES {
            // An error says that the stream is gone.
            let _ = quic.send_stream(self.id).set_priority(BULK_PRIORITY);
        }
    }

    /// Ends our direction after what was written. Returns whether `FINISHED` will follow.
    pub fn finish(&mut self, quic: &mut Connection) -> bool {
        self.finishing = true;
        self.has_unsent() || self.finish_now(quic)
    }

    /// Once all is sent: the end, if that was wanted. Returns whether `FINISHED` cannot follow.
    pub fn finish_if_due(&mut self, quic: &mut Connection) -> bool {
        self.finishing && !self.has_unsent() && !self.finish_now(quic)
    }

    fn finish_now(&mut self, quic: &mut Connection) -> bool {
        match quic.send_stream(self.id).finish() {
            Ok(()) => true,
            // There is nothing left to deliver.
            Err(FinishError::Stopped(_) | FinishError::ClosedStream) => false,
        }
    }

    /// The peer reads no more. Returns whether our end of the stream was to follow, which it now cannot.
    pub fn stopped(&mut self, quic: &mut Connection, code: VarInt) -> bool {
        self.unsent = Bytes::new();
        self.stopped = true;
        self.code.get_or_insert(code.into());
        // As QUIC demands (RFC 9000, 3.5); it frees the stream.
        let _ = quic.send_stream(self.id).reset(code);
        self.finishing
    }

    /// Breaks our direction off.
    pub fn reset(&mut self, quic: &mut Connection, code: u32) {
        self.unsent = Bytes::new();
        self.stopped = true;
        // An error says that the direction has ended already.
        let _ = quic.send_stream(self.id).reset(VarInt::from_u32(code));
    }

    /// Tells the peer that we read no more, and forgets what came.
    pub fn stop(&mut self, quic: &mut Connection, code: u32) {
        // An error says that the direction has ended already.
        let _ = quic.recv_stream(self.id).stop(VarInt::from_u32(code));
    }
}
