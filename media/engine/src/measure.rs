//! How long sound takes from a mouth to an ear.
//! In: what was played and what was recorded elsewhere, each with the instant of its first sample. Out: the delay.
//!
//! ```text
//! played    ├──────────── sound ──────────▶            played_first_ns
//! recorded       ├────────── sound ──────────▶         recorded_first_ns
//!                ·····│ lag: the recording is the played sound, so many samples later
//! delay = recorded_first_ns + lag ÷ rate − played_first_ns
//! ```
//!
//! The lag is where the normalised cross-correlation is greatest, refined between samples by a parabola.
//! Not here: recording (`control/record.rs`); one clock for both ends is the caller's affair.

use std::ops::RangeInclusive;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Where one recording fits another best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// How much later the sound is in the recording than in the reference, samples.
    pub samples: f64,
    /// The correlation there, −1 to 1: below about 0.5 the recording is of something else.
    pub correlation: f64,
}

impl Lag {
    /// The lag in nanoseconds at `sample_rate` Hz.
    pub fn nanoseconds(&self, sample_rate: u32) -> i64 {
        (self.samples * 1e9 / f64::from(sample_rate.max(1))).round() as i64
    }
}

/// Finds by how many samples `recording` is later than `reference`, within `lags`; `None` if one of them is silent or
/// no lag leaves an overlap of half the shorter one.
///
/// Costs a few Fourier transforms over both lengths: give it seconds, not hours.
pub fn lag_between(reference: &[i16], recording: &[i16], lags: RangeInclusive<i64>) -> Option<Lag> {
    let (reference, recording) = (centred(reference), centred(recording));
    let products = cross_correlation(&reference, &recording)?;
    let (reference_energy, recording_energy) = (running_energy(&reference), running_energy(&recording));
    let least = (reference.len().min(recording.len()) / 2).max(1);

    // The normalised correlation at one lag; NaN where there is no sound or too little overlap.
    let at = |lag: i64| -> f64 {
        let start = usize::try_from(-lag).unwrap_or(0);
        let end = (recording.len() as i64 - lag).clamp(0, reference.len() as i64) as usize;
        if end < start + least {
            return f64::NAN;
        }
        let shift = |index: usize| (index as i64 + lag) as usize;
        let energy =
            between(&reference_energy, start, end) * between(&recording_energy, shift(start), shift(end));
        if energy <= 0.0 {
            return f64::NAN;
        }
        let index = lag.rem_euclid(products.len() as i64) as usize;
        products.get(index).copied().unwrap_or(f64::NAN) / energy.sqrt()
    };

    let reach = -(reference.len() as i64)..=recording.len() as i64;
    let lags = *lags.start().max(reach.start())..=*lags.end().min(reach.end());
    let (best, correlation) =
        lags.map(|lag| (lag, at(lag))).filter(|(_, c)| !c.is_nan()).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let offset = summit(at(best - 1), correlation, at(best + 1));
    Some(Lag { samples: best as f64 + offset, correlation: correlation.clamp(-1.0, 1.0) })
}

/// Nanoseconds from the capture of a sound to its playout, given when sample 0 of each side's sound passed (both by
/// one clock) and the lag between the two.
pub fn mouth_to_ear_ns(played_first_ns: u64, recorded_first_ns: u64, lag: Lag, sample_rate: u32) -> i64 {
    let apart = i128::from(recorded_first_ns) - i128::from(played_first_ns);
    let total = apart + i128::from(lag.nanoseconds(sample_rate));
    total.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// Where between −½ and ½ the parabola through three neighbours has its summit.
fn summit(before: f64, here: f64, after: f64) -> f64 {
    let bend = before - 2.0 * here + after;
    // NaN at an edge, or flat: the middle one.
    if bend < 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
}

/// The samples less their mean.
fn centred(samples: &[i16]) -> Vec<f64> {
    let sum: i64 = samples.iter().map(|sample| i64::from(*sample)).sum();
    let mean = sum as f64 / samples.len().max(1) as f64;
    samples.iter().map(|sample| f64::from(*sample) - mean).collect()
}

/// At n, the energy of the first n samples.
fn running_energy(samples: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(samples.iter().map(|sample| {
            sum += sample * sample;
            sum
        }))
        .collect()
}

fn between(running: &[f64], start: usize, end: usize) -> f64 {
    match (running.get(start), running.get(end)) {
        (Some(start), Some(end)) => end - start,
        _ => 0.0,
    }
}

/// The sum of the products of the reference and the recording `lag` samples later, at index `lag` modulo the length.
fn cross_correlation(reference: &[f64], recording: &[f64]) -> Option<Vec<f64>> {
    let len = (reference.len() + recording.len() + 1).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let forward = planner.plan_fft_forward(len);
    let transform = |samples: &[f64]| -> Option<Vec<Complex<f64>>> {
        let mut input = forward.make_input_vec();
        input.get_mut(..samples.len())?.copy_from_slice(samples);
        let mut output = forward.make_output_vec();
        forward.process(&mut input, &mut output).ok()?;
        Some(output)
    };
    let mut spectrum = transform(recording)?;
    for (bin, reference) in spectrum.iter_mut().zip(transform(reference)?) {
        *bin *= reference.conj();
    }
    let inverse = planner.plan_fft_inverse(len);
    let mut products = inverse.make_output_vec();
    inverse.process(&mut spectrum, &mut products).ok()?;
    products.iter_mut().for_each(|product| *product /= len as f64);
    Some(products)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise with the slow envelope of speech.
    fn speech_like(len: usize, mut seed: u32) -> Vec<i16> {
        (0..len)
            .map(|n| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let envelope = (n as f64 / 900.0).sin().abs();
                (f64::from((seed >> 16) as i16) * 0.3 * envelope) as i16
            })
            .collect()
    }

    #[test]
    fn a_delayed_copy_is_found_to_the_sample_whichever_is_first() {
        let sound = speech_like(16_000, 1);
        for lag in [-700i64, -1, 0, 1, 333, 4_000] {
            let mut later = vec![0; usize::try_from(lag.max(0)).unwrap()];
            later.extend_from_slice(&sound[usize::try_from((-lag).max(0)).unwrap()..]);
            let found = lag_between(&sound, &later, -8_000..=8_000).unwrap();
            assert!((found.samples - lag as f64).abs() < 0.1, "{lag}: {found:?}");
            assert!(found.correlation > 0.999, "{lag}: {found:?}");
        }
    }

    #[test]
    fn another_sound_does_not_correlate_and_silence_gives_nothing() {
        let found = lag_between(&speech_like(8_000, 1), &speech_like(8_000, 99), -2_000..=2_000).unwrap();
        assert!(found.correlation < 0.2, "{found:?}");
        assert_eq!(lag_between(&[0; 800], &[0; 800], -10..=10), None);
        assert_eq!(lag_between(&[], &[1], -10..=10), None);
        assert_eq!(lag_between(&[1, 2], &[], i64::MIN..=i64::MAX), None);
    }

    #[test]
    fn the_delay_is_the_difference_of_the_instants_and_the_lag() {
        let lag = Lag { samples: 80.0, correlation: 1.0 };
        assert_eq!(mouth_to_ear_ns(1_000_000, 6_000_000, lag, 8_000), 15_000_000);
        assert_eq!(mouth_to_ear_ns(6_000_000, 1_000_000, lag, 8_000), 5_000_000);
    }
}
