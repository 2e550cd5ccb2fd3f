//! Every source of randomness that the libraries know, drawn from the host: the same bytes in, the
//! same packets out.

use quinn_proto::{ConnectionId, ConnectionIdGenerator};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::Duration;

use crate::host;

/// For the shims of getrandom, from which ring and rand draw.
#[no_mangle]
fn receptor_fill_random(bytes: &mut [u8]) {
    host::fill_random(bytes);
}

pub fn random_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    host::fill_random(&mut seed);
    seed
}

/// Connection ids of quinn's usual length, from a generator of this endpoint alone (quinn's own
/// generators share one with the whole thread, which would tie the runs of endpoints together).
pub struct SeededConnectionIds(StdRng);

/// Bytes of a connection id that we issue.
const CONNECTION_ID_BYTES: usize = 8;

impl SeededConnectionIds {
    pub fn new(seed: [u8; 32]) -> Self {
        Self(StdRng::from_seed(seed))
    }
}

impl ConnectionIdGenerator for SeededConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; CONNECTION_ID_BYTES];
        self.0.fill_bytes(&mut bytes);
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The destination id of a client's first Initial: 20 unpredictable bytes (RFC 9000, 7.2 wants 8).
pub fn initial_destination_id() -> ConnectionId {
    let mut bytes = [0; 20];
    host::fill_random(&mut bytes);
    ConnectionId::new(&bytes)
}
