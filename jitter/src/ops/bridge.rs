//! Fills a gap whose end is known: from what came before it forwards, and from what follows it backwards.
//! In: the gap, the concealment that goes on into it, the sound after it. Out: the gap, filled.
//!
//! ```text
//!  … a a a a│a' a' a' ⤬ b' b' b'│b b b b …     a' is made up from a, b' backwards from b
//! ```
//!
//! The way from `a` to `b` is seldom a whole number of periods: a' is drawn out or together a little, so that at the end
//! of the gap it is where b begins.
//! Not here: gaps without an end (`expand.rs`), which packets are lost (`playout/hear.rs`).
//! RT: no allocation, lock, syscall, log or panic (except in [`Bridge::new`]).

use crate::ops::{expand::Expand, tape::Tape};
use crate::pitch::PitchFinder;

/// The longest gap that is filled, milliseconds.
const MOST_MS: u32 = 60;
/// How much of what follows is looked at, and how much of its start is compared with what was made up.
const NEXT_MS: u32 = 40;
const COMPARE_MS: u32 = 6;
/// What is made up is not drawn out or together by more than this part of the gap.
const MOST_DRAWN: usize = 16;
/// A place that is less like is none: then nothing is drawn.
const ALIKE: f32 = 0.4;

/// Scratch memory for gaps.
#[derive(Debug)]
pub(crate) struct Bridge {
    most: usize,
    compare: usize,
    /// What was made up forwards: the gap, and a bit beyond it.
    made: Vec<i16>,
    ahead: usize,
    drawn: usize,
    /// What follows, backwards.
    next: Vec<i16>,
    back: Tape,
}

impl Bridge {
    pub(crate) fn new(sample_rate: u32) -> Bridge {
        let samples = |ms: u32| (u64::from(ms) * u64::from(sample_rate) / 1_000) as usize;
        let (most, compare) = (samples(MOST_MS), samples(COMPARE_MS));
        Bridge {
            most,
            compare,
            made: vec![0; most + 2 * (most / MOST_DRAWN) + compare],
            ahead: 0,
            drawn: 0,
            next: vec![0; samples(NEXT_MS)],
            back: Tape::ended(sample_rate),
        }
    }

    /// Samples of the longest gap.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Samples after the gap that are looked at.
    pub(crate) fn reach(&self) -> usize {
        self.next.len()
    }

    /// What `expand` alone would make of `gap`, and of a bit beyond it: what [`Self::fill`] starts from.
    pub(crate) fn go_on(&mut self, gap: &mut [i16], expand: &Expand) {
        let length = gap.len();
        self.drawn = (length / MOST_DRAWN).min(expand.period() / 2);
        self.ahead = (length + 2 * self.drawn + self.compare).min(self.made.len());
        for (to, from) in self.made.iter_mut().take(self.ahead).zip(expand.ahead()) {
            *to = from;
        }
        for (to, from) in gap.iter_mut().zip(&self.made) {
            *to = *from;
        }
    }

    /// Fills `gap`, which [`Self::go_on`] made, so that it leads to `next`. If that is too short to have a period, or the
    /// gap too long, it stays as it was.
    pub(crate) fn fill(&mut self, gap: &mut [i16], next: &[i16], finder: &mut PitchFinder) {
        let length = gap.len();
        let Some(made) = self.made.get(..self.ahead).filter(|_| length <= self.most) else { return };
        let count = next.len().min(self.next.len());
        let Some(reversed) = self.next.get_mut(..count) else { return };
        for (to, from) in reversed.iter_mut().zip(next.iter().take(count).rev()) {
            *to = *from;
        }
        let Some(lag) = finder.find_recent(reversed) else { return };
        self.back.begin(reversed, lag.samples);
        for sample in gap.iter_mut().rev() {
            *sample = self.back.next_loud(reversed);
        }
        let start = next.get(..self.compare.min(next.len())).unwrap_or_default();
        let place = finder.fit(start, made, length - self.drawn, length + self.drawn);
        let end = place.filter(|place| place.likeness >= ALIKE).map_or(length, |place| place.samples);
        for (n, sample) in gap.iter_mut().enumerate() {
            let (at, part) = (n * end / length, n * end % length);
            let here = made.get(at).copied().unwrap_or(0);
            let after = made.get(at + 1).copied().unwrap_or(here);
            let before = super::cross_fade(here, after, part, length);
            *sample = super::cross_fade(before, *sample, n + 1, length + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice of that period, in samples and hundredths.
    fn voice(count: usize, period: f64) -> Vec<i16> {
        let phase = |n: usize| n as f64 * std::f64::consts::TAU / period;
        (0..count)
            .map(|n| {
                (1..6).map(|k| 4_000.0 / f64::from(k) * (f64::from(k) * phase(n)).cos()).sum::<f64>() as i16
            })
            .collect()
    }

    fn fill(gap: &mut [i16], next: &[i16], expand: &Expand, finder: &mut PitchFinder) {
        let mut bridge = Bridge::new(8_000);
        bridge.go_on(gap, expand);
        bridge.fill(gap, next, finder);
    }

    /// The energy of what differs in the gap from the truth, in parts of the truth's: bridged, and made up forwards.
    fn errors(signal: &[i16], from: usize, gap: usize) -> (f64, f64) {
        let mut finder = PitchFinder::new(8_000);
        let mut expand = Expand::new(8_000, 488);
        expand.begin(&signal[..from], &mut finder);
        let forwards: Vec<i16> = expand.ahead().take(gap).collect();
        let mut filled = vec![0; gap];
        fill(&mut filled, &signal[from + gap..], &expand, &mut finder);
        let truth = &signal[from..from + gap];
        let energy = |made: &[i16]| -> f64 {
            made.iter().zip(truth).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
        };
        let own: f64 = truth.iter().map(|x| f64::from(*x).powi(2)).sum();
        (energy(&filled) / own, energy(&forwards) / own)
    }

    #[test]
    fn a_gap_in_a_voice_is_filled_nearer_to_the_truth_than_from_one_side() {
        for gap in [80, 160, 320] {
            for period in [41.0, 57.3, 80.0, 101.7] {
                let (filled, forwards) = errors(&voice(1_600, period), 600, gap);
                assert!(filled < 0.1 && filled <= forwards, "{gap} {period}: {filled} {forwards}");
            }
        }
    }

    #[test]
    fn a_gap_leads_to_another_loudness() {
        let mut signal = voice(1_600, 64.0);
        for sample in &mut signal[680..] {
            *sample /= 4;
        }
        let mut finder = PitchFinder::new(8_000);
        let mut expand = Expand::new(8_000, 488);
        expand.begin(&signal[..600], &mut finder);
        let mut filled = [0; 160];
        fill(&mut filled, &signal[760..], &expand, &mut finder);
        let peak = |part: &[i16]| part.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        assert!(peak(&filled[..64]) > 4 * peak(&filled[120..]), "{filled:?}");
    }

    #[test]
    fn with_too_little_after_the_gap_it_is_made_up_forwards() {
        let signal = voice(900, 64.0);
        let mut finder = PitchFinder::new(8_000);
        let mut expand = Expand::new(8_000, 488);
        expand.begin(&signal[..600], &mut finder);
        for (gap, next) in [(160, 10), (160, 0), (481, 160), (1, 0)] {
            let mut filled = vec![0; gap];
            fill(&mut filled, &signal[..next], &expand, &mut finder);
            assert!(filled.iter().copied().eq(expand.ahead().take(gap)), "{gap} {next}");
        }
    }
}
