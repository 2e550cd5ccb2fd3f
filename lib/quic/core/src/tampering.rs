//! A hostile peer: it seals its packets with the right keys, whatever they hold.

use std::cell::RefCell;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::quic::{PacketKey, Tag};
use rustls::Error;

thread_local! {
    static TAMPERER: RefCell<Option<Tamperer>> = const { RefCell::new(None) };
}

/// From now on changes the packets that are sent.
pub fn arm(tamperer: Option<Tamperer>) {
    TAMPERER.set(tamperer);
}

/// Changes packets after the handshake, in a way that the host's randomness decides.
#[cfg(feature = "hostile")]
pub fn arm_at_random() {
    let mut seed = [0; 8];
    crate::host::fill_random(&mut seed);
    arm(Some(Tamperer::new(u64::from_le_bytes(seed), false)));
}

/// From now on packets are sent as they are.
#[cfg(test)]
pub fn disarm() -> Option<Tamperer> {
    TAMPERER.take()
}

/// In place of our own key: one for packets that may be tampered with.
pub fn packet_key(key: AeadKey, iv: Iv) -> Box<dyn PacketKey> {
    Box::new(TamperingKey(honest_key(key, iv)))
}

#[cfg(target_arch = "wasm32")]
fn honest_key(key: AeadKey, iv: Iv) -> Box<dyn PacketKey> {
    crate::packet_key::packet_key(key, iv)
}

/// Our own is for WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
fn honest_key(key: AeadKey, iv: Iv) -> Box<dyn PacketKey> {
    let ring = crate::suite::ring_suite().quic.expect("a suite for QUIC");
    ring.packet_key(key, iv)
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

/// Changes packets.
pub struct Tamperer {
    random: StdRng,
    /// Of handshake packets too; otherwise the handshake goes as it should.
    handshake: bool,
    /// Frames that a peer may send, but hardly would: what they change stays, while nonsense soon ends
    /// the connection.
    plausible: bool,
    /// First packets after the handshake that are left as they are, so that it is over for both sides.
    honest_packets: u32,
    /// Packets that were changed.
    pub packets: u64,
}

impl Tamperer {
    pub fn new(seed: u64, handshake: bool) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            handshake,
            plausible: seed % 4 != 3,
            honest_packets: if handshake { 0 } else { 3 },
            packets: 0,
        }
    }

    fn tamper(&mut self, header: &[u8], frames: &mut [u8]) {
        let is_long = header.first().is_some_and(|first| first & 0x80 != 0);
        if is_long && !self.handshake {
            return;
        }
        if !is_long && self.honest_packets > 0 {
            self.honest_packets -= 1;
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

pub fn below(random: &mut StdRng, bound: u64) -> u64 {
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
