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
use crate::pitch::PitchFinder;

/// A straight fade to [`AFTER_WIDEN`] until periods are joined, then another to nothing at this time, milliseconds.
const MUTE_MS: usize = 300;
const AFTER_WIDEN: f32 = 0.65;
/// A sound that was fading already goes on to: by as much from period to period, within bounds.
const LEAST_TREND: f32 = 0.7;
const LEAST_TRENDED: f32 = 0.5;
/// One period is repeated for so long, then two, then at most three in turn, milliseconds.
const WIDEN_MS: usize = 20;
const MOST_PERIODS: usize = 3;

/// A concealment in progress.
#[derive(Debug)]
pub(crate) struct Expand {
    /// The history at the moment when sound ran out.
    past: Vec<i16>,
    tape: Tape,
}

/// Where a concealment is in the past that it repeats.
#[derive(Debug, Clone, Copy)]
struct Tape {
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
    /// What is left of loudness by the trend before the loss, and the part of it that each sample keeps.
    trended: f32,
    trend: f32,
}

impl Expand {
    /// Mute until begun. `history` samples are looked at; at least four of the longest periods.
    pub(crate) fn new(sample_rate: u32, history: usize) -> Expand {
        let samples = |ms: usize| ms * sample_rate as usize / 1_000;
        let tape = Tape {
            period: 1,
            following: 1,
            at: 0,
            seam: 1,
            offset: 0,
            made: samples(MUTE_MS),
            widen: samples(WIDEN_MS),
            mute: samples(MUTE_MS),
            trended: 1.0,
            trend: 1.0,
        };
        Expand { past: vec![0; history], tape }
    }

    /// Begins a concealment that goes on from `history`.
    pub(crate) fn begin(&mut self, history: &[i16], finder: &mut PitchFinder) {
        for (to, from) in self.past.iter_mut().rev().zip(history.iter().rev()) {
            *to = *from;
        }
        let (end, tape) = (self.past.len(), &mut self.tape);
        let lag = finder.find_recent(&self.past);
        let longest = end / (MOST_PERIODS + 1);
        // Noise repeated at a short period hums: take long ones.
        let period = lag.filter(|lag| lag.likeness >= 0.5).map_or(finder.longest(), |lag| lag.samples);
        tape.period = period.clamp(1, longest);
        tape.following = 1;
        tape.at = end - tape.period;
        tape.seam = (tape.period / 4).max(1);
        let last = self.past.last().copied().unwrap_or(0);
        let before = self.past.get(tape.at.wrapping_sub(1)).copied().unwrap_or(0);
        tape.offset = i32::from(last) - i32::from(before);
        tape.made = 0;
        let energy = |from: usize| -> f32 {
            let period = self.past.get(from..from + tape.period).unwrap_or_default();
            period.iter().map(|x| f32::from(*x) * f32::from(*x)).sum()
        };
        let change = energy(end - tape.period) / energy(end - 2 * tape.period).max(1.0);
        let trend = change.sqrt().clamp(LEAST_TREND, 1.0);
        tape.trend = trend.powf(1.0 / tape.period as f32);
        tape.trended = 1.0;
    }

    /// Whether the sound has faded to nothing.
    pub(crate) fn is_mute(&self) -> bool {
        self.tape.made >= self.tape.mute
    }

    /// Makes up the next samples.
    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.tape.next(&self.past);
        }
    }

    /// Lets time pass while sound is made up by other means.
    pub(crate) fn pass(&mut self, samples: usize) {
        self.tape.made = self.tape.made.saturating_add(samples).min(self.tape.mute);
    }

    /// What the next samples would be.
    pub(crate) fn ahead(&self) -> impl Iterator<Item = i16> {
        let mut tape = self.tape;
        std::iter::repeat_with(move || tape.next(&self.past))
    }
}

impl Tape {
    fn next(&mut self, past: &[i16]) -> i16 {
        if self.made >= self.mute {
            return 0;
        }
        let end = past.len();
        let next_start = end - self.following * self.period;
        let mut sample = past.get(self.at).copied().unwrap_or(0);
        // Near the end of a pass, fade into what precedes the start of the next.
        let left = end - self.at;
        if left <= self.seam {
            let other = past.get(next_start.wrapping_sub(left)).copied().unwrap_or(0);
            sample = cross_fade(sample, other, self.seam - left + 1, self.seam + 1);
        }
        if self.made < self.seam {
            let (left, seam) = ((self.seam - self.made) as i32, self.seam as i32);
            sample = (i32::from(sample) + self.offset * left / (seam + 1)).clamp(-32_768, 32_767) as i16;
        }
        sample = (f32::from(sample) * self.gain()) as i16;
        self.made += 1;
        self.at += 1;
        if self.at >= end {
            self.at = next_start;
            let wider = usize::from(self.made >= self.widen);
            self.following = (self.following + wider).min(MOST_PERIODS);
        }
        sample
    }

    /// The loudness of the next sample, of what is repeated.
    fn gain(&mut self) -> f32 {
        let fade = if self.made < self.widen {
            1.0 - (1.0 - AFTER_WIDEN) * self.made as f32 / self.widen as f32
        } else {
            AFTER_WIDEN * (self.mute - self.made) as f32 / (self.mute - self.widen) as f32
        };
        let trended = self.trended;
        self.trended = (trended * self.trend).max(LEAST_TRENDED);
        fade * trended
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
            let faded = f32::from(signal[600 + n]) * (1.0 - 0.35 * n as f32 / 160.0);
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
