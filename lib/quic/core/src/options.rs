//! The host's options, and what they mean for quinn-proto.

use std::sync::Arc;
use std::time::Duration;

use quinn_proto::{AckFrequencyConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};

use crate::congestion::BoundedCubic;
use crate::window::Window;

/// In the order in which the host writes them (32-bit little-endian each).
#[derive(Clone, Copy)]
pub struct Options {
    pub max_datagram_bytes: u16,
    pub idle_timeout_ms: u32,
    /// Of the dialling side; the other side answers.
    pub keep_alive_ms: u32,
    /// Of each stream. A connection's begins smaller and grows with what goes through it and with the
    /// number of its streams.
    pub receive_window_bytes: u32,
    /// What a connection's may grow to.
    pub send_window_bytes: u32,
    /// 0: no server, 1: server, 2: server that wants client certificates.
    pub server: u32,
    /// Streams that a dialler may have open on a connection at a time; 0 for the original's protocol
    /// only, with one.
    pub max_streams: u32,
}

/// The size that QUIC asks of any path (RFC 9000, 14).
pub const SMALLEST_MTU: u16 = 1200;
/// The search for a path's MTU ends when the next step would gain less: from 1200 it reaches a Go
/// peer's 1452 in one step and 16 KB in six, where a finer search would take more round trips.
const MTU_STEP: u16 = 252;
/// A full queue loses a probe as easily as a narrow path does, so the search starts again soon.
const MTU_SEARCH_INTERVAL: Duration = Duration::from_secs(30);
const MTU_BLACK_HOLE_COOLDOWN: Duration = Duration::from_secs(10);
/// Before the first round trip is measured: a mesh hop is near, and a lost first packet costs three
/// times this.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Datagrams between acknowledgements, asked of peers that know the extension.
const ACK_EVERY: u32 = 9;

impl Options {
    pub const FIELDS: usize = 7;

    /// Whether we speak our own protocol.
    pub fn many_streams(&self) -> bool {
        self.max_streams > 0
    }

    pub fn from_words(words: &[u32; Self::FIELDS]) -> Self {
        let [max_datagram_bytes, idle_timeout_ms, keep_alive_ms, receive_window_bytes, send_window_bytes, server, max_streams] =
            *words;
        Self {
            max_datagram_bytes: max_datagram_bytes.clamp(SMALLEST_MTU.into(), u16::MAX.into())
                as u16,
            idle_timeout_ms,
            keep_alive_ms,
            receive_window_bytes,
            send_window_bytes,
            server,
            max_streams,
        }
    }

    /// Bidirectional streams that the client opens, nothing else; `dialler` for the side that opens
    /// them. More than one is taken only once both sides speak our own protocol. `mtu` is what the path takes as far as we know.
    pub fn transport(&self, dialler: bool, mtu: u16) -> Arc<TransportConfig> {
        let receive_window = Window::initial_bytes(self.receive_window_bytes.into());
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(if dialler {
                0
            } else {
                self.max_streams.max(1)
            }))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(None)
            .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(
                self.idle_timeout_ms,
            ))))
            .stream_receive_window(VarInt::from_u32(self.receive_window_bytes))
            .receive_window(VarInt::from_u32(receive_window as u32))
            .send_window(Window::initial_bytes(self.send_window_bytes.into()))
            .initial_rtt(INITIAL_RTT)
            .initial_mtu(mtu)
            .min_mtu(SMALLEST_MTU)
            .mtu_discovery_config(Some(self.mtu_discovery()))
            .ack_frequency_config(Some(ack_frequency()))
            .congestion_controller_factory(Arc::new(BoundedCubic {
                max_window_bytes: self.send_window_bytes.into(),
            }))
            .allow_spin(false);
        if dialler && self.keep_alive_ms > 0 {
            transport.keep_alive_interval(Some(Duration::from_millis(self.keep_alive_ms.into())));
        }
        Arc::new(transport)
    }

    fn mtu_discovery(&self) -> MtuDiscoveryConfig {
        let mut discovery = MtuDiscoveryConfig::default();
        discovery
            .upper_bound(self.max_datagram_bytes)
            .minimum_change(MTU_STEP)
            .interval(MTU_SEARCH_INTERVAL)
            .black_hole_cooldown(MTU_BLACK_HOLE_COOLDOWN);
        discovery
    }
}

fn ack_frequency() -> AckFrequencyConfig {
    let mut frequency = AckFrequencyConfig::default();
    frequency.ack_eliciting_threshold(VarInt::from_u32(ACK_EVERY));
    frequency
}
