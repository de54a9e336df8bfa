//! Tells speech from background noise, and decides what of it is sent, for codecs that have no discontinuous
//! transmission of their own.
//! In: samples, frame by frame. Out: whether somebody speaks; [`Transmission`]s.
//! Not here: how noise is described and made (`comfort_noise.rs`).
//! RT: after construction no allocation, lock, syscall, log or panic.
//!
//! The `earshot` crate's small network judges 16 ms at 16 kHz at a time.

use crate::Level;
use crate::codec::CodecError;
use crate::comfort_noise::{MAX_ORDER, NoiseAnalyser};
use crate::resample::{Resampler, UnsupportedRate};

/// What the network hears.
const RATE: u32 = 16_000;
const FRAME: usize = 256;
const FRAME_MS: u32 = 16;
/// Scores above are speech that begins; below the second, speech that may have ended.
const BEGINS: f32 = 0.5;
const ENDS: f32 = 0.35;
/// Speech ends after so long without any: words have pauses.
const HANGOVER_MS: u32 = 240;

/// Tells whether somebody speaks in a stream.
pub struct VoiceActivity {
    resampler: Resampler,
    detector: Box<earshot::Detector>,
    frame: [i16; FRAME],
    filled: usize,
    /// Milliseconds until speech has ended.
    left_ms: u32,
}

impl VoiceActivity {
    /// A detector for samples at `sample_rate` Hz. Allocates some 8 KiB.
    ///
    /// # Errors
    ///
    /// [`UnsupportedRate`] for rates that [`crate::resample::RATES`] does not list.
    pub fn new(sample_rate: u32) -> Result<VoiceActivity, UnsupportedRate> {
        Ok(VoiceActivity {
            resampler: Resampler::new(sample_rate, RATE)?,
            detector: Box::default(),
            frame: [0; FRAME],
            filled: 0,
            left_ms: 0,
        })
    }

    /// Hears some samples; tells whether somebody speaks, or did until a quarter of a second ago.
    pub fn push(&mut self, samples: &[i16]) -> bool {
        let mut rest = samples;
        loop {
            let room = self.frame.get_mut(self.filled..).unwrap_or_default();
            let done = self.resampler.process(rest, room);
            rest = rest.get(done.consumed..).unwrap_or_default();
            self.filled += done.produced;
            if self.filled == FRAME {
                self.judge();
                self.filled = 0;
            } else if rest.is_empty() || done.consumed + done.produced == 0 {
                return self.is_speech();
            }
        }
    }

    /// Whether somebody speaks, as far as was heard.
    pub fn is_speech(&self) -> bool {
        self.left_ms > 0
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.resampler.reset();
        self.detector.reset();
        self.filled = 0;
        self.left_ms = 0;
    }

    fn judge(&mut self) {
        let score = self.detector.predict_i16(&self.frame);
        let threshold = if self.left_ms > 0 { ENDS } else { BEGINS };
        self.left_ms = if score >= threshold { HANGOVER_MS } else { self.left_ms.saturating_sub(FRAME_MS) };
    }
}

impl std::fmt::Debug for VoiceActivity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceActivity").field("left_ms", &self.left_ms).finish_non_exhaustive()
    }
}

/// What is to be done with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transmission {
    /// Speech: encode and send it; `first` after silence (the RTP marker).
    Speech {
        /// Nothing or noise was sent before it.
        first: bool,
    },
    /// Silence whose description is due: send [`DiscontinuousTransmission::describe`].
    Describe,
    /// Silence as described: send nothing.
    Nothing,
}

/// Decides frame by frame what is sent (RFC 3389 §6).
#[derive(Debug)]
pub struct DiscontinuousTransmission {
    activity: VoiceActivity,
    noise: NoiseAnalyser,
    rate: u32,
    sends: bool,
    /// The level told last, and how long ago, in samples.
    told: u8,
    since: u64,
    /// Samples of a sound that is far louder.
    loud: u64,
}

impl DiscontinuousTransmission {
    /// Decibels by which noise must change to be described anew, and seconds after which it is anyway.
    const CHANGE_DB: u8 = 3;
    const REFRESH_S: u64 = 1;
    /// Decibels above the noise that are sent even if they are no speech, and how long.
    const OUTBURST_DB: f32 = 9.0;
    const OUTBURST_MS: u64 = 300;

    /// For samples at `sample_rate` Hz; noise is described with `order` coefficients, 12 at most.
    ///
    /// # Errors
    ///
    /// [`UnsupportedRate`] for rates that [`crate::resample::RATES`] does not list.
    pub fn new(sample_rate: u32, order: usize) -> Result<DiscontinuousTransmission, UnsupportedRate> {
        Ok(DiscontinuousTransmission {
            activity: VoiceActivity::new(sample_rate)?,
            noise: NoiseAnalyser::new(order),
            rate: sample_rate,
            sends: false,
            told: u8::MAX,
            since: 0,
            loud: 0,
        })
    }

    /// Hears the frame that is about to be sent.
    pub fn decide(&mut self, frame: &[i16]) -> Transmission {
        let was_sending = self.sends;
        let is_speech = self.activity.push(frame);
        self.sends = is_speech || self.is_outburst(frame);
        if is_speech {
            self.loud = 0;
        }
        if self.sends {
            return Transmission::Speech { first: !was_sending };
        }
        if was_sending {
            // Noise alone, not the end of the last word.
            self.noise.reset();
        }
        self.noise.push(frame);
        self.since = self.since.saturating_add(frame.len() as u64);
        let changed = self.noise.level().abs_diff(self.told) >= Self::CHANGE_DB;
        let old = self.since >= Self::REFRESH_S * u64::from(self.rate);
        // A change is told four times a second at most.
        let may = was_sending || self.told == u8::MAX || self.since * 4 >= u64::from(self.rate);
        if was_sending || old || changed && may {
            self.told = self.noise.level();
            self.since = 0;
            return Transmission::Describe;
        }
        Transmission::Nothing
    }

    /// Whether a frame is far louder than the noise that was described: speech whose beginning the network has yet to
    /// recognize. If it stays, it is noise after all.
    fn is_outburst(&mut self, frame: &[i16]) -> bool {
        let dbfs = Level::of(frame).rms_dbfs;
        if self.told == u8::MAX || dbfs < Self::OUTBURST_DB - f32::from(self.told) {
            self.loud = 0;
            return false;
        }
        self.loud = self.loud.saturating_add(frame.len() as u64);
        self.loud * 1_000 <= Self::OUTBURST_MS * u64::from(self.rate)
    }

    /// Writes the payload of comfort noise; returns its octets, 13 at most.
    ///
    /// # Errors
    ///
    /// [`CodecError::OutputTooSmall`].
    pub fn describe(&self, out: &mut [u8]) -> Result<usize, CodecError> {
        self.noise.describe(out)
    }

    /// Octets that [`Self::describe`] writes at most.
    pub const MAX_OCTETS: usize = MAX_ORDER + 1;

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.activity.reset();
        self.noise.reset();
        (self.sends, self.told, self.since, self.loud) = (false, u8::MAX, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_length_are_judged_alike() {
        let samples: Vec<i16> = (0..32_000).map(|n: i32| ((n * n / 11) % 6_001 - 3_000) as i16).collect();
        let judge = |length: usize| {
            let mut activity = VoiceActivity::new(8_000).unwrap();
            samples.chunks(length).for_each(|block| {
                activity.push(block);
            });
            (activity.left_ms, activity.filled)
        };
        assert!([1, 7, 160, 4_000, 32_000].map(judge).windows(2).all(|pair| pair[0] == pair[1]));
        assert!(VoiceActivity::new(7).is_err());
    }
}
