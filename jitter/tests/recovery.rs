//! What stands in for packets: the sender's silence, copies, what the next packet carries, the codec's own concealment.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{MS, RATE, packets, playout, run, speech};
use offhook_codecs::{CodecError, CodecKind, Decoder};
use offhook_jitter::{Insert, PacketKind, Playout, PlayoutConfig, PlayoutPacket};

const PACKET: usize = 160;

fn config() -> PlayoutConfig {
    PlayoutConfig::for_codec(CodecKind::Pcmu)
}

/// A µ-law decoder whose packets carry the one before as well, which may conceal by itself, and which counts what it is
/// told.
struct Rich {
    inner: Box<dyn Decoder + Send>,
    conceals: Option<i16>,
    told: Arc<AtomicUsize>,
}

impl Decoder for Rich {
    fn kind(&self) -> CodecKind {
        CodecKind::Pcmu
    }

    fn payload_samples(&self, payload: &[u8]) -> usize {
        payload.len().min(PACKET)
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        self.inner.decode(&payload[..payload.len().min(PACKET)], out)
    }

    fn conceal(&mut self, out: &mut [i16]) -> bool {
        assert_eq!(out.len(), PACKET, "a codec is asked for whole packets");
        self.conceals.inspect(|level| out.fill(*level)).is_some()
    }

    fn recover_lost(&mut self, next_payload: &[u8], out: &mut [i16]) -> bool {
        next_payload
            .get(PACKET..)
            .is_some_and(|before| before.len() == out.len() && self.inner.decode(before, out).is_ok())
    }

    fn concealed(&mut self, pcm: &[i16]) {
        self.told.fetch_add(pcm.len(), Ordering::Relaxed);
    }
}

fn rich(config: PlayoutConfig, conceals: Option<i16>) -> (Playout, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let inner = CodecKind::Pcmu.decoder().unwrap();
    let decoder = Rich { inner, conceals, told: Arc::clone(&told) };
    (Playout::new(config, Box::new(decoder)).unwrap(), told)
}

#[test]
fn a_sender_that_describes_its_silence_is_heard_as_noise_and_nothing_is_missing() {
    let source = speech(RATE * 12);
    // Speech until 2 s; then its description, told again after a second; speech from 4 s.
    let mut playout = playout(config());
    let mut sent = packets(&source, PACKET, (0, 0), |n| {
        (n < 100 || n == 101 || n == 150 || n >= 200).then_some(20 * MS + n as u64 % 3 * MS)
    });
    for (n, packet) in sent.iter_mut().enumerate() {
        packet.sequence = n as u16;
    }
    let (mut concealed, mut noise, mut heard) = (0, Vec::new(), Vec::new());
    let mut waiting = sent.iter().peekable();
    for tick in 0..1_150u64 {
        let now = tick * 10 * MS;
        while let Some(packet) = waiting.next_if(|packet| packet.arrival_ns <= now) {
            let is_description = matches!(packet.timestamp, 16_160 | 24_000);
            let (kind, payload) = match is_description {
                true => (PacketKind::ComfortNoise, &[50, 127][..]),
                false => (PacketKind::Sound, &packet.payload[..]),
            };
            let fate = playout.insert(PlayoutPacket {
                kind,
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                marker: false,
                payload,
                arrival_ns: packet.arrival_ns,
            });
            assert_eq!(fate, Insert::Queued);
        }
        let mut block = [0; 80];
        let pulled = playout.pull(now, &mut block);
        concealed += pulled.concealed;
        if pulled.noise == 80 {
            noise.extend_from_slice(&block);
        }
        heard.extend_from_slice(&block);
    }
    let stats = playout.stats();
    // One packet lies between the last of speech and the description.
    assert!(concealed <= 200, "{stats:?}");
    assert!((15_400..16_400).contains(&stats.samples_noise), "{stats:?}");
    assert_eq!((stats.samples_muted, stats.packets_late, stats.resets), (0, 0, 0));
    let power = noise.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / noise.len() as f64;
    let decibels = 10.0 * (power / 32_768f64.powi(2)).log10();
    assert!((decibels + 50.0).abs() < 1.0, "{decibels} dBov");
    let (from, to) = (RATE * 4 + 100, RATE * 11);
    let there = (0..800).find(|delay| heard[from + delay..to + delay] == source[from..to]);
    assert!(there.is_some(), "after the silence the source is heard at one delay");
}

#[test]
fn copies_within_younger_packets_fill_the_holes_of_lost_ones() {
    let source = speech(RATE * 20);
    let is_lost = |n: usize| n % 10 == 7;
    let all = packets(&source, PACKET, (65_100, 9), |_| Some(20 * MS));
    let mut playout = playout(config());
    let (mut next, mut fates) = (0, Vec::new());
    let mut late_half = 0;
    for tick in 0..1_900u64 {
        let now = tick * 10 * MS;
        while let Some(packet) = all.get(next).filter(|packet| packet.arrival_ns <= now) {
            if !is_lost(next) {
                let mut insert = |kind, from: &common::Arrival| {
                    playout.insert(PlayoutPacket {
                        kind,
                        sequence: from.sequence,
                        timestamp: from.timestamp,
                        marker: false,
                        payload: &from.payload,
                        arrival_ns: packet.arrival_ns,
                    })
                };
                assert_eq!(insert(PacketKind::Sound, packet), Insert::Queued);
                if let Some(before) = next.checked_sub(1) {
                    fates.push((is_lost(before), insert(PacketKind::Redundant, &all[before])));
                }
            }
            next += 1;
        }
        let pulled = playout.pull(now, &mut [0; 80]);
        late_half += if tick > 950 { pulled.concealed } else { 0 };
    }
    let stats = playout.stats();
    let filled = fates.iter().filter(|fate| **fate == (true, Insert::Queued)).count() as u64;
    assert!(fates.iter().all(|(lost, fate)| *lost || *fate == Insert::Spare));
    assert_eq!(stats.packets_recovered, filled);
    assert!(filled >= 85, "{stats:?}");
    assert_eq!(late_half, 0, "copies are waited for once it is known that they come: {stats:?}");
    assert_eq!((stats.packets_late, stats.packets_duplicate), (0, 0));
}

#[test]
fn what_the_next_packet_carries_of_a_lost_one_is_heard_in_its_place() {
    let source = speech(RATE * 10);
    let mut sent = packets(&source, PACKET, (5, 0), |n| (n % 12 != 11).then_some(20 * MS));
    let whole = packets(&source, PACKET, (5, 0), |_| Some(20 * MS));
    for packet in &mut sent {
        let n = usize::from(packet.sequence - 5);
        let before = n.checked_sub(1).map(|before| whole[before].payload.clone());
        packet.payload.extend(before.unwrap_or_default());
    }
    // The next packet is here when the lost one is due.
    let (mut playout, _) = rich(PlayoutConfig { min_delay_ms: 30, ..config() }, None);
    let heard = run(&mut playout, &sent, 9_500 * MS, 0.0, |_| 80);
    assert_eq!(heard.stats.samples_concealed, 0);
    assert!((37..=40).contains(&heard.stats.packets_recovered), "{:?}", heard.stats);
    let delay = (0..RATE).find(|delay| heard.samples[*delay..delay + 4_000] == source[..4_000]).unwrap();
    assert_eq!(heard.samples[delay..], source[..heard.samples.len() - delay]);
}

#[test]
fn a_codec_that_conceals_does_so_in_whole_packets_and_one_that_predicts_is_told_what_was_heard() {
    let source = speech(RATE * 10);
    let sent = packets(&source, PACKET, (5, 0), |n| (n % 20 != 9).then_some(20 * MS));
    for pull in [40, 80, 120, 160, 441] {
        let (mut own, told) = rich(config(), Some(-77));
        let heard = run(&mut own, &sent, 9_500 * MS, 0.0, |_| pull);
        let concealed = heard.stats.samples_concealed;
        let events = heard.stats.concealment_events;
        assert_eq!((concealed, told.load(Ordering::Relaxed)), (events * PACKET as u64, 0), "pulls of {pull}");
        assert!(heard.samples.windows(PACKET).any(|made| made.iter().all(|x| *x == -77)));
    }
    let (mut predicts, told) = rich(config(), None);
    let heard = run(&mut predicts, &sent, 9_500 * MS, 0.0, |_| 80);
    assert!(heard.stats.samples_concealed > 3_000);
    assert_eq!(told.load(Ordering::Relaxed) as u64, heard.stats.samples_concealed);
}

#[test]
fn g722_whose_timestamps_count_twice_is_played_at_its_speed() {
    let mut playout =
        Playout::new(PlayoutConfig::for_codec(CodecKind::G722), CodecKind::G722.decoder().unwrap()).unwrap();
    let mut out = [0; 160];
    for n in 0..500u64 {
        if n % 2 == 0 {
            let packet = n / 2;
            let insert = playout.insert(PlayoutPacket {
                sequence: packet as u16,
                timestamp: (packet * 320) as u32,
                kind: PacketKind::Sound,
                marker: false,
                payload: &[0x5A; 160],
                arrival_ns: n * 10 * MS,
            });
            assert!(matches!(insert, Insert::Queued | Insert::Reset(_)), "{insert:?}");
        }
        playout.pull(n * 10 * MS, &mut out);
    }
    let stats = playout.stats();
    assert_eq!(stats.resets, 1);
    assert!(stats.samples_concealed + stats.samples_silence < 16_000 / 5, "{stats:?}");
    assert!(stats.max_delay_us < 200_000, "{stats:?}");
}
