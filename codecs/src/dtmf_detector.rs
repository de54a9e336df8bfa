//! Finds DTMF digits in sound, within the limits of ITU-T Q.24.
//! In: samples, in blocks of any length. Out: [`SignalEvent`]s.
//! Not here: the generator (`tone.rs`), other signals (`progress.rs`), digits as packets (`media/rtp`).
//! RT: after construction no allocation, lock, syscall, log or panic.
//!
//! Every 5 ms the last 20 ms are seen through a Hann window at the eight frequencies of Q.23. A step belongs to a digit
//! if one frequency of each group is loud enough, the two are of like level, and there is little else. Digits hold for
//! several such steps at an even level, and their phases must advance as those of the nominal frequencies do: that
//! tells a frequency to a few hertz, which a window of 20 ms alone cannot. What speech lacks is all that at once.

use std::f64::consts::TAU;

use crate::dtmf::{COLUMNS, DtmfDigit, FULL_SCALE_DBM0, KEYS, ROWS};
use crate::signal::{Signal, SignalEvent};
use crate::window::Window;

/// Steps a second, and steps in the window.
const STEPS: u32 = 200;
const WINDOW_STEPS: usize = 4;
const STEP_MS: u32 = 1_000 / STEPS;
/// The weakest frequency that counts, dBm0. Q.24's receivers take −24 to −29.
const WEAKEST_DBM0: f32 = -31.0;
/// How much louder the high group may be, and the low one, dB. Q.24: 4 and 8 at least, for AT&T.
const HIGH_LOUDER_DB: f32 = 6.0;
const LOW_LOUDER_DB: f32 = 10.0;
/// What part of the energy the two frequencies are: in a window that a digit fills, and in one that it half fills.
const PURE: f32 = 0.74;
const PARTLY_PURE: f32 = 0.35;
/// A digit lasts so many steps at half of its level (35 ms by 5), of which so many are filled.
const STEPS_TO_BEGIN: usize = 7;
const FILLED_TO_BEGIN: u32 = 4;
/// It ends when it has not been there for so many: breaks of 10 ms are none (Q.24), pauses of 40 are.
const STEPS_TO_END: u32 = 4;
/// The frequency may be off by so much: between the 1.5 % that Q.24 wants accepted and the 3.5 % it wants rejected.
const TOLERANCE: f32 = 0.025;
/// Levels that are remembered of a digit that may begin.
const REMEMBERED: usize = 16;

/// Finds digits in one stream.
#[derive(Debug, Clone)]
pub struct DtmfDetector {
    window: Window,
    /// For each frequency the window times cosine and sine, and the turn of its phase in a step.
    probes: Vec<Probe>,
    hann: Vec<f32>,
    /// Amplitude of a sine that fills the window, for a probe's magnitude of 1; and its energy, for an amplitude of 1.
    amplitude: f32,
    energy: f32,
    weakest: f32,
    run: Run,
    heard: Option<Heard>,
}

#[derive(Debug, Clone)]
struct Probe {
    cos: Vec<f32>,
    sin: Vec<f32>,
    turn: Complex,
    hz: f32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    /// The product with the conjugate of `other`.
    fn over(self, other: Complex) -> Complex {
        Complex { re: self.re * other.re + self.im * other.im, im: self.im * other.re - self.re * other.im }
    }

    fn add(&mut self, other: Complex) {
        self.re += other.re;
        self.im += other.im;
    }
}

/// What a step shows.
#[derive(Debug, Clone, Copy)]
struct Step {
    key: u8,
    /// The louder group's amplitude.
    level: f32,
    filled: bool,
    phases: [Complex; 2],
}

/// A digit that may begin.
#[derive(Debug, Clone, Default)]
struct Run {
    key: u8,
    levels: [f32; REMEMBERED],
    steps: usize,
    filled: u32,
    /// The lowest and highest level of filled steps.
    least: f32,
    most: f32,
    /// The phases of the last step, if it was filled, and how they have turned since they began.
    last: Option<[Complex; 2]>,
    turned: [Complex; 2],
}

/// A digit that has begun.
#[derive(Debug, Clone, Copy)]
struct Heard {
    digit: DtmfDigit,
    level: f32,
    steps: u32,
    missing: u32,
}

impl DtmfDetector {
    /// A detector for samples at `sample_rate` Hz, of which it hears what is below 1.7 kHz. Allocates.
    pub fn new(sample_rate: u32) -> DtmfDetector {
        let rate = sample_rate.clamp(4_000, 192_000);
        let step = (rate / STEPS) as usize;
        let length = step * WINDOW_STEPS;
        let hann: Vec<f32> = (0..length)
            .map(|n| (0.5 - 0.5 * (TAU * (n as f64 + 0.5) / length as f64).cos()) as f32)
            .collect();
        let probes = ROWS.into_iter().chain(COLUMNS).map(|hz| {
            let angle = TAU * f64::from(hz) / f64::from(rate);
            let (sin, cos) = (angle * step as f64).sin_cos();
            Probe {
                cos: hann.iter().enumerate().map(|(n, w)| w * (angle * n as f64).cos() as f32).collect(),
                sin: hann.iter().enumerate().map(|(n, w)| w * (angle * n as f64).sin() as f32).collect(),
                turn: Complex { re: cos as f32, im: sin as f32 },
                hz,
            }
        });
        let probes = probes.collect();
        let amplitude = 2.0 / hann.iter().sum::<f32>();
        let energy = hann.iter().map(|w| w * w).sum::<f32>() / 2.0;
        let weakest = 32_768.0 * 10f32.powf((WEAKEST_DBM0 - FULL_SCALE_DBM0) / 20.0);
        DtmfDetector {
            window: Window::new(length, step),
            probes,
            hann,
            amplitude,
            energy,
            weakest,
            run: Run::default(),
            heard: None,
        }
    }

    /// The digit that sounds now.
    pub fn sounding(&self) -> Option<DtmfDigit> {
        self.heard.map(|heard| heard.digit)
    }

    /// Hears some samples and tells of what begins and ends in them. A digit begins about 45 ms after its first sound.
    pub fn push(&mut self, samples: &[i16], mut event: impl FnMut(SignalEvent)) {
        let mut rest = samples;
        while self.window.fill(&mut rest) {
            let step = self.look();
            self.decide(step, &mut event);
            self.window.slide();
        }
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.window.clear();
        self.run = Run::default();
        self.heard = None;
    }

    /// What the window shows, if it may be part of a digit.
    fn look(&self) -> Option<Step> {
        let total: f32 = self.window.samples().iter().zip(&self.hann).map(|(x, w)| (x * w) * (x * w)).sum();
        // Too little for even one weak frequency that half fills the window.
        if total < 0.25 * self.energy * self.weakest * self.weakest {
            return None;
        }
        let mut loudest = [(0usize, 0.0f32, Complex::default()); 2];
        for (n, probe) in self.probes.iter().enumerate() {
            let dot =
                |table: &[f32]| self.window.samples().iter().zip(table).map(|(x, t)| x * t).sum::<f32>();
            let phase = Complex { re: dot(&probe.cos), im: -dot(&probe.sin) };
            let level = self.amplitude * phase.re.hypot(phase.im);
            if let Some(group) = loudest.get_mut(n / 4)
                && level > group.1
            {
                *group = (n % 4, level, phase);
            }
        }
        let [(row, low, low_phase), (column, high, high_phase)] = loudest;
        let twist_db = 20.0 * (high / low.max(1e-3)).max(1e-6).log10();
        let explained = self.energy * (low * low + high * high);
        let filled = explained >= PURE * total;
        let weakest = if filled { self.weakest } else { 0.5 * self.weakest };
        let is_digit = low.min(high) >= weakest
            && (-LOW_LOUDER_DB..=HIGH_LOUDER_DB).contains(&twist_db)
            && explained >= PARTLY_PURE * total;
        is_digit.then_some(Step {
            key: (row * 4 + column) as u8,
            level: low.max(high),
            filled,
            phases: [low_phase, high_phase],
        })
    }

    fn decide(&mut self, step: Option<Step>, event: &mut impl FnMut(SignalEvent)) {
        if let Some(heard) = &mut self.heard {
            let key = heard.digit.key();
            let there = step.is_some_and(|step| step.key == key && step.level >= 0.5 * heard.level);
            if there {
                heard.steps += heard.missing + 1;
                heard.missing = 0;
                heard.level = heard.level.max(step.map_or(0.0, |step| step.level));
            } else {
                heard.missing += 1;
                if heard.missing >= STEPS_TO_END {
                    let (signal, ms) = (Signal::Digit(heard.digit), heard.steps * STEP_MS);
                    event(SignalEvent::Ended { signal, ms });
                    self.heard = None;
                }
            }
            // Another digit may have begun meanwhile.
            self.run.note(step.filter(|step| step.key != key));
            return;
        }
        self.run.note(step);
        if let Some(steps) = self.run.is_digit(&self.probes)
            && let Some(digit) = DtmfDigit::from_key(self.run.key)
        {
            event(SignalEvent::Began(Signal::Digit(digit)));
            self.heard = Some(Heard { digit, level: self.run.most, steps: steps as u32, missing: 0 });
            self.run = Run::default();
        }
    }
}

impl Run {
    /// Goes on, or begins anew.
    fn note(&mut self, step: Option<Step>) {
        let Some(step) = step else {
            self.steps = 0;
            return;
        };
        if self.steps == 0 || self.key != step.key {
            *self = Run { key: step.key, least: f32::MAX, ..Run::default() };
        }
        self.levels.copy_within(..REMEMBERED - 1, 1);
        self.levels[0] = step.level;
        self.steps = (self.steps + 1).min(REMEMBERED);
        if !step.filled {
            self.last = None;
            return;
        }
        self.filled += 1;
        self.least = self.least.min(step.level);
        self.most = self.most.max(step.level);
        if let Some(last) = self.last {
            for ((turned, now), last) in self.turned.iter_mut().zip(step.phases).zip(last) {
                turned.add(now.over(last));
            }
        }
        self.last = Some(step.phases);
    }

    /// How many steps of it there were, if that is enough to be a digit.
    fn is_digit(&self, probes: &[Probe]) -> Option<usize> {
        let levels = self.levels.get(..self.steps)?;
        let most = levels.iter().copied().fold(0.0, f32::max);
        let steps = levels.iter().filter(|level| **level >= 0.5 * most).count();
        if steps < STEPS_TO_BEGIN || self.filled < FILLED_TO_BEGIN || self.least < 0.6 * self.most {
            return None;
        }
        let (row, column) = (usize::from(self.key / 4), 4 + usize::from(self.key % 4));
        let in_tune = |turned: Complex, probe: &Probe| {
            // What is left of the turn once that of the nominal frequency is taken away: radians a step.
            let left = turned.over(probe.turn);
            let off_hz = left.im.atan2(left.re) / std::f32::consts::TAU * STEPS as f32;
            off_hz.abs() <= TOLERANCE * probe.hz
        };
        let all = in_tune(self.turned[0], probes.get(row)?) && in_tune(self.turned[1], probes.get(column)?);
        all.then_some(steps)
    }
}

impl DtmfDigit {
    fn key(self) -> u8 {
        KEYS.iter().position(|key| *key == self.to_char()).unwrap_or(0) as u8
    }

    fn from_key(key: u8) -> Option<DtmfDigit> {
        DtmfDigit::from_char(*KEYS.get(usize::from(key))?)
    }
}
