//! Why a connection ended, in the form that the host is given.

use quinn_proto::ConnectionError;

/// Who or what ended it, with the code and the words that came with it.
pub struct Ending {
    pub kind: u32,
    pub code: u64,
    pub words: String,
}

/// We found the peer or the handshake at fault; the code is QUIC's (0x100 + a TLS alert).
const TRANSPORT: u32 = 1;
/// The peer's QUIC found us or the handshake at fault.
const PEER_TRANSPORT: u32 = 2;
/// The peer's application closed it.
const PEER_CLOSED: u32 = 3;
/// The peer forgot the connection, as after a restart.
const RESET: u32 = 4;
const TIMED_OUT: u32 = 5;
const CLOSED_HERE: u32 = 6;
const OTHER: u32 = 7;

impl From<&ConnectionError> for Ending {
    fn from(error: &ConnectionError) -> Self {
        let (kind, code, words) = match error {
            ConnectionError::TransportError(error) => {
                let words = match error.reason.as_str() {
                    "" => error.to_string(),
                    reason => reason.to_string(),
                };
                (TRANSPORT, error.code.into(), words)
            }
            ConnectionError::ConnectionClosed(close) => {
                let words = match close.reason.as_ref() {
                    b"" => close.to_string(),
                    reason => lossy(reason),
                };
                (PEER_TRANSPORT, close.error_code.into(), words)
            }
            ConnectionError::ApplicationClosed(close) => {
                (PEER_CLOSED, close.error_code.into(), lossy(&close.reason))
            }
            ConnectionError::Reset => (RESET, 0, error.to_string()),
            ConnectionError::TimedOut => (TIMED_OUT, 0, error.to_string()),
            ConnectionError::LocallyClosed => (CLOSED_HERE, 0, error.to_string()),
            ConnectionError::VersionMismatch | ConnectionError::CidsExhausted => {
                (OTHER, 0, error.to_string())
            }
        };
        Self { kind, code, words }
    }
}

fn lossy(reason: &[u8]) -> String {
    String::from_utf8_lossy(reason).into_owned()
}
