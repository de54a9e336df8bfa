//! One card: what it offers, its clock, and its open streams.
//! In: frames that become due. Out: callbacks with exact time stamps.
//! Not here: which cards there are (`lib.rs`), cpal's traits (`host.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cpal::{
    Data, Error, FromSample, I24, InputCallbackInfo, InputStreamTimestamp, OutputCallbackInfo,
    OutputStreamTimestamp, Sample, SampleFormat, SizedSample, StreamConfig, StreamInstant, U24,
};

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the card.
    Capture = 0,
    /// To the card.
    Playback = 1,
}

/// What a card is made like.
#[derive(Clone, Debug)]
pub struct CardSpec {
    /// Its name, and its identifier.
    pub name: String,
    /// Channels it captures; 0 if it does not.
    pub inputs: u16,
    /// Channels it plays; 0 if it does not.
    pub outputs: u16,
    /// Its rates, Hz.
    pub rates: Vec<u32>,
    /// Its sample type.
    pub format: SampleFormat,
    /// The sizes of callbacks that it permits, frames.
    pub periods: (u32, u32),
    /// How far its clock is from nominal, in millionths.
    pub drift_ppm: f64,
    /// Frames between a callback and the card's ears or mouth, beside the period itself.
    pub latency: u32,
    /// Callbacks of changing odd sizes instead of the period asked for.
    pub is_odd: bool,
    /// Whether dropping a stream hangs until the card is plugged in again. (A second, at most.)
    pub hangs: bool,
}

impl CardSpec {
    /// A stereo card of floats at 48 kHz, both ways.
    pub fn new(name: &str) -> CardSpec {
        CardSpec {
            name: name.to_owned(),
            inputs: 2,
            outputs: 2,
            rates: vec![48_000],
            format: SampleFormat::F32,
            periods: (16, 48_000),
            drift_ppm: 0.0,
            latency: 0,
            is_odd: false,
            hangs: false,
        }
    }

    /// Whether it faces that way.
    pub fn has(&self, way: Way) -> bool {
        self.channels(way) > 0
    }

    pub(crate) fn channels(&self, way: Way) -> u16 {
        match way {
            Way::Capture => self.inputs,
            Way::Playback => self.outputs,
        }
    }
}

/// What a microphone hears: the nth frame, −1 to 1.
type Mouth = Box<dyn FnMut(u64) -> f32 + Send>;

pub(crate) struct Card {
    pub(crate) spec: CardSpec,
    pub(crate) streams: Vec<Open>,
    pub(crate) heard: Vec<f32>,
    pub(crate) mouth: Mouth,
    pub(crate) is_frozen: bool,
    pub(crate) least_period: u32,
}

impl Card {
    pub(crate) fn new(spec: CardSpec) -> Card {
        let rate = f64::from(spec.rates.first().copied().unwrap_or(48_000));
        // 600 Hz at −12 dBFS.
        let mouth = move |n: u64| {
            let phase = (n as f64 * 600.0 / rate).fract();
            0.25 * (std::f64::consts::TAU * phase).sin() as f32
        };
        Card {
            spec,
            streams: Vec::new(),
            heard: Vec::new(),
            mouth: Box::new(mouth),
            is_frozen: false,
            least_period: 0,
        }
    }
}

type Hear = Box<dyn FnMut(&Data, &InputCallbackInfo) + Send>;
type Play = Box<dyn FnMut(&mut Data, &OutputCallbackInfo) + Send>;

pub(crate) enum Callback {
    Capture(Hear),
    Playback(Play),
}

/// Shared with cpal's stream.
#[derive(Default)]
pub(crate) struct Handle {
    pub(crate) is_playing: AtomicBool,
    pub(crate) is_closed: AtomicBool,
}

/// An open stream.
pub(crate) struct Open {
    pub(crate) way: Way,
    pub(crate) error: Box<dyn FnMut(Error) + Send>,
    callback: Callback,
    handle: Arc<Handle>,
    channels: usize,
    rate: f64,
    format: SampleFormat,
    period: u32,
    latency: u32,
    drift_ppm: f64,
    is_odd: bool,
    /// The card's frames up to the end of the next callback since the anchor; those lost with them.
    due: u64,
    anchor_ns: u64,
    size: u32,
    calls: u64,
    position: u64,
}

impl Open {
    pub(crate) fn new(
        (id, now_ns): (u64, u64),
        way: Way,
        spec: &CardSpec,
        config: &StreamConfig,
        period: u32,
        (callback, error): (Callback, Box<dyn FnMut(Error) + Send>),
        handle: Arc<Handle>,
    ) -> Open {
        let mut open = Open {
            way,
            error,
            callback,
            handle,
            channels: usize::from(config.channels),
            rate: f64::from(config.sample_rate),
            format: spec.format,
            period,
            latency: spec.latency,
            drift_ppm: spec.drift_ppm,
            is_odd: spec.is_odd,
            due: 0,
            // Streams do not begin at the same instant.
            anchor_ns: now_ns + id % 7 * 100_000,
            size: 0,
            calls: 0,
            position: 0,
        };
        open.schedule(spec, 0);
        open
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed.load(Ordering::Acquire)
    }

    /// When the next callback is due.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        let ns = self.due as f64 * 1e9 / (self.rate * (1.0 + self.drift_ppm / 1e6));
        self.handle.is_playing.load(Ordering::Acquire).then_some(self.anchor_ns + ns as u64)
    }

    /// Sets the next callback's size and time. Periods below `least` lose half a period in every fourth callback.
    pub(crate) fn schedule(&mut self, spec: &CardSpec, least: u32) {
        self.drift_ppm = spec.drift_ppm;
        self.size = match self.is_odd {
            true => 1 + (self.calls.wrapping_mul(7_919) % u64::from(2 * self.period)) as u32,
            false => self.period,
        };
        self.due += u64::from(self.size);
        if self.period < least && self.calls % 4 == 3 {
            self.lose(u64::from(self.period));
        }
        self.calls += 1;
    }

    pub(crate) fn lose(&mut self, frames: u64) {
        self.due += frames;
        if self.way == Way::Capture {
            self.position += frames;
        }
    }

    /// Counts from here on, so that another drift does not change the past.
    pub(crate) fn anchor(&mut self, now_ns: u64) {
        self.due = u64::from(self.size);
        self.anchor_ns = now_ns;
    }

    /// Makes the callback that is due; what it played.
    pub(crate) fn call(&mut self, now_ns: u64, mouth: Option<&mut Mouth>) -> Vec<f32> {
        match self.format {
            SampleFormat::I8 => self.call_as::<i8>(now_ns, mouth),
            SampleFormat::I16 => self.call_as::<i16>(now_ns, mouth),
            SampleFormat::I24 => self.call_as::<I24>(now_ns, mouth),
            SampleFormat::I32 => self.call_as::<i32>(now_ns, mouth),
            SampleFormat::I64 => self.call_as::<i64>(now_ns, mouth),
            SampleFormat::U8 => self.call_as::<u8>(now_ns, mouth),
            SampleFormat::U16 => self.call_as::<u16>(now_ns, mouth),
            SampleFormat::U24 => self.call_as::<U24>(now_ns, mouth),
            SampleFormat::U32 => self.call_as::<u32>(now_ns, mouth),
            SampleFormat::U64 => self.call_as::<u64>(now_ns, mouth),
            SampleFormat::F64 => self.call_as::<f64>(now_ns, mouth),
            _ => self.call_as::<f32>(now_ns, mouth),
        }
    }

    fn call_as<S>(&mut self, now_ns: u64, mouth: Option<&mut Mouth>) -> Vec<f32>
    where
        S: SizedSample + FromSample<f32>,
        f32: FromSample<S>,
    {
        let frames = self.size as usize;
        let mut samples = vec![S::EQUILIBRIUM; frames * self.channels];
        let length = Duration::from_secs_f64((frames as f64 + f64::from(self.latency)) / self.rate);
        let callback = StreamInstant::new(now_ns / 1_000_000_000, (now_ns % 1_000_000_000) as u32);
        let mut heard = Vec::new();
        match &mut self.callback {
            Callback::Capture(hear) => {
                let capture = callback.checked_sub(length).unwrap_or(StreamInstant::ZERO);
                if let Some(mouth) = mouth {
                    for (n, frame) in samples.chunks_exact_mut(self.channels).enumerate() {
                        frame.fill(S::from_sample(mouth(self.position + n as u64)));
                    }
                }
                let info = InputCallbackInfo::new(InputStreamTimestamp { callback, capture });
                with_data(&mut samples, self.format, |data| hear(data, &info));
            }
            Callback::Playback(play) => {
                let playback = callback.checked_add(length).unwrap_or(callback);
                let info = OutputCallbackInfo::new(OutputStreamTimestamp { callback, playback });
                with_data(&mut samples, self.format, |data| play(data, &info));
                let first = samples.chunks_exact(self.channels).filter_map(|frame| frame.first());
                heard.extend(first.map(|sample| f32::from_sample(*sample)));
            }
        }
        self.position += frames as u64;
        heard
    }
}

/// Lends samples to a callback in cpal's clothes.
#[expect(unsafe_code, reason = "cpal has no other way in for a host")]
fn with_data<S: SizedSample>(samples: &mut [S], format: SampleFormat, work: impl FnOnce(&mut Data)) {
    assert_eq!(S::FORMAT, format);
    // SAFETY: the pointer and the length are those of one live, exclusively borrowed slice of initialised `S`; `format`
    // is the format of `S`, as asserted; `data` does not leave this function, so it ends before the borrow does.
    let mut data = unsafe { Data::from_parts(samples.as_mut_ptr().cast(), samples.len(), format) };
    work(&mut data);
}
