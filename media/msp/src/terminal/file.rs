//! Plays a WAV file into a call: any rate, any number of channels, 8 to 32 bits or floats.
//! In: a path; pumps of the disk's thread. Out: a source at the call's rate, a status.
//!
//! ```text
//! file ─ hound ─ mono, 16 bits ─ resample ─▶ ClipFeeder ─ ring ─▶ engine
//!                (an odd rate: by straight lines to 192 kHz first, whose images the resampler then removes)
//! ```
//!
//! Each selection begins with the file's first sample, and sample 0 is not played before the stream runs.
//! Not here: the ring (`offhook-engine`), resampling (`offhook-codecs`).

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hound::{SampleFormat, WavReader};
use offhook_codecs::Resampler;
use offhook_codecs::resample::RATES;
use offhook_engine::{ClipFeeder, SampleReader, Source};
use offhook_spi::mspi::TerminalStatus;
use offhook_spi::{MspError, Timestamp};

use super::Context;
use crate::lock;
use crate::service::Served;

/// Frames read from the file at once.
const CHUNK: usize = 512;
/// The rate to which odd rates are brought first.
const ODD_RATE: u32 = 192_000;
/// The lowest rate that makes sense.
const LOWEST_RATE: u32 = 1_000;

/// A file to be played.
pub(crate) struct Playback {
    path: PathBuf,
    repeat: bool,
    sample_rate: u32,
    state: Mutex<State>,
    trouble: Arc<Mutex<Option<String>>>,
}

struct State {
    /// Opened when the terminal was made, for the first selection.
    ready: Option<WavClip>,
    feeder: Option<ClipFeeder>,
    is_told: bool,
    context: Option<Context>,
}

impl Playback {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// [`MspError::Resource`] naming the file.
    pub(crate) fn open(path: PathBuf, repeat: bool, sample_rate: u32) -> Result<Self, MspError> {
        let trouble = Arc::new(Mutex::new(None));
        let ready = WavClip::open(&path, repeat, sample_rate, &trouble)?;
        let state = Mutex::new(State { ready: Some(ready), feeder: None, is_told: false, context: None });
        Ok(Self { path, repeat, sample_rate, state, trouble })
    }

    /// What the peer hears, from the first sample on; `context` is told of a failure.
    pub(crate) fn source(&self, context: Context) -> Result<Box<dyn Source>, MspError> {
        let mut state = lock(&self.state);
        let clip = match state.ready.take() {
            Some(clip) => clip,
            None => {
                *lock(&self.trouble) = None;
                WavClip::open(&self.path, self.repeat, self.sample_rate, &self.trouble)?
            }
        };
        let (feeder, source) = ClipFeeder::new(Box::new(clip), self.sample_rate as usize / 2);
        *state = State { ready: None, feeder: Some(feeder), is_told: false, context: Some(context) };
        Ok(Box::new(source))
    }

    /// The source has left the engine.
    pub(crate) fn detach(&self) {
        let mut state = lock(&self.state);
        state.context = None;
        let silent = state.feeder.as_ref().map_or(0, |feeder| feeder.meters().underrun_samples);
        if silent > 0 {
            tracing::warn!(path = %self.path.display(), silent, "the disk was too slow: samples were sent as silence");
        }
    }

    pub(crate) fn status(&self) -> TerminalStatus {
        let state = lock(&self.state);
        let meters = state.feeder.as_ref().map(ClipFeeder::meters);
        TerminalStatus {
            first_sample_at: meters.and_then(|m| m.first_sample_ns).map(Timestamp),
            samples: meters.map_or(0, |m| m.samples),
            sample_rate: self.sample_rate,
            finished: meters.is_some_and(|m| m.is_over),
            failed: lock(&self.trouble).clone(),
            ..TerminalStatus::default()
        }
    }
}

impl Served for Playback {
    fn turn(&self) {
        let mut state = lock(&self.state);
        if state.context.is_none() {
            return;
        }
        if let Some(feeder) = &mut state.feeder {
            feeder.pump();
        }
        if state.is_told || lock(&self.trouble).is_none() {
            return;
        }
        state.is_told = true;
        let context = state.context.clone();
        drop(state);
        if let Some(mut context) = context {
            context.terminal_failed();
        }
    }
}

/// A WAV file as mono samples at the call's rate.
struct WavClip {
    reader: WavReader<BufReader<File>>,
    path: PathBuf,
    repeat: bool,
    odd: Option<StraightLines>,
    resampler: Resampler,
    mono: Vec<i16>,
    /// Resampled and not yet handed on.
    out: Vec<i16>,
    given: usize,
    is_flushed: bool,
    trouble: Arc<Mutex<Option<String>>>,
}

impl WavClip {
    fn open(
        path: &Path,
        repeat: bool,
        to: u32,
        trouble: &Arc<Mutex<Option<String>>>,
    ) -> Result<Self, MspError> {
        let refused = |why: String| MspError::Resource(format!("{}: {why}", path.display()));
        // A pipe would be waited for here and could not be rewound.
        let about = std::fs::metadata(path).map_err(|why| refused(why.to_string()))?;
        if !about.is_file() {
            return Err(refused("not a file that can be played".to_owned()));
        }
        let reader = WavReader::open(path).map_err(|why| refused(unreadable(&why)))?;
        let spec = reader.spec();
        let is_known = match spec.sample_format {
            SampleFormat::Int => matches!(spec.bits_per_sample, 8 | 16 | 24 | 32),
            SampleFormat::Float => spec.bits_per_sample == 32,
        };
        if !is_known || spec.channels == 0 {
            return Err(refused(format!(
                "WAV of {} channels and {} bits is not supported; 8 to 32 bits and 32-bit floats are",
                spec.channels, spec.bits_per_sample
            )));
        }
        let from = spec.sample_rate;
        let odd = (!RATES.contains(&from)).then(|| StraightLines::new(from));
        let rates = LOWEST_RATE..=ODD_RATE;
        let resampler = Resampler::new(if odd.is_some() { ODD_RATE } else { from }, to)
            .ok()
            .filter(|_| rates.contains(&from))
            .ok_or_else(|| refused(format!("a rate of {from} Hz cannot be played; 1 to 192 kHz can")))?;
        Ok(Self {
            reader,
            path: path.to_owned(),
            repeat,
            odd,
            resampler,
            mono: Vec::with_capacity(CHUNK),
            out: Vec::new(),
            given: 0,
            is_flushed: false,
            trouble: Arc::clone(trouble),
        })
    }

    /// Fills `mono` with the next frames; nothing is the end.
    fn read_mono(&mut self) {
        self.read_frames();
        if self.mono.is_empty() && self.repeat && self.reader.duration() > 0 && lock(&self.trouble).is_none()
        {
            match self.reader.seek(0) {
                Ok(()) => self.read_frames(),
                Err(why) => self.fail(why.to_string()),
            }
        }
    }

    fn read_frames(&mut self) {
        self.mono.clear();
        let spec = self.reader.spec();
        let channels = usize::from(spec.channels.max(1));
        let wanted = CHUNK * channels;
        let failure = match spec.sample_format {
            SampleFormat::Float => {
                let samples = self.reader.samples::<f32>().take(wanted);
                // `as` saturates, and makes zero of what is not a number.
                let samples = samples.map(|s| s.map(|s| i64::from((s * 32_768.0).round() as i32)));
                mix(samples, channels, &mut self.mono)
            }
            SampleFormat::Int => {
                let bits = u32::from(spec.bits_per_sample);
                let to_16 = |s: i32| match bits {
                    ..16 => i64::from(s) << (16 - bits),
                    16 => i64::from(s),
                    // Rounded: cutting would shift everything by half a step.
                    _ => (i64::from(s) + (1 << (bits - 17))) >> (bits - 16),
                };
                let samples = self.reader.samples::<i32>().take(wanted).map(|s| s.map(to_16));
                mix(samples, channels, &mut self.mono)
            }
        };
        if let Err(why) = failure {
            self.fail(why.to_string());
        }
    }

    fn fail(&self, why: String) {
        tracing::warn!(path = %self.path.display(), why, "a file ended early");
        lock(&self.trouble).get_or_insert(format!("{}: {why}", self.path.display()));
    }

    /// Resamples the next frames into `out`; `false` at the end.
    fn refill(&mut self) -> bool {
        self.out.clear();
        self.given = 0;
        while self.out.is_empty() {
            self.read_mono();
            if self.mono.is_empty() {
                if std::mem::replace(&mut self.is_flushed, true) {
                    return false;
                }
                // What still lies in the filter: as much silence as it delays.
                let rate = u64::from(self.resampler.input_rate());
                self.mono.resize((self.resampler.delay_ns() * rate / 1_000_000_000) as usize, 0);
                if self.mono.is_empty() {
                    return false;
                }
                self.resample(false);
            } else {
                self.resample(true);
            }
        }
        true
    }

    fn resample(&mut self, from_file: bool) {
        let dense;
        let input = match &mut self.odd {
            Some(lines) if from_file => {
                dense = lines.draw(&self.mono);
                &dense
            }
            _ => &self.mono,
        };
        self.out.resize(self.resampler.output_len(input.len()), 0);
        let done = self.resampler.process(input, &mut self.out);
        self.out.truncate(done.produced);
    }
}

impl SampleReader for WavClip {
    fn read(&mut self, out: &mut [i16]) -> usize {
        if self.given == self.out.len() && !self.refill() {
            return 0;
        }
        let rest = self.out.get(self.given..).unwrap_or_default();
        let n = rest.len().min(out.len());
        for (to, from) in out.iter_mut().zip(rest) {
            *to = *from;
        }
        self.given += n;
        n
    }
}

/// Averages the channels of whole frames into `mono`; the first error ends it.
fn mix(
    samples: impl Iterator<Item = Result<i64, hound::Error>>,
    channels: usize,
    mono: &mut Vec<i16>,
) -> Result<(), hound::Error> {
    let (mut sum, mut n) = (0, 0);
    for sample in samples {
        sum += sample?;
        n += 1;
        if n == channels {
            let mean = (sum as f64 / channels as f64).round_ties_even();
            // `as` saturates.
            mono.push(mean as i16);
            (sum, n) = (0, 0);
        }
    }
    Ok(())
}

fn unreadable(why: &hound::Error) -> String {
    match why {
        hound::Error::IoError(why) => format!("cannot be read as WAV: {why}"),
        hound::Error::FormatError(why) => format!("not a WAV file: {why}"),
        hound::Error::Unsupported => {
            "a kind of WAV file that is not supported; linear PCM and floats are".to_owned()
        }
        other => format!("cannot be read as WAV: {other}"),
    }
}

/// Brings an odd rate to [`ODD_RATE`] by straight lines between the samples.
struct StraightLines {
    from: u32,
    last: f64,
    /// Time of the next output after `last`, in units of 1 / ([`ODD_RATE`] · from).
    phase: u64,
}

impl StraightLines {
    fn new(from: u32) -> Self {
        Self { from: from.max(1), last: 0.0, phase: 0 }
    }

    fn draw(&mut self, input: &[i16]) -> Vec<i16> {
        let (step, period) = (u64::from(self.from), u64::from(ODD_RATE));
        let mut out = Vec::with_capacity(input.len() * (period / step + 1) as usize);
        for sample in input {
            let next = f64::from(*sample);
            while self.phase < period {
                let part = self.phase as f64 / period as f64;
                out.push((self.last + (next - self.last) * part).round() as i16);
                self.phase += step;
            }
            self.phase -= period;
            self.last = next;
        }
        out
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
