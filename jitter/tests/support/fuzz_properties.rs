//! What must hold of a playout for any packets at any time, for every codec: no panic, no allocation, every pull filled and
//! accounted for, and no more decoding within a pull than what it plays, shortens and looks ahead takes.
//! In: a script. Out: a panic when that does not hold; else an [`Outcome`].
//!
//! ```text
//!   codec, sizes, then acts:   the next packet (skipped, doubled, late, early, damaged)   a copy   noise   any packet
//!                              a pull   many pulls   a jump of time   reset   another decoder
//! ```
//! Shared by the stable driver (`tests/fuzz.rs`) and libFuzzer (`fuzz/fuzz_targets`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use assert_no_alloc::assert_no_alloc;
use offhook_codecs::{CodecError, CodecKind, Decoder};
use offhook_jitter::{Insert, PacketKind, Playout, PlayoutConfig, PlayoutPacket};

use super::codecs::fuzz_driver::{Outcome, Script};
use super::codecs::fuzz_properties::payloads;

const MS: u64 = 1_000_000;
const LONGEST_PULL: usize = 2_000;

/// Counts what a decoder is made to do.
struct Counting {
    inner: Box<dyn Decoder + Send>,
    samples: Arc<AtomicUsize>,
}

impl Counting {
    fn count(&self, samples: usize) {
        self.samples.fetch_add(samples, Ordering::Relaxed);
    }
}

impl Decoder for Counting {
    fn kind(&self) -> CodecKind {
        self.inner.kind()
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        // A refused payload costs something too.
        self.count(self.inner.payload_samples(payload).max(1));
        self.inner.decode(payload, out)
    }

    fn conceal(&mut self, out: &mut [i16]) -> bool {
        let made = self.inner.conceal(out);
        self.count(if made { out.len() } else { 0 });
        made
    }

    fn recover_lost(&mut self, next_payload: &[u8], out: &mut [i16]) -> bool {
        let made = self.inner.recover_lost(next_payload, out);
        self.count(if made { out.len() } else { 0 });
        made
    }

    fn concealed(&mut self, pcm: &[i16]) {
        self.inner.concealed(pcm);
    }

    fn reset(&mut self) {
        self.inner.reset();
    }
}

/// One script, one playout.
pub fn playout(octets: &[u8]) -> Outcome {
    let mut script = Script::new(octets);
    let kind = CodecKind::ALL[usize::from(script.octet()) % CodecKind::ALL.len()];
    let mut config = PlayoutConfig::for_codec(kind);
    config.max_payload = 2_048;
    config.max_octets = 20_480;
    if script.octet().is_multiple_of(4) {
        config.max_packets = 4;
        config.max_octets = 2_048;
        config.max_packet_ms = 60;
    }
    let samples = Arc::new(AtomicUsize::new(0));
    let decoder = || -> Box<dyn Decoder + Send> {
        Box::new(Counting { inner: kind.decoder().unwrap(), samples: Arc::clone(&samples) })
    };
    let mut playout = Playout::new(config, decoder()).unwrap();
    let real = payloads(kind);
    let mut world = World {
        playout: &mut playout,
        samples: &samples,
        // A packet decoded, one looked ahead at, and what acceleration takes out of what is played.
        beyond: 4 * (config.max_packet_ms as usize * config.sample_rate as usize / 1_000) + 2_400,
        now_ns: 1_000_000_000,
        sequence: 65_530,
        timestamp: u32::MAX - 3_000,
        block: vec![0; LONGEST_PULL],
        outcome: Outcome::default(),
    };
    world.outcome.saw(kind as u64);
    let mut payload: Vec<u8> = Vec::with_capacity(4_096);
    while !script.is_over() {
        let act = script.octet() % 24;
        payload.clear();
        payload.extend_from_slice(&real[usize::from(script.octet()) % real.len()]);
        let ticks = kind.samples_to_ticks(kind.payload_samples(&payload));
        match act {
            // The packet that comes next, now or somewhat late.
            0..=9 => {
                let late_ns = if act > 6 { u64::from(script.octet()) * MS } else { 0 };
                world.insert(PacketKind::Sound, false, &payload, late_ns);
                world.go_on(1, ticks);
            }
            10 => world.go_on(script.octet().into(), ticks * u32::from(script.octet() % 8)),
            // Again, or one before, or a copy of one before.
            11 | 12 => {
                let back = u16::from(script.octet() % 8);
                let copy = if act == 12 { PacketKind::Redundant } else { PacketKind::Sound };
                let (sequence, timestamp) = (world.sequence, world.timestamp);
                world.sequence = sequence.wrapping_sub(back);
                world.timestamp = timestamp.wrapping_sub(ticks.wrapping_mul(back.into()));
                world.insert(copy, false, &payload, 0);
                (world.sequence, world.timestamp) = (sequence, timestamp);
            }
            13 => {
                world.insert(PacketKind::ComfortNoise, false, &[script.octet(), script.octet()], 0);
                world.go_on(1, ticks);
            }
            // Anything at all.
            14 => {
                let (sequence, timestamp) = (world.sequence, world.timestamp);
                world.sequence = script.number();
                world.timestamp = u32::from(script.number()) << 16 | u32::from(script.number());
                let length = usize::from(script.number()) % 3_000;
                let octets = script.take(length);
                let kind = [PacketKind::Sound, PacketKind::Redundant, PacketKind::ComfortNoise][length % 3];
                world.insert(kind, length % 2 == 0, octets, u64::from(script.number()) * MS);
                if length % 5 != 0 {
                    (world.sequence, world.timestamp) = (sequence, timestamp);
                }
            }
            15 => {
                let at = usize::from(script.octet());
                if let Some(damaged) = payload.get_mut(at) {
                    *damaged = script.octet();
                }
                payload.truncate(usize::from(script.number()));
                world.insert(PacketKind::Sound, true, &payload, 0);
                world.go_on(1, ticks);
            }
            16..=18 => world.pull(usize::from(script.number()) % LONGEST_PULL, 10 * MS),
            19 | 20 => {
                let ten_ms = kind.sample_rate() as usize / 100;
                (0..script.octet() % 32).for_each(|_| world.pull(ten_ms, 10 * MS));
            }
            21 => world.now_ns = world.now_ns.saturating_add(u64::from(script.number()) * 4 * MS),
            22 => assert_no_alloc(|| world.playout.reset()),
            _ => {
                let decoder = decoder();
                let old = assert_no_alloc(|| world.playout.set_decoder(decoder));
                assert!(old.is_ok());
            }
        }
    }
    let (mut outcome, stats) = (world.outcome, playout.stats());
    let made = stats.samples_decoded + stats.samples_concealed + stats.samples_noise + stats.samples_silence;
    assert_eq!(stats.samples_total, made);
    outcome.accepted = stats.samples_decoded > 0;
    outcome
}

struct World<'a> {
    playout: &'a mut Playout,
    samples: &'a AtomicUsize,
    /// Samples that a pull may decode more than it plays.
    beyond: usize,
    now_ns: u64,
    sequence: u16,
    timestamp: u32,
    block: Vec<i16>,
    outcome: Outcome,
}

impl World<'_> {
    fn go_on(&mut self, packets: u16, ticks: u32) {
        self.sequence = self.sequence.wrapping_add(packets);
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }

    fn insert(&mut self, kind: PacketKind, marker: bool, payload: &[u8], late_ns: u64) {
        let packet = PlayoutPacket {
            kind,
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker,
            payload,
            arrival_ns: self.now_ns.saturating_sub(late_ns),
        };
        let before = self.samples.load(Ordering::Relaxed);
        let playout = &mut *self.playout;
        let fate = assert_no_alloc(|| playout.insert(packet));
        assert_eq!(self.samples.load(Ordering::Relaxed), before, "nothing is decoded before it is played");
        self.outcome.saw(match fate {
            Insert::Queued => 1,
            Insert::Late => 2,
            Insert::Duplicate => 3,
            Insert::Spare => 4,
            Insert::Overflow => 5,
            Insert::Malformed => 6,
            Insert::Reset(_) => 7,
        });
    }

    fn pull(&mut self, length: usize, lasts_ns: u64) {
        let before = self.samples.load(Ordering::Relaxed);
        let (playout, block, now_ns) = (&mut *self.playout, &mut self.block[..length], self.now_ns);
        let pulled = assert_no_alloc(|| playout.pull(now_ns, block));
        let parts = pulled.decoded + pulled.concealed + pulled.noise + pulled.silence;
        assert_eq!(parts as usize, length, "{pulled:?}");
        let decoded = self.samples.load(Ordering::Relaxed) - before;
        assert!(
            decoded <= 2 * length + self.beyond,
            "{decoded} samples decoded for {length}, {} more allowed: {pulled:?}",
            self.beyond
        );
        self.now_ns = self.now_ns.saturating_add(lasts_ns);
        let part = |count: u32| u64::from(count > 0);
        self.outcome.saw(
            part(pulled.decoded)
                | part(pulled.concealed) << 1
                | part(pulled.noise) << 2
                | part(pulled.silence) << 3
                | part(pulled.expanded) << 4
                | part(pulled.accelerated) << 5,
        );
    }
}
