//! Makes up sound where none has arrived: repeats the last pitch periods, fading.
//! In: the history. Out: as many samples as asked for, block after block, without a seam and without delay.
//!
//! ```text
//!  history …│   K·L   │ made up: period, period, …
//!           └─────────┴──▲ K = 1 for 20 ms, then 2, then 3: one period repeated for long would buzz
//! ```
//!
//! Not here: joining what arrives afterwards (`merge.rs`), a codec's own concealment ([`offhook_codecs::Decoder`]).
//! RT: no allocation, lock, syscall, log or panic (except in [`Expand::new`]).

use crate::ops::cross_fade;
use crate::pitch::{Look, PitchFinder};

/// A straight fade from full strength to nothing, milliseconds.
const MUTE_MS: usize = 80;
/// One period is repeated for so long, then two, then at most three in turn, milliseconds.
const WIDEN_MS: usize = 20;
const MOST_PERIODS: usize = 3;

/// A concealment in progress.
#[derive(Debug)]
pub(crate) struct Expand {
    /// The history at the moment when sound ran out.
    past: Vec<i16>,
    period: usize,
    /// Periods of the pass that follows.
    following: usize,
    /// Where in `past` the next sample is taken.
    at: usize,
    /// Seam in samples: the end of a pass fades into the start of the next.
    seam: usize,
    /// The step from the last true sample to the first made-up one, which fades away over the seam.
    offset: i32,
    made: usize,
    widen: usize,
    mute: usize,
}

impl Expand {
    /// Mute until begun. `history` samples are looked at; at least four of the longest periods.
    pub(crate) fn new(sample_rate: u32, history: usize) -> Expand {
        let samples = |ms: usize| ms * sample_rate as usize / 1_000;
        Expand {
            past: vec![0; history],
            period: 1,
            following: 1,
            at: 0,
            seam: 1,
            offset: 0,
            made: samples(MUTE_MS),
            widen: samples(WIDEN_MS),
            mute: samples(MUTE_MS),
        }
    }

    /// Begins a concealment that goes on from `history`.
    pub(crate) fn begin(&mut self, history: &[i16], finder: &mut PitchFinder) {
        for (to, from) in self.past.iter_mut().rev().zip(history.iter().rev()) {
            *to = *from;
        }
        let end = self.past.len();
        let template = end.saturating_sub(finder.template());
        let lag = finder.find(&self.past, template, Look::Back, usize::MAX);
        self.period = lag.map_or(finder.longest(), |lag| lag.samples).clamp(1, end / (MOST_PERIODS + 1));
        // Noise repeated at a short period hums: take long ones.
        if lag.is_none_or(|lag| lag.likeness < 0.5) {
            self.period = finder.longest().clamp(1, end / (MOST_PERIODS + 1));
        }
        self.following = 1;
        self.at = end - self.period;
        self.seam = (self.period / 4).max(1);
        let last = self.past.last().copied().unwrap_or(0);
        let before = self.past.get(self.at.wrapping_sub(1)).copied().unwrap_or(0);
        self.offset = i32::from(last) - i32::from(before);
        self.made = 0;
    }

    /// Whether the sound has faded to nothing.
    pub(crate) fn is_mute(&self) -> bool {
        self.made >= self.mute
    }

    /// Makes up the next samples.
    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.next();
        }
    }

    fn next(&mut self) -> i16 {
        if self.is_mute() {
            return 0;
        }
        let end = self.past.len();
        let next_start = end - self.following * self.period;
        let mut sample = self.past.get(self.at).copied().unwrap_or(0);
        // Near the end of a pass, fade into what precedes the start of the next.
        let left = end - self.at;
        if left <= self.seam {
            let other = self.past.get(next_start.wrapping_sub(left)).copied().unwrap_or(0);
            sample = cross_fade(sample, other, self.seam - left + 1, self.seam + 1);
        }
        if self.made < self.seam {
            let (left, seam) = ((self.seam - self.made) as i32, self.seam as i32);
            sample = (i32::from(sample) + self.offset * left / (seam + 1)).clamp(-32_768, 32_767) as i16;
        }
        sample = cross_fade(sample, 0, self.made, self.mute);
        self.made += 1;
        self.at += 1;
        if self.at >= end {
            self.at = next_start;
            let wider = usize::from(self.made >= self.widen);
            self.following = (self.following + wider).min(MOST_PERIODS);
        }
        sample
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
            let faded = i32::from(signal[600 + n]) * (640 - n as i32) / 640;
            assert!(i32::from(*sample).abs_diff(faded) <= 3, "sample {n}");
        }
    }

    #[test]
    fn it_is_mute_after_80_ms_and_louder_never() {
        let signal = hum(600);
        let mut expand = Expand::new(8_000, 480);
        expand.begin(&signal, &mut PitchFinder::new(8_000));
        let mut made = [0; 800];
        expand.fill(&mut made);
        assert!(expand.is_mute());
        assert!(made[640..].iter().all(|x| *x == 0) && made[560..640].iter().any(|x| *x != 0));
        let peak = |part: &[i16]| part.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        assert!(peak(&made[..160]) <= peak(&signal) && peak(&made[400..560]) < peak(&signal) * 2 / 3);
    }
}
