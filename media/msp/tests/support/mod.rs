//! A hand-written TSP and application: two MSP addresses that talk over loopback sockets.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use offhook_msp::{Msp, MspConfig};
use offhook_pair::{Channel, ChannelId, Codec, Flow, Session, ToMsp, ToTsp};
use offhook_spi::mspi::{Direction, StreamStatistics, TerminalClass, TerminalStatus};
use offhook_spi::{
    MediaTypes, MspAddress, MspCallEvent, MspCallId, MspError, MspEvent, MspEventCause, MspSignal, Mspi,
    Opaque, StreamId, TerminalId,
};

pub(crate) const LOOPBACK: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[derive(Default)]
pub(crate) struct Bell(pub(crate) AtomicU64);

impl MspSignal for Bell {
    fn events_ready(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// One end: a provider, an address and one call.
pub(crate) struct End {
    pub(crate) msp: Arc<dyn MspAddress>,
    pub(crate) call: MspCallId,
    pub(crate) capture: StreamId,
    pub(crate) render: StreamId,
    pub(crate) bell: Arc<Bell>,
    pub(crate) trace: Vec<MspEvent>,
}

impl End {
    pub(crate) fn new() -> Self {
        Self::with(MspConfig::default())
    }

    pub(crate) fn with(config: MspConfig) -> Self {
        let provider = Msp::new(config).unwrap();
        let bell = Arc::new(Bell::default());
        let msp = provider.create_address(bell.clone()).unwrap();
        let call = msp.create_msp_call(MediaTypes::AUDIO).unwrap();
        let streams = msp.streams(call).unwrap();
        let id = |direction| streams.iter().find(|s| s.direction == direction).unwrap().id;
        let (capture, render) = (id(Direction::Capture), id(Direction::Render));
        Self { msp, call, capture, render, bell, trace: Vec::new() }
    }

    pub(crate) fn tell(&self, message: &ToMsp) -> Result<(), MspError> {
        self.msp.receive_tsp_data(Some(self.call), &Opaque::new(message.encode()).unwrap())
    }

    /// Asks for ports; what the MSP has.
    pub(crate) fn prepare(&mut self) -> Session {
        self.tell(&ToMsp::Prepare { peer: LOOPBACK }).unwrap();
        match self.answer() {
            Some(ToTsp::Prepared { sessions }) => sessions.into_iter().next().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The next buffer for the TSP among the events so far.
    pub(crate) fn answer(&mut self) -> Option<ToTsp> {
        self.collect();
        let index = self.trace.iter().position(|event| matches!(event, MspEvent::TspData { .. }))?;
        match self.trace.remove(index) {
            MspEvent::TspData { call, data } => {
                assert_eq!(call, Some(self.call));
                Some(ToTsp::decode(data.as_bytes()).unwrap())
            }
            _ => None,
        }
    }

    pub(crate) fn collect(&mut self) {
        self.trace.extend(std::iter::from_fn(|| self.msp.next_event()));
    }

    /// What happened to streams and terminals so far, in order.
    pub(crate) fn events(&mut self) -> Vec<(MspCallEvent, MspEventCause, Option<StreamId>)> {
        self.collect();
        self.trace
            .iter()
            .filter_map(|event| match event {
                MspEvent::Call { event, cause, stream, .. } => Some((*event, *cause, *stream)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn terminal(&self, class: TerminalClass) -> TerminalId {
        let direction = match class {
            TerminalClass::FileRecord { .. } => Direction::Render,
            _ => Direction::Capture,
        };
        self.msp.create_terminal(class, direction).unwrap().id
    }

    pub(crate) fn null(&self, direction: Direction) -> TerminalId {
        self.msp.create_terminal(TerminalClass::Null, direction).unwrap().id
    }

    pub(crate) fn play(&self, path: &Path) -> TerminalId {
        let terminal = self.terminal(TerminalClass::FilePlayback { path: path.to_owned(), repeat: false });
        self.msp.select_terminal(self.capture, terminal).unwrap();
        terminal
    }

    pub(crate) fn record(&self, path: &Path) -> TerminalId {
        let terminal = self.terminal(TerminalClass::FileRecord { path: path.to_owned() });
        self.msp.select_terminal(self.render, terminal).unwrap();
        terminal
    }

    pub(crate) fn tone(&self, frequency: f32) -> TerminalId {
        let terminal = self.terminal(TerminalClass::Tone { frequency, level: -10.0 });
        self.msp.select_terminal(self.capture, terminal).unwrap();
        terminal
    }

    pub(crate) fn status(&self, terminal: TerminalId) -> TerminalStatus {
        self.msp.terminal_status(terminal).unwrap()
    }

    pub(crate) fn sent(&self) -> StreamStatistics {
        self.msp.stream_statistics(self.capture).unwrap()
    }

    pub(crate) fn received(&self) -> StreamStatistics {
        self.msp.stream_statistics(self.render).unwrap()
    }
}

pub(crate) const TRANSMIT: ChannelId = ChannelId { session: 1, flow: Flow::Transmit };
pub(crate) const RECEIVE: ChannelId = ChannelId { session: 1, flow: Flow::Receive };

pub(crate) fn transmit(codec: Codec, to: &Session) -> Channel {
    transmit_to(codec, to.rtp, Some(to.rtcp))
}

pub(crate) fn transmit_to(codec: Codec, rtp: SocketAddr, rtcp: Option<SocketAddr>) -> Channel {
    Channel {
        id: TRANSMIT,
        codec,
        payload_type: payload_type(codec),
        packet_ms: 20,
        remote_rtp: Some(rtp),
        remote_rtcp: rtcp,
        telephone_event: None,
        comfort_noise: false,
        max_bit_rate: None,
        redundancy: None,
    }
}

pub(crate) fn receive(codec: Codec) -> Channel {
    Channel {
        id: RECEIVE,
        codec,
        payload_type: payload_type(codec),
        packet_ms: 20,
        remote_rtp: None,
        remote_rtcp: None,
        telephone_event: None,
        comfort_noise: false,
        max_bit_rate: None,
        redundancy: None,
    }
}

fn payload_type(codec: Codec) -> u8 {
    if codec == Codec::Pcmu { 0 } else { 8 }
}

/// Opens both channels at both ends.
pub(crate) fn join(a: &mut End, b: &mut End, codec: Codec) -> (Session, Session) {
    let (at_a, at_b) = (a.prepare(), b.prepare());
    a.tell(&ToMsp::Start(vec![receive(codec), transmit(codec, &at_b)])).unwrap();
    b.tell(&ToMsp::Start(vec![transmit(codec, &at_a), receive(codec)])).unwrap();
    (at_a, at_b)
}

/// Waits until `condition` holds, half a minute at most: a busy machine takes its time over a sound server.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// A file of 16-bit mono noise-like speech at `rate`; its samples.
pub(crate) fn write_sound(path: &Path, rate: u32, seconds: f64) -> Vec<i16> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    let count = (f64::from(rate) * seconds) as u32;
    let mut state = 1u32;
    let (mut low, mut samples) = (0.0f64, Vec::new());
    for n in 0..count {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(state >> 16) / 32_768.0 - 1.0;
        low += 0.3 * (noise - low);
        let envelope = 0.5 + 0.5 * (f64::from(n) * 25.0 / f64::from(rate)).sin();
        let sample = (low * envelope * 20_000.0) as i16;
        writer.write_sample(sample).unwrap();
        samples.push(sample);
    }
    writer.finalize().unwrap();
    samples
}

pub(crate) fn read_sound(path: &Path) -> Vec<i16> {
    let mut reader = hound::WavReader::open(path).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.bits_per_sample, spec.sample_rate), (1, 16, 8_000));
    reader.samples::<i16>().map(Result::unwrap).collect()
}

pub(crate) fn level_dbfs(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len().max(1) as f64;
    10.0 * (power / 32_768f64.powi(2)).max(1e-12).log10()
}

/// Strength of one frequency in dBFS in the middle one of pieces of 50 ms, however the others broke.
pub(crate) fn usual_tone_dbfs(samples: &[i16], hz: f64) -> f64 {
    let mut pieces: Vec<_> = samples.chunks_exact(400).map(|piece| tone_dbfs(piece, hz, 8_000.0)).collect();
    pieces.sort_by(f64::total_cmp);
    pieces.get(pieces.len() / 2).copied().unwrap_or(-120.0)
}

/// Strength of one frequency in dBFS (Goertzel).
pub(crate) fn tone_dbfs(samples: &[i16], hz: f64, rate: f64) -> f64 {
    let w = std::f64::consts::TAU * hz / rate;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let value = f64::from(*sample) / 32_768.0;
        re += value * (w * n as f64).cos();
        im += value * (w * n as f64).sin();
    }
    let amplitude = 2.0 * (re * re + im * im).sqrt() / samples.len().max(1) as f64;
    20.0 * amplitude.max(1e-6).log10()
}
