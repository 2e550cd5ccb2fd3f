//! What an established peer can do to us: one endpoint attacks another with packets that are sealed
//! with the right keys and hold anything. A panic here is a trap in the WebAssembly module.
//!
//! `RECEPTOR_FUZZ_SECONDS` sets how long each test runs, `RECEPTOR_FUZZ_SEED` where its cases begin; a
//! failing case prints the seed with which it fails again.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::quic::{PacketKey, Tag};
use rustls::Error;

use crate::connection::happened;
use crate::endpoint::{admit, Endpoint, Received, RESET_KEY_BYTES};
use crate::options::Options;
use crate::suite::ring_suite;

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

thread_local! {
    static TAMPERER: RefCell<Option<Tamperer>> = const { RefCell::new(None) };
}

/// In place of our own key, which is for WebAssembly: ring's, for packets that may be tampered with.
pub fn packet_key(key: AeadKey, iv: Iv) -> Box<dyn PacketKey> {
    let ring = ring_suite().quic.expect("a suite for QUIC");
    Box::new(TamperingKey(ring.packet_key(key, iv)))
}

struct TamperingKey(Box<dyn PacketKey>);

impl PacketKey for TamperingKey {
    fn encrypt_in_place(
        &self,
        packet_number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<Tag, Error> {
        TAMPERER.with_borrow_mut(|tamperer| {
            if let Some(tamperer) = tamperer {
                tamperer.tamper(header, payload);
            }
        });
        self.0.encrypt_in_place(packet_number, header, payload)
    }

    fn decrypt_in_place<'a>(
        &self,
        packet_number: u64,
        header: &[u8],
        payload: &'a mut [u8],
    ) -> Result<&'a [u8], Error> {
        self.0.decrypt_in_place(packet_number, header, payload)
    }

    fn tag_len(&self) -> usize {
        self.0.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.0.integrity_limit()
    }
}

/// Changes the attacker's packets.
struct Tamperer {
    random: StdRng,
    /// Of handshake packets too; otherwise the handshake goes as it should.
    handshake: bool,
    /// Frames that a peer may send, but hardly would: what they change stays, while nonsense soon ends
    /// the connection.
    plausible: bool,
    packets: u64,
}

impl Tamperer {
    fn tamper(&mut self, header: &[u8], frames: &mut [u8]) {
        let is_long = header.first().is_some_and(|first| first & 0x80 != 0);
        if is_long && !self.handshake {
            return;
        }
        let random = &mut self.random;
        let kind = match self.plausible {
            true if below(random, 60) > 0 => below(random, 20),
            _ => 20 + below(random, 10),
        };
        match kind {
            0..10 => return,
            10..20 => {
                let mut made = Vec::new();
                for _ in 0..=below(random, 4) {
                    let frame = plausible_frame(random);
                    if made.len() + frame.len() <= frames.len() {
                        made.extend(frame);
                    }
                }
                made.resize(frames.len(), 0);
                frames.copy_from_slice(&made);
            }
            20..22 => return,
            22..25 => {
                for _ in 0..=below(random, 4) {
                    let at = below(random, frames.len() as u64) as usize;
                    frames[at] = random.next_u32() as u8;
                }
            }
            25 => {
                // A frame of ours before what should be there.
                let frame = random_frame(random);
                let len = frame.len().min(frames.len());
                frames.copy_within(..frames.len() - len, len);
                frames[..len].copy_from_slice(&frame[..len]);
            }
            _ => {
                let mut made = Vec::new();
                for _ in 0..=below(random, 6) {
                    made.extend(random_frame(random));
                }
                // Padding frames are zeros.
                made.resize(frames.len(), 0);
                frames.copy_from_slice(&made);
            }
        }
        self.packets += 1;
    }
}

fn below(random: &mut StdRng, bound: u64) -> u64 {
    random.next_u64() % bound
}

/// Every frame type that quinn-proto knows, and some that nobody does.
fn random_frame(random: &mut StdRng) -> Vec<u8> {
    const TYPES: [u64; 36] = [
        0x00,
        0x01,
        0x02,
        0x03,
        0x04,
        0x05,
        0x06,
        0x07,
        0x08,
        0x09,
        0x0a,
        0x0b,
        0x0c,
        0x0d,
        0x0e,
        0x0f,
        0x10,
        0x11,
        0x12,
        0x13,
        0x14,
        0x15,
        0x16,
        0x17,
        0x18,
        0x19,
        0x1a,
        0x1b,
        0x1c,
        0x1d,
        0x1e,
        0x1f,
        0x30,
        0x31,
        0xaf,
        0x3f_5153_3005_3eb4,
    ];
    let kind = match below(random, 30) {
        0 => random.next_u64() >> 2,
        _ => TYPES[below(random, TYPES.len() as u64) as usize],
    };
    let mut frame = Vec::new();
    put_varint(&mut frame, kind);
    let numbers = |frame: &mut Vec<u8>, random: &mut StdRng, count: usize| {
        for _ in 0..count {
            put_varint(frame, random_number(random));
        }
    };
    match kind {
        0x02 | 0x03 => {
            numbers(&mut frame, random, 2);
            let ranges = below(random, 5);
            put_varint(
                &mut frame,
                if below(random, 8) == 0 {
                    random_number(random)
                } else {
                    ranges
                },
            );
            numbers(&mut frame, random, 1 + 2 * ranges as usize);
            if kind == 0x03 {
                numbers(&mut frame, random, 3);
            }
        }
        0x04 => {
            put_varint(&mut frame, random_stream(random));
            numbers(&mut frame, random, 2);
        }
        0x05 | 0x11 | 0x15 => {
            put_varint(&mut frame, random_stream(random));
            numbers(&mut frame, random, 1);
        }
        0x06 => {
            numbers(&mut frame, random, 1);
            put_bytes(&mut frame, random);
        }
        0x07 => put_bytes(&mut frame, random),
        0x08..=0x0f => {
            put_varint(&mut frame, random_stream(random));
            if kind & 4 != 0 {
                numbers(&mut frame, random, 1);
            }
            if kind & 2 != 0 {
                put_bytes(&mut frame, random);
            }
        }
        0x10 | 0x12 | 0x13 | 0x14 | 0x16 | 0x17 | 0x19 => numbers(&mut frame, random, 1),
        0x18 => {
            numbers(&mut frame, random, 2);
            let len = below(random, 24) as usize;
            frame.push(len as u8);
            put_random(&mut frame, random, len + 16);
        }
        0x1a | 0x1b => put_random(&mut frame, random, 8),
        0x1c => {
            numbers(&mut frame, random, 2);
            put_bytes(&mut frame, random);
        }
        0x1d => {
            numbers(&mut frame, random, 1);
            put_bytes(&mut frame, random);
        }
        0x31 => put_bytes(&mut frame, random),
        0xaf => numbers(&mut frame, random, 4),
        _ => {
            let len = below(random, 20) as usize;
            put_random(&mut frame, random, len);
        }
    }
    frame
}

/// A frame that breaks no rule, if the peer is in the right state for it.
fn plausible_frame(random: &mut StdRng) -> Vec<u8> {
    const CONNECTION_ID_BYTES: usize = 8;
    let mut frame = Vec::new();
    let small = |random: &mut StdRng| match below(random, 8) {
        0 => 1 << below(random, 16),
        _ => below(random, 20),
    };
    match below(random, 16) {
        0 => frame.push(0x01),
        1 => {
            frame.push(0x02);
            // Packets that were sent, most of the time.
            let sent = if below(random, 30) == 0 { 40 } else { 4 };
            let largest = below(random, sent);
            put_varint(&mut frame, largest);
            put_varint(&mut frame, small(random));
            frame.push(0);
            put_varint(&mut frame, below(random, largest + 1));
        }
        2 if below(random, 20) == 0 => {
            frame.extend([0x04, client_stream(random), 0]);
            put_varint(&mut frame, small(random) * 500);
        }
        3 if below(random, 10) == 0 => frame.extend([0x05, client_stream(random), 0]),
        4..8 => {
            // Of a stream: with holes, overlaps and ends at odd places.
            let end = u8::from(below(random, 30) == 0);
            frame.extend([0x0e | end, client_stream(random)]);
            put_varint(&mut frame, small(random) * (1 + below(random, 100)));
            let len = below(random, 60);
            put_varint(&mut frame, len);
            put_random(&mut frame, random, len as usize);
        }
        8 => {
            frame.push(0x10);
            put_varint(&mut frame, random_number(random));
        }
        9 => {
            frame.extend([0x11, client_stream(random)]);
            put_varint(&mut frame, random_number(random));
        }
        10 => {
            frame.push(0x12 + below(random, 2) as u8);
            put_varint(&mut frame, small(random));
        }
        11 => {
            frame.extend([0x15, client_stream(random)]);
            put_varint(&mut frame, random_number(random));
        }
        12 if below(random, 3) == 0 => {
            frame.push(0x18);
            let sequence = small(random);
            put_varint(&mut frame, sequence);
            // Few may be in use at a time.
            put_varint(&mut frame, sequence - below(random, sequence.min(3) + 1));
            frame.push(CONNECTION_ID_BYTES as u8);
            put_random(&mut frame, random, CONNECTION_ID_BYTES + 16);
        }
        13 if below(random, 6) == 0 => {
            frame.push(0x19);
            put_varint(&mut frame, below(random, 6));
        }
        13 | 14 => {
            frame.push(0x1a + below(random, 2) as u8);
            put_random(&mut frame, random, 8);
        }
        _ => {
            put_varint(&mut frame, 0xaf);
            put_varint(&mut frame, small(random));
            put_varint(&mut frame, small(random));
            put_varint(&mut frame, 1_000 * (1 + small(random)));
            put_varint(&mut frame, small(random));
        }
    }
    frame
}

/// One of the first streams that the client may open, as a varint of one byte.
fn client_stream(random: &mut StdRng) -> u8 {
    match below(random, 3) {
        0 => 4 * below(random, 6) as u8,
        _ => 0,
    }
}

/// Streams that may be there more often than others.
fn random_stream(random: &mut StdRng) -> u64 {
    match below(random, 4) {
        0 => random_number(random),
        1 => below(random, 12),
        _ => 0,
    }
}

/// Small ones, and those around the limits.
fn random_number(random: &mut StdRng) -> u64 {
    const MOST: u64 = (1 << 62) - 1;
    match below(random, 6) {
        0 | 1 => below(random, 8),
        2 => below(random, 5_000),
        3 => (1 << below(random, 62)) - below(random, 2),
        4 => MOST - below(random, 3),
        _ => random.next_u64() >> (2 + below(random, 60)),
    }
}

/// A length, mostly the right one, and bytes.
fn put_bytes(frame: &mut Vec<u8>, random: &mut StdRng) {
    let len = below(random, 40);
    put_varint(
        frame,
        if below(random, 10) == 0 {
            random_number(random)
        } else {
            len
        },
    );
    put_random(frame, random, len as usize);
}

fn put_random(frame: &mut Vec<u8>, random: &mut StdRng, len: usize) {
    let begin = frame.len();
    frame.resize(begin + len, 0);
    random.fill_bytes(&mut frame[begin..]);
}

/// RFC 9000, 16.
fn put_varint(frame: &mut Vec<u8>, number: u64) {
    match number {
        0..0x40 => frame.push(number as u8),
        0x40..0x4000 => frame.extend((number as u16 | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => frame.extend((number as u32 | 0x8000_0000).to_be_bytes()),
        _ => frame.extend((number & ((1 << 62) - 1) | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

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
            tamperer: Some(Tamperer {
                random: StdRng::seed_from_u64(!seed),
                handshake,
                plausible: seed % 4 != 0,
                packets: 0,
            }),
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
            TAMPERER.set(self.tamperer.take());
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
            self.tamperer = TAMPERER.take();
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
