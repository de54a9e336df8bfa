//! Makes up sound where none has arrived: repeats the last pitch periods, fading.
//! In: the history. Out: as many samples as asked for, block after block, without a seam and without delay.
//! Not here: how periods follow each other (`tape.rs`), gaps whose end is known (`bridge.rs`), joining what arrives
//! afterwards (`merge.rs`), a codec's own concealment ([`offhook_codecs::Decoder`]).
//! RT: no allocation, lock, syscall, log or panic (except in [`Expand::new`]).

use crate::ops::tape::{MOST_PERIODS, Tape};
use crate::pitch::PitchFinder;

/// A sound that was fading already goes on to: by as much from period to period, but not faster than this.
const LEAST_TREND: f32 = 0.6;
/// A lag that is less like is none.
const ALIKE: f32 = 0.5;

/// A concealment in progress.
#[derive(Debug)]
pub(crate) struct Expand {
    /// The history at the moment when sound ran out.
    past: Vec<i16>,
    tape: Tape,
}

impl Expand {
    /// Mute until begun. `history` samples are looked at; at least four of the longest periods.
    pub(crate) fn new(sample_rate: u32, history: usize) -> Expand {
        Expand { past: vec![0; history], tape: Tape::ended(sample_rate) }
    }

    /// Begins a concealment that goes on from `history`.
    pub(crate) fn begin(&mut self, history: &[i16], finder: &mut PitchFinder) {
        for (to, from) in self.past.iter_mut().rev().zip(history.iter().rev()) {
            *to = *from;
        }
        let end = self.past.len();
        let lag = finder.find_recent(&self.past);
        let longest = end / (MOST_PERIODS + 1);
        // Noise repeated at a short period hums: take long ones.
        let period = lag.filter(|lag| lag.likeness >= ALIKE).map_or(finder.longest(), |lag| lag.samples);
        let period = period.clamp(1, longest);
        let energy = |from: usize| -> f32 {
            let period = self.past.get(from..from + period).unwrap_or_default();
            period.iter().map(|x| f32::from(*x) * f32::from(*x)).sum()
        };
        let change = energy(end - period) / energy(end - 2 * period).max(1.0);
        let trend = change.sqrt().clamp(LEAST_TREND, 1.0);
        self.tape.begin(&self.past, period);
        self.tape.fade_by(trend.powf(1.0 / period as f32));
    }

    /// Whether the sound has faded to nothing.
    pub(crate) fn is_mute(&self) -> bool {
        self.tape.is_mute()
    }

    /// Makes up the next samples.
    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.tape.next(&self.past);
        }
    }

    /// Lets time pass while sound is made up by other means.
    pub(crate) fn pass(&mut self, samples: usize) {
        self.tape.pass(samples);
    }

    /// What the next samples would be.
    pub(crate) fn ahead(&self) -> impl Iterator<Item = i16> {
        let mut tape = self.tape;
        std::iter::repeat_with(move || tape.next(&self.past))
    }

    /// The period that is repeated, in samples.
    pub(crate) fn period(&self) -> usize {
        self.tape.period()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hum(count: usize) -> Vec<i16> {
        (0..count)
            .map(|n| {
                let phase = n as f64 * std::f64::consts::TAU / 64.0;
                (6_000.0 * phase.sin() + 3_000.0 * (3.0 * phase).cos()) as i16
            })
            .collect()
    }

    #[test]
    fn a_periodic_sound_goes_on_as_if_nothing_had_happened() {
        let signal = hum(1_000);
        let mut expand = Expand::new(8_000, 480);
        expand.begin(&signal[..600], &mut PitchFinder::new(8_000));
        let mut made = [0; 160];
        let (first, second) = made.split_at_mut(37);
        expand.fill(first);
        expand.fill(second);
        for (n, sample) in made.iter().enumerate() {
            let faded = f32::from(signal[600 + n]) * (1.0 - 0.2 * n as f32 / 160.0);
            assert!((f32::from(*sample) - faded).abs() <= 60.0, "sample {n}: {sample} for {faded}");
        }
    }

    #[test]
    fn it_is_mute_after_300_ms_and_louder_never() {
        let signal = hum(600);
        let mut expand = Expand::new(8_000, 480);
        expand.begin(&signal, &mut PitchFinder::new(8_000));
        let mut made = [0; 2_800];
        let ahead: Vec<i16> = expand.ahead().take(2_800).collect();
        expand.fill(&mut made);
        assert_eq!(made[..], ahead);
        assert!(expand.is_mute());
        assert!(made[2_400..].iter().all(|x| *x == 0) && made[2_200..2_400].iter().any(|x| *x != 0));
        let peak = |part: &[i16]| part.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        assert!(peak(&made[..160]) <= peak(&signal) && peak(&made[1_200..1_400]) < peak(&signal) / 2);
    }

    #[test]
    fn a_sound_that_was_fading_goes_on_fading() {
        let mut signal = hum(600);
        for (n, sample) in signal.iter_mut().enumerate() {
            *sample = (f32::from(*sample) * 0.997f32.powi(n as i32)) as i16;
        }
        let mut expand = Expand::new(8_000, 480);
        expand.begin(&signal, &mut PitchFinder::new(8_000));
        let mut made = [0; 160];
        expand.fill(&mut made);
        let peak = |part: &[i16]| part.iter().map(|x| f32::from(x.unsigned_abs())).fold(0.0, f32::max);
        let (before, after) = (peak(&signal[536..]), peak(&made[96..]));
        assert!(after < 0.65 * before && after > 0.3 * before, "{after} after {before}");
    }
}
