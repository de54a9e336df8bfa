//! Mouth-to-ear delay of a call from what its two ends kept.
//!
//! In: what one end played, what the other recorded, and the monotonic instants of both files' sample 0.
//! Out: [`MouthToEar`]: delay = correlation lag + difference of the instants.
//! Not here: the correlation itself (the engine's `measure`).

use std::borrow::Cow;
use std::path::Path;

use offhook_codecs::Resampler;
use offhook_engine::measure::{lag_between, mouth_to_ear_ns};

/// A recording, or what was played, with the instant of its sample 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// 16-bit mono samples.
    pub samples: Vec<i16>,
    /// Hz.
    pub sample_rate: u32,
    /// CLOCK_MONOTONIC nanoseconds of sample 0.
    pub first_sample_ns: u64,
}

impl Track {
    /// Reads a 16-bit mono WAV file.
    pub fn read(path: &Path, first_sample_ns: u64) -> Result<Self, String> {
        let named = |why: String| format!("{}: {why}", path.display());
        let mut reader = hound::WavReader::open(path).map_err(|why| named(why.to_string()))?;
        let spec = reader.spec();
        if spec.channels != 1 || spec.bits_per_sample != 16 {
            return Err(named("not 16-bit mono".to_owned()));
        }
        let samples =
            reader.samples::<i16>().collect::<Result<_, _>>().map_err(|why| named(why.to_string()))?;
        Ok(Self { samples, sample_rate: spec.sample_rate, first_sample_ns })
    }

    /// The same at another rate.
    fn at_rate(&self, rate: u32) -> Result<Cow<'_, Self>, String> {
        if self.sample_rate == rate {
            return Ok(Cow::Borrowed(self));
        }
        let mut resampler = Resampler::new(self.sample_rate, rate).map_err(|why| why.to_string())?;
        let mut samples = vec![0; resampler.output_len(self.samples.len())];
        let done = resampler.process(&self.samples, &mut samples);
        samples.truncate(done.produced);
        let first_sample_ns = self.first_sample_ns.saturating_sub(resampler.delay_ns());
        Ok(Cow::Owned(Self { samples, sample_rate: rate, first_sample_ns }))
    }
}

/// How long sound took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MouthToEar {
    /// From the instant a sample was played into the call to the instant it was recorded, in milliseconds.
    pub delay_ms: f64,
    /// How alike the recording and the original are at that delay, 0 to 1.
    pub correlation: f64,
}

/// Below this correlation the recording is not of what was played.
pub const ALIKE: f64 = 0.7;

/// The longest delay that is looked for, in seconds.
const LONGEST: i64 = 3;

/// Sound is compared a stretch at a time: playout may shift it by some milliseconds in the middle of a call, and a
/// recording that is whole on both sides of the shift does not fit its original as one piece.
const STRETCH_MS: usize = 500;

/// Stretches quieter than this (RMS) are pauses in speech.
const QUIET: f64 = 200.0;

/// Measures the delay from `played` to `recorded`: the median of the stretches that were found; the error says why it
/// cannot be measured. At least half of what was played and recorded has to be found.
pub fn mouth_to_ear(played: &Track, recorded: &Track) -> Result<MouthToEar, String> {
    // The lower of two rates has what both can have.
    let rate = played.sample_rate.min(recorded.sample_rate);
    let (played, recorded) = (&*played.at_rate(rate)?, &*recorded.at_rate(rate)?);
    // Where the lag may lie: the delay is between 0 and LONGEST, the rest is when the recordings began.
    let rate = i64::from(played.sample_rate);
    let apart_ns = i128::from(recorded.first_sample_ns) - i128::from(played.first_sample_ns);
    let apart =
        i64::try_from(apart_ns * i128::from(rate) / 1_000_000_000).map_err(|_| "years apart".to_owned())?;
    let length = played.sample_rate as usize * STRETCH_MS / 1_000;
    let (mut loud, mut found) = (0_usize, Vec::new());
    for (number, stretch) in played.samples.chunks_exact(length.max(1)).enumerate() {
        let start = (number * length) as i64;
        // What was played when the recording was over, or not yet begun, cannot be in it.
        let inside = start >= apart && start + 2 * length as i64 - apart <= recorded.samples.len() as i64;
        if !inside || rms(stretch) < QUIET {
            continue;
        }
        loud += 1;
        let lags = start - apart - rate / 10..=start - apart + LONGEST * rate;
        if let Some(lag) =
            lag_between(stretch, &recorded.samples, lags).filter(|lag| lag.correlation >= ALIKE)
        {
            let first = played.first_sample_ns.saturating_add(start as u64 * 1_000_000_000 / rate as u64);
            found.push((
                mouth_to_ear_ns(first, recorded.first_sample_ns, lag, played.sample_rate),
                lag.correlation,
            ));
        }
    }
    if found.len() * 2 < loud.max(1) {
        let seconds = |stretches: usize| stretches as f64 * STRETCH_MS as f64 / 1e3;
        return Err(format!("of {} s of sound {} s arrived", seconds(loud), seconds(found.len())));
    }
    found.sort_unstable_by_key(|(ns, _)| *ns);
    let (ns, _) = found.get(found.len() / 2).ok_or("no sound in common")?;
    let correlation = found.iter().map(|(_, correlation)| correlation).sum::<f64>() / found.len() as f64;
    Ok(MouthToEar { delay_ms: *ns as f64 / 1e6, correlation })
}

fn rms(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    (energy / samples.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chirp(n: usize) -> Vec<i16> {
        (0..n).map(|i| (8_000.0 * (i as f64 * (0.02 + i as f64 * 2e-6)).sin()) as i16).collect()
    }

    fn track(samples: Vec<i16>, first_sample_ns: u64) -> Track {
        Track { samples, sample_rate: 8_000, first_sample_ns }
    }

    #[test]
    fn the_delay_is_lag_plus_the_difference_of_the_instants() {
        let sound = chirp(40_000);
        // Recording began 100 ms after playing; the sound is 320 samples (40 ms) into it, so it took 140 ms.
        let mut heard = vec![0; 320];
        heard.extend_from_slice(&sound);
        let measured = mouth_to_ear(&track(sound, 1_000_000_000), &track(heard, 1_100_000_000));
        assert!(measured.is_ok_and(|m| (m.delay_ms - 140.0).abs() < 0.1));
    }

    #[test]
    fn a_shift_in_the_middle_of_the_call_does_not_hide_the_sound() {
        let sound = chirp(40_000);
        let mut heard = vec![0; 160];
        heard.extend_from_slice(&sound[..17_000]);
        // Playout took 80 samples more than they lasted.
        heard.extend_from_slice(&sound[16_920..]);
        let measured = mouth_to_ear(&track(sound, 0), &track(heard, 0));
        assert!(measured.as_ref().is_ok_and(|m| (20.0..=30.1).contains(&m.delay_ms)), "{measured:?}");
    }

    #[test]
    fn a_recording_of_something_else_is_not_measured() {
        let noise: Vec<i16> = (0..40_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 18) as i16).collect();
        assert!(mouth_to_ear(&track(chirp(40_000), 0), &track(noise, 0)).is_err());
        assert!(mouth_to_ear(&track(chirp(40_000), 0), &track(vec![0; 40_000], 0)).is_err());
    }
}
