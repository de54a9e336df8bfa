//! Mouth-to-ear delay of a call from what its two ends kept.
//!
//! In: what one end played, what the other recorded, and the monotonic instants of both files' sample 0.
//! Out: [`MouthToEar`]: delay = correlation lag + difference of the instants.
//! Not here: the correlation itself (the engine's `measure`).

use std::path::Path;

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

/// Measures the delay from `played` to `recorded`; the error says why it cannot be measured.
pub fn mouth_to_ear(played: &Track, recorded: &Track) -> Result<MouthToEar, String> {
    if played.sample_rate != recorded.sample_rate {
        return Err(format!("played at {} Hz, recorded at {} Hz", played.sample_rate, recorded.sample_rate));
    }
    // Where the lag may lie: the delay is between 0 and LONGEST, the rest is when the recordings began.
    let rate = i64::from(played.sample_rate);
    let apart_ns = i128::from(recorded.first_sample_ns) - i128::from(played.first_sample_ns);
    let apart =
        i64::try_from(apart_ns * i128::from(rate) / 1_000_000_000).map_err(|_| "years apart".to_owned())?;
    let lags = -apart - rate / 10..=LONGEST * rate - apart;
    let lag = lag_between(&played.samples, &recorded.samples, lags).ok_or("no sound in common")?;
    if lag.correlation < ALIKE {
        return Err(format!("the recording is not of what was played (correlation {:.2})", lag.correlation));
    }
    let ns = mouth_to_ear_ns(played.first_sample_ns, recorded.first_sample_ns, lag, played.sample_rate);
    Ok(MouthToEar { delay_ms: ns as f64 / 1e6, correlation: lag.correlation })
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
        let sound = chirp(16_000);
        // Recording began 100 ms after playing; the sound is 320 samples (40 ms) into it, so it took 140 ms.
        let mut heard = vec![0; 320];
        heard.extend_from_slice(&sound);
        let measured = mouth_to_ear(&track(sound, 1_000_000_000), &track(heard, 1_100_000_000));
        assert!(measured.is_ok_and(|m| (m.delay_ms - 140.0).abs() < 0.1));
    }

    #[test]
    fn a_recording_of_something_else_is_not_measured() {
        let noise: Vec<i16> = (0..16_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 18) as i16).collect();
        assert!(mouth_to_ear(&track(chirp(16_000), 0), &track(noise, 0)).is_err());
        assert!(mouth_to_ear(&track(chirp(16_000), 0), &track(vec![0; 16_000], 0)).is_err());
    }
}
