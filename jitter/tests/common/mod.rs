//! A sender, a network and a receiver for the tests: seeded, on a virtual clock.
//! In: arrivals. Out: what was heard, pull by pull.

#![allow(dead_code, reason = "each test binary uses its own part")]

use offhook_codecs::CodecKind;
use offhook_jitter::{PacketKind, Playout, PlayoutConfig, PlayoutPacket, PlayoutStats, Pulled};

pub(crate) const RATE: usize = 8_000;
pub(crate) const MS: u64 = 1_000_000;

/// A small generator of random numbers (xorshift64*), the same on every machine.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Even over 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Something like speech: a voice whose pitch and loudness wander, with pauses of faint noise. PCM µ-law can hold:
/// what is encoded is what is decoded.
pub(crate) fn speech(samples: usize) -> Vec<i16> {
    let mut random = Random(7);
    let mut phase = 0.0f64;
    let pcm: Vec<i16> = (0..samples)
        .map(|n| {
            let t = n as f64 / RATE as f64;
            phase += (130.0 + 30.0 * (t * 1.7).sin()) / RATE as f64;
            let loud = (2.2 * (t * 2.9).sin()).clamp(0.0, 1.0) * (1.0 + 0.3 * (t * 11.0).sin());
            let voice: f64 =
                (1..12).map(|k| (std::f64::consts::TAU * phase * f64::from(k)).sin() / f64::from(k)).sum();
            (loud * 5_000.0 * voice + 60.0 * (random.unit() - 0.5)) as i16
        })
        .collect();
    let mut octets = vec![0; samples];
    let mut back = vec![0; samples];
    CodecKind::Pcmu.encoder().unwrap().encode(&pcm, &mut octets).unwrap();
    CodecKind::Pcmu.decoder().unwrap().decode(&octets, &mut back).unwrap();
    back
}

/// A packet on its way.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
    pub(crate) arrival_ns: u64,
}

/// Cuts `source` into packets of `packet` samples, the first numbered `sequence` and `timestamp`; packet n leaves when
/// its sound is complete and arrives `transit(n)` nanoseconds later (`None`: lost).
pub(crate) fn packets(
    source: &[i16],
    packet: usize,
    (sequence, timestamp): (u16, u32),
    mut transit: impl FnMut(usize) -> Option<u64>,
) -> Vec<Arrival> {
    let mut arrivals: Vec<Arrival> = source
        .chunks_exact(packet)
        .enumerate()
        .filter_map(|(n, pcm)| {
            let mut payload = vec![0; packet];
            CodecKind::Pcmu.encoder().unwrap().encode(pcm, &mut payload).unwrap();
            let sent_ns = ((n + 1) * packet) as u64 * 1_000_000_000 / RATE as u64;
            Some(Arrival {
                sequence: sequence.wrapping_add(n as u16),
                timestamp: timestamp.wrapping_add((n * packet) as u32),
                payload,
                arrival_ns: sent_ns + transit(n)?,
            })
        })
        .collect();
    arrivals.sort_by_key(|arrival| arrival.arrival_ns);
    arrivals
}

/// What a receiver heard.
pub(crate) struct Heard {
    pub(crate) samples: Vec<i16>,
    pub(crate) pulls: Vec<Pulled>,
    pub(crate) stats: PlayoutStats,
}

pub(crate) fn playout(config: PlayoutConfig) -> Playout {
    Playout::new(config, CodecKind::Pcmu.decoder().unwrap()).unwrap()
}

/// Feeds the arrivals and pulls `pull(n)` samples at a time from time 0 until `until_ns`, by a clock of `ppm`.
pub(crate) fn run(
    playout: &mut Playout,
    arrivals: &[Arrival],
    until_ns: u64,
    ppm: f64,
    mut pull: impl FnMut(usize) -> usize,
) -> Heard {
    let mut heard = Heard { samples: Vec::new(), pulls: Vec::new(), stats: PlayoutStats::default() };
    let mut waiting = arrivals.iter().peekable();
    loop {
        let now = heard.samples.len() as f64 * 1e9 / RATE as f64 / (1.0 + ppm * 1e-6);
        let now_ns = now.round() as u64;
        if now_ns >= until_ns {
            heard.stats = playout.stats();
            return heard;
        }
        while let Some(arrival) = waiting.next_if(|arrival| arrival.arrival_ns <= now_ns) {
            playout.insert(PlayoutPacket {
                sequence: arrival.sequence,
                timestamp: arrival.timestamp,
                kind: PacketKind::Sound,
                marker: false,
                payload: &arrival.payload,
                arrival_ns: arrival.arrival_ns,
            });
        }
        let mut block = vec![0x5A5A; pull(heard.pulls.len())];
        let pulled = playout.pull(now_ns, &mut block);
        assert_eq!(
            (pulled.decoded + pulled.concealed + pulled.noise + pulled.silence) as usize,
            block.len(),
            "a pull is made of its parts: {pulled:?}"
        );
        heard.samples.extend_from_slice(&block);
        heard.pulls.push(pulled);
    }
}
