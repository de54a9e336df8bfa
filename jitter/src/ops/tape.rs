//! Repeats the end of a stretch of sound, period by period.
//! In: the stretch, the period. Out: one sample after the other, without a seam.
//!
//! ```text
//!  past …│   K·L   │ made up: period, period, …
//!        └─────────┴──▲ K = 1 for 20 ms, then 2, then 3: one period repeated for long would buzz
//! ```
//!
//! Not here: finding the period (`pitch.rs`), when it is made up (`expand.rs`, `bridge.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use crate::ops::cross_fade;

/// A straight fade to [`AFTER_WIDEN`] until periods are joined, then another to nothing at this time, milliseconds.
const MUTE_MS: usize = 300;
const AFTER_WIDEN: f32 = 0.8;
/// The least that fading by a trend leaves.
const LEAST_TRENDED: f32 = 0.5;
/// One period is repeated for so long, then two, then at most three in turn, milliseconds.
const WIDEN_MS: usize = 20;
pub(super) const MOST_PERIODS: usize = 3;

/// Where a repetition is in the stretch that it repeats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tape {
    period: usize,
    /// Periods of the pass that follows, and the most that may.
    following: usize,
    most_following: usize,
    /// Where in the stretch the next sample is taken.
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

impl Tape {
    /// One that has faded to nothing.
    pub(super) fn ended(sample_rate: u32) -> Tape {
        let samples = |ms: usize| ms * sample_rate as usize / 1_000;
        Tape {
            period: 1,
            following: 1,
            most_following: MOST_PERIODS,
            at: 0,
            seam: 1,
            offset: 0,
            made: samples(MUTE_MS),
            widen: samples(WIDEN_MS),
            mute: samples(MUTE_MS),
            trended: 1.0,
            trend: 1.0,
        }
    }

    /// Goes on from `past` by repeating its last `period`, and more of them the longer it lasts, as far as it reaches.
    pub(super) fn begin(&mut self, past: &[i16], period: usize) {
        let end = past.len();
        self.period = period.clamp(1, end.max(1));
        self.following = 1;
        self.most_following = (end / self.period).saturating_sub(1).clamp(1, MOST_PERIODS);
        self.at = end.saturating_sub(self.period);
        self.seam = (self.period / 4).max(1);
        let last = past.last().copied().unwrap_or(0);
        let before = past.get(self.at.wrapping_sub(1)).copied().unwrap_or(0);
        self.offset = i32::from(last) - i32::from(before);
        self.made = 0;
        (self.trended, self.trend) = (1.0, 1.0);
    }

    /// Each sample keeps so much of the loudness of the one before, beside the common fade.
    pub(super) fn fade_by(&mut self, trend: f32) {
        self.trend = trend;
    }

    pub(super) fn period(&self) -> usize {
        self.period
    }

    pub(super) fn is_mute(&self) -> bool {
        self.made >= self.mute
    }

    /// Lets time pass without being heard.
    pub(super) fn pass(&mut self, samples: usize) {
        self.made = self.made.saturating_add(samples).min(self.mute);
    }

    /// The next sample, faded.
    pub(super) fn next(&mut self, past: &[i16]) -> i16 {
        if self.is_mute() {
            return 0;
        }
        let sample = self.repeat(past);
        let sample = (f32::from(sample) * self.gain()) as i16;
        self.step(past);
        sample
    }

    /// The next sample as loud as what it repeats.
    pub(super) fn next_loud(&mut self, past: &[i16]) -> i16 {
        let sample = self.repeat(past);
        self.step(past);
        sample
    }

    fn repeat(&self, past: &[i16]) -> i16 {
        let mut sample = past.get(self.at).copied().unwrap_or(0);
        // Near the end of a pass, fade into what precedes the start of the next.
        let left = past.len().saturating_sub(self.at);
        if left <= self.seam {
            let before = self.next_start(past).wrapping_sub(left);
            let other = past.get(before).copied().unwrap_or(sample);
            sample = cross_fade(sample, other, self.seam - left + 1, self.seam + 1);
        }
        if self.made < self.seam {
            let (left, seam) = ((self.seam - self.made) as i32, self.seam as i32);
            sample = (i32::from(sample) + self.offset * left / (seam + 1)).clamp(-32_768, 32_767) as i16;
        }
        sample
    }

    fn step(&mut self, past: &[i16]) {
        self.made += 1;
        self.at += 1;
        if self.at >= past.len() {
            self.at = self.next_start(past);
            let wider = usize::from(self.made >= self.widen);
            self.following = (self.following + wider).min(self.most_following);
        }
    }

    fn next_start(&self, past: &[i16]) -> usize {
        past.len().saturating_sub(self.following * self.period)
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
