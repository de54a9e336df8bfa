//! Endpoints on a virtual clock: a clip that plays, a recorder that listens, a link between.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;

use offhook_codecs::CodecKind;
use offhook_engine::simulate::{Clock, Driver, LinkRx, LinkTx, Party};
use offhook_engine::{
    ClipFeeder, Control, EngineConfig, Gain, Leg, Peer, Recorder, RxCommand, RxFormat, SenderIdentity,
    TxCommand, TxFormat, split,
};

pub(crate) const MS: u64 = 1_000_000;

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Noise bursts in the rhythm of syllables, with pauses; never louder than −6 dBFS.
pub(crate) fn speech(seconds: usize, mut seed: u32) -> Vec<i16> {
    let mut low = 0.0;
    (0..seconds * 8_000)
        .map(|n| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            low += 0.3 * (f64::from((seed >> 16) as i16) - low);
            let syllable = (n as f64 / 8_000.0 * 3.1 * std::f64::consts::TAU).sin().max(0.0);
            (0.45 * low * syllable) as i16
        })
        .collect()
}

/// A voice: harmonics below 3.2 kHz of a pitch that wanders, in the rhythm of syllables with pauses; at any rate.
pub(crate) fn voice(seconds: usize, rate: u32, seed: u32) -> Vec<i16> {
    let mut phase = 0.0;
    let drift = 0.7 + f64::from(seed % 10) / 20.0;
    (0..seconds * rate as usize)
        .map(|n| {
            let t = n as f64 / f64::from(rate);
            let pitch = 140.0 + 40.0 * (t * drift * std::f64::consts::TAU).sin();
            phase += pitch / f64::from(rate) * std::f64::consts::TAU;
            let syllable = (t * 3.1 * std::f64::consts::TAU).sin().max(0.0);
            let sum: f64 = (1..=16).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum();
            (5_000.0 * syllable * sum) as i16
        })
        .collect()
}

/// What a codec makes of samples.
pub(crate) fn through(kind: CodecKind, pcm: &[i16]) -> Vec<i16> {
    let (mut encoder, mut decoder) = (kind.encoder().unwrap(), kind.decoder().unwrap());
    let mut out = Vec::new();
    for block in pcm.chunks(160) {
        let (mut octets, mut samples) = ([0; 160], [0; 160]);
        let n = encoder.encode(block, &mut octets).unwrap();
        let n = decoder.decode(&octets[..n], &mut samples).unwrap();
        out.extend_from_slice(&samples[..n]);
    }
    out
}

/// One side of a call.
pub(crate) struct Endpoint {
    pub(crate) control: Control,
    pub(crate) feeder: ClipFeeder,
    pub(crate) recorder: Recorder,
    pub(crate) heard: Vec<i16>,
}

pub(crate) struct Setup {
    pub(crate) kind: CodecKind,
    pub(crate) packet_ms: u32,
    pub(crate) clip: Vec<i16>,
    pub(crate) peer: Peer,
    pub(crate) ssrc: u32,
    pub(crate) config: EngineConfig,
}

impl Setup {
    pub(crate) fn new(clip: Vec<i16>, peer: &str, ssrc: u32) -> Setup {
        Setup {
            kind: CodecKind::Pcmu,
            packet_ms: 20,
            clip,
            peer: Peer::Address(at(peer).ip()),
            ssrc,
            config: EngineConfig::new(8_000),
        }
    }

    /// Builds the endpoint and tells both halves everything, start included.
    pub(crate) fn build(self, network: (LinkTx, LinkRx)) -> (Endpoint, Leg) {
        let identity =
            SenderIdentity { ssrc: self.ssrc, first_sequence_number: 65_533, first_timestamp: 0xFFFF_FF00 };
        let (mut control, tx, rx) = split(EngineConfig { sender: identity, ..self.config });
        let mut clip = self.clip.into_iter();
        let reader = Box::new(move |out: &mut [i16]| {
            out.iter_mut().zip(&mut clip).map(|(out, sample)| *out = sample).count()
        });
        let (feeder, source) = ClipFeeder::new(reader, 4_000);
        let (recorder, sink) = Recorder::new(4_000);
        let payload_type = self.kind.payload_type().unwrap_or(96);
        let rate = self.config.sample_rate;
        control.tx(TxCommand::SetTransport(Box::new(network.0))).unwrap();
        control
            .tx(TxCommand::SetFormat(Box::new(
                TxFormat::new(self.kind, payload_type, self.packet_ms).unwrap().at_rate(rate).unwrap(),
            )))
            .unwrap();
        control.add_source(Box::new(source), Gain::UNITY).ok().unwrap();
        control.tx(TxCommand::Start).unwrap();
        control.rx(RxCommand::SetTransport(Box::new(network.1))).unwrap();
        control.rx(RxCommand::SetPeer(self.peer)).unwrap();
        control
            .rx(RxCommand::SetFormat(Box::new(
                RxFormat::new(self.kind, payload_type).unwrap().at_rate(rate).unwrap(),
            )))
            .unwrap();
        control.add_sink(Box::new(sink)).ok().unwrap();
        control.rx(RxCommand::Start).unwrap();
        (Endpoint { control, feeder, recorder, heard: Vec::new() }, Leg { tx: Some(tx), rx: Some(rx) })
    }
}

impl Endpoint {
    /// What control does from time to time.
    pub(crate) fn pump(&mut self) {
        self.feeder.pump();
        let heard = &mut self.heard;
        self.recorder.drain(&mut |samples| heard.extend_from_slice(samples));
        self.control.collect();
    }
}

/// Two endpoints and their driver.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) driver: Driver,
    pub(crate) ends: Vec<Endpoint>,
}

impl World {
    pub(crate) fn new() -> World {
        let clock = Clock::new(1_000_000 * MS);
        World { driver: Driver::new(&clock), clock, ends: Vec::new() }
    }

    pub(crate) fn add(&mut self, setup: Setup, network: (LinkTx, LinkRx), party: Party) {
        let (end, leg) = setup.build(network);
        self.ends.push(end);
        self.driver.add(leg, party);
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        let ends = &mut self.ends;
        self.driver.run_for(ms * MS, &mut |_| ends.iter_mut().for_each(Endpoint::pump));
    }
}

/// The greatest step between two samples.
pub(crate) fn steepest(samples: &[i16]) -> i32 {
    samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
}
