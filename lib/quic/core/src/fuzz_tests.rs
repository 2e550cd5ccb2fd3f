//! What an established peer can do to us: one endpoint attacks another with packets that are sealed
//! with the right keys and hold anything. A panic here is a trap in the WebAssembly module.
//!
//! `RECEPTOR_FUZZ_SECONDS` sets how long each test runs, `RECEPTOR_FUZZ_SEED` where its cases begin; a
//! failing case prints the seed with which it fails again.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rand::rngs::StdRng;
use rand::SeedableRng;

use crate::connection::happened;
use crate::endpoint::{admit, Endpoint, Received, RESET_KEY_BYTES};
use crate::options::Options;
use crate::tampering::{arm, below, disarm, Tamperer};

/// Without the variable; enough for thousands of packets.
const DEFAULT_SECONDS: u64 = 3;
const ROUNDS: usize = 60;
/// What both sides of a case may hold, far more than their windows.
const MOST_BYTES: usize = 64 * 1024 * 1024;
const VICTIM: usize = 0;
const ATTACKER: usize = 1;

struct Counting;

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        System.dealloc(ptr, layout)
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One of the two endpoints, and its connection.
struct Side {
    endpoint: Endpoint,
    connection: Option<u32>,
    inbox: Vec<Vec<u8>>,
}

impl Side {
    fn new(server: u32, streams: u32) -> Self {
        let options =
            Options::from_words(&[16_348, 30_000, 15_000, 1 << 20, 1 << 20, server, streams]);
        Self {
            endpoint: Endpoint::new(options, &[7; RESET_KEY_BYTES], None).expect("an endpoint"),
            connection: None,
            inbox: Vec::new(),
        }
    }
}

/// A victim, an attacker, and what is between them.
struct Case {
    random: StdRng,
    now: Instant,
    sides: [Side; 2],
    tamperer: Option<Tamperer>,
    gone: bool,
}

impl Case {
    fn new(seed: u64, attacker_dials: bool, handshake: bool) -> Self {
        // The original's protocol, or ours with few or many streams.
        let streams = [0, 3, 16][(seed % 3) as usize];
        let mut sides = [
            Side::new(u32::from(attacker_dials), streams),
            Side::new(u32::from(!attacker_dials), streams),
        ];
        let now = Instant::now();
        let dialler = &mut sides[usize::from(attacker_dials)];
        let connection = dialler.endpoint.connect(now, 1, 1, None);
        dialler.connection = Some(connection.expect("a connection"));
        Self {
            random: StdRng::seed_from_u64(seed),
            now,
            sides,
            tamperer: Some(Tamperer::new(!seed, handshake)),
            gone: false,
        }
    }

    /// Answers how many packets were tampered with.
    fn run(mut self) -> u64 {
        for round in 0..ROUNDS {
            for side in [ATTACKER, VICTIM] {
                self.receive(side);
                self.use_stream(side);
                self.transmit(side, round >= 3);
            }
            self.now += Duration::from_millis(match below(&mut self.random, 20) {
                0 => 2_000,
                1..4 => 60,
                _ => 1,
            });
            self.expire();
            let live = LIVE_BYTES.load(Ordering::Relaxed);
            assert!(live < MOST_BYTES, "{live} bytes are held");
            if self.gone {
                break;
            }
        }
        self.tamperer.map_or(0, |it| it.packets)
    }

    fn receive(&mut self, side: usize) {
        let now = self.now;
        let mut inbox = std::mem::take(&mut self.sides[side].inbox);
        if below(&mut self.random, 10) == 0 {
            inbox.reverse();
        }
        for datagram in inbox {
            let copies = match below(&mut self.random, 30) {
                0 => 0,
                1 => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let endpoint = &mut self.sides[side].endpoint;
                let received = endpoint.receive(now, 1, BytesMut::from(datagram.as_slice()));
                let accepted = match received {
                    Some(Received::Incoming { .. }) => endpoint.admit(now, admit::ACCEPT),
                    _ => None,
                };
                let other = endpoint.answer().map(<[u8]>::to_vec);
                self.sides[side].connection = self.sides[side].connection.or(accepted);
                self.sides[1 - side].inbox.extend(other);
                self.poll(side);
            }
        }
    }

    /// As the host polls after each datagram.
    fn poll(&mut self, side: usize) {
        let Side {
            endpoint,
            connection,
            ..
        } = &mut self.sides[side];
        let Some(id) = *connection else { return };
        let bits = endpoint.poll(id);
        if bits & happened::CONNECTED != 0 {
            endpoint.connection(id).expect("a connection").peer_chain();
        }
        if bits & happened::DRAINED != 0 {
            endpoint.free(id);
            *connection = None;
            self.gone = true;
        }
    }

    /// Whatever a user may do, in any order.
    fn use_stream(&mut self, side: usize) {
        let now = self.now;
        let random = &mut self.random;
        let Side {
            endpoint,
            connection,
            ..
        } = &mut self.sides[side];
        let Some(connection) = connection.and_then(|id| endpoint.connection(id)) else {
            return;
        };
        if below(random, 4) > 0 {
            connection.open();
        }
        for _ in 0..4 {
            let stream = below(random, 6) as u32;
            match below(random, 40) {
                0 => drop(connection.finish(stream)),
                1 => connection.stop_reading(stream, 7),
                36 => connection.reset(stream, 7),
                37 => connection.forget(stream),
                2 if side == VICTIM && below(random, 4) == 0 => connection.close(now, 0, b"bye"),
                3..12 => {
                    let size = 1 + below(random, 3_000) as usize;
                    connection.write(stream, Bytes::from(vec![7; size]));
                }
                12..30 => {
                    connection.read(stream, 1 + below(random, 10_000) as usize);
                    connection.release();
                }
                _ => {}
            }
        }
        if side == ATTACKER {
            // Something to tamper with.
            connection.quic.ping();
        }
    }

    fn transmit(&mut self, side: usize, tampers: bool) {
        let now = self.now;
        if side == ATTACKER && tampers {
            arm(self.tamperer.take());
        }
        self.poll(side);
        if let Some(id) = self.sides[side].connection {
            let mut out = Vec::new();
            for _ in 0..20 {
                let size = self.sides[side].endpoint.transmit(now, id, 8, &mut out);
                if size == 0 {
                    break;
                }
                let datagrams = out.chunks(size).map(<[u8]>::to_vec);
                self.sides[1 - side].inbox.extend(datagrams);
            }
        }
        if side == ATTACKER && tampers {
            self.tamperer = disarm();
        }
    }

    fn expire(&mut self) {
        let now = self.now;
        for side in [VICTIM, ATTACKER] {
            let Side {
                endpoint,
                connection,
                ..
            } = &mut self.sides[side];
            let Some(connection) = connection.and_then(|id| endpoint.connection(id)) else {
                continue;
            };
            if connection.quic.poll_timeout().is_some_and(|at| at <= now) {
                connection.quic.handle_timeout(now);
            }
            self.poll(side);
        }
    }
}

/// Says with which seed a case fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("RECEPTOR_FUZZ_SEED={} fails", self.0);
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => default,
    }
}

fn attack(attacker_dials: bool, handshake: bool) {
    let seconds = Duration::from_secs(number("RECEPTOR_FUZZ_SECONDS", DEFAULT_SECONDS));
    let begin = Instant::now();
    let mut seed = Seed(number("RECEPTOR_FUZZ_SEED", 1));
    let (mut cases, mut packets) = (0, 0);
    while begin.elapsed() < seconds {
        packets += Case::new(seed.0, attacker_dials, handshake).run();
        cases += 1;
        seed.0 += 1;
    }
    eprintln!("{cases} connections, {packets} packets tampered with");
    assert!(packets > 0);
}

#[test]
fn a_dialling_peer_breaks_nothing_after_the_handshake() {
    attack(true, false);
}

#[test]
fn a_service_that_we_dial_breaks_nothing_after_the_handshake() {
    attack(false, false);
}

#[test]
fn a_dialling_peer_breaks_nothing_in_the_handshake() {
    attack(true, true);
}

#[test]
fn a_service_that_we_dial_breaks_nothing_in_the_handshake() {
    attack(false, true);
}
