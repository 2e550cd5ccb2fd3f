//! Congestion control: Cubic within the bounds of a mesh. Mesh links queue rather than lose, so
//! without them the window would grow until some queue on the way is full, for everybody.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::time::Instant;
use quinn_proto::congestion::{Controller, ControllerFactory, CubicConfig};
use quinn_proto::RttEstimator;

/// Mesh links are reliable streams with bounded queues: a burst of this size is safe to start with.
const INITIAL_WINDOW_BYTES: u64 = 128 * 1024;
/// The window does not grow while this much of a round trip is waiting in queues. Less would be taken
/// for a queue when a busy process is late.
const QUEUE_DELAY: Duration = Duration::from_millis(100);

/// Makes controllers whose window stays below `max_window_bytes`.
pub struct BoundedCubic {
    pub max_window_bytes: u64,
}

impl ControllerFactory for BoundedCubic {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let mut cubic = CubicConfig::default();
        cubic.initial_window(INITIAL_WINDOW_BYTES);
        Box::new(Bounded {
            cubic: Arc::new(cubic).build(now, current_mtu),
            max_window_bytes: self.max_window_bytes,
        })
    }
}

struct Bounded {
    cubic: Box<dyn Controller>,
    max_window_bytes: u64,
}

impl Controller for Bounded {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        let queues = rtt.get() > rtt.min() + QUEUE_DELAY;
        if !queues && self.cubic.window() < self.max_window_bytes {
            self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
        }
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.cubic
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.cubic
            .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.cubic.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.cubic.window()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            cubic: self.cubic.clone_box(),
            max_window_bytes: self.max_window_bytes,
        })
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
