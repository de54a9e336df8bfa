//! Finds call progress tones in sound: dial, ringing, busy, congestion and special information tone (ITU-T E.180).
//! In: samples, in blocks of any length. Out: [`SignalEvent`]s.
//! Not here: whose country's tone it is; digits (`dtmf_detector.rs`).
//! RT: after construction no allocation, lock, syscall, log or panic.
//!
//! The tones of the world lie between 325 and 650 Hz (those of special information above 900); what they mean is their
//! cadence. So a window of 40 ms is asked every 20 ms whether nearly all of it lies in that band, and
//! the lengths of sound and silence decide.

use std::f64::consts::TAU;

use crate::signal::{ProgressTone, Signal, SignalEvent};
use crate::window::Window;

/// A step, and the window of two of them.
const STEPS: u32 = 50;
const STEP_MS: u32 = 1_000 / STEPS;
/// Bins of 25 Hz: the band of call progress, then the three of special information with their neighbours.
const BAND: std::ops::RangeInclusive<u32> = 13..=26;
const SPECIAL: [u32; 3] = [38, 56, 72];
/// The weakest sound, −38 dBm0, as an amplitude of 16 bits.
const WEAKEST: f32 = 287.0;
/// What part of the energy lies in the band.
const PURE: f32 = 0.9;
/// Steps of steady sound that are a dial tone: 2.6 s, longer than any ringing burst.
const DIAL_STEPS: u32 = 130;
/// Steps of silence after which a tone of cadence has ended: 5 s of ringing's silence are the longest.
const END_STEPS: u32 = 270;

/// Finds call progress tones in one stream.
#[derive(Debug, Clone)]
pub struct ProgressDetector {
    window: Window,
    probes: Vec<(Vec<f32>, Vec<f32>)>,
    hann: Vec<f32>,
    /// Energy of the window for a bin's squared magnitude of 1, and for an amplitude of 1.
    per_bin: f32,
    energy: f32,
    now: Sound,
    steps: u32,
    /// The last pairs of sound and silence, latest first, in steps.
    pairs: [(u32, u32); 2],
    on: u32,
    /// Parts of the special information tone that were heard.
    special: usize,
    heard: Option<(ProgressTone, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sound {
    Silence,
    Tone,
    /// One of the three frequencies of special information.
    Special(usize),
    /// Anything else.
    Other,
}

impl ProgressDetector {
    /// A detector for samples at `sample_rate` Hz. Allocates.
    pub fn new(sample_rate: u32) -> ProgressDetector {
        let rate = sample_rate.clamp(4_000, 192_000);
        let step = (rate / STEPS) as usize;
        let length = 2 * step;
        let hann: Vec<f32> = (0..length)
            .map(|n| (0.5 - 0.5 * (TAU * (n as f64 + 0.5) / length as f64).cos()) as f32)
            .collect();
        let bins = BAND.chain(SPECIAL.into_iter().flat_map(|bin| bin - 1..=bin + 1));
        let probes = bins.map(|bin| {
            let angle = TAU * f64::from(bin) / length as f64;
            let table = |wave: fn(f64) -> f64| {
                hann.iter().enumerate().map(|(n, w)| w * wave(angle * n as f64) as f32).collect()
            };
            (table(f64::cos), table(f64::sin))
        });
        let probes = probes.collect();
        let energy = hann.iter().map(|w| w * w).sum::<f32>() / 2.0;
        ProgressDetector {
            window: Window::new(length, step),
            probes,
            hann,
            // Parseval: both halves of the spectrum.
            per_bin: 2.0 / length as f32,
            energy,
            now: Sound::Silence,
            steps: 0,
            pairs: [(0, 0); 2],
            on: 0,
            special: 0,
            heard: None,
        }
    }

    /// The tone that sounds now.
    pub fn sounding(&self) -> Option<ProgressTone> {
        self.heard.map(|(tone, _)| tone)
    }

    /// Hears some samples and tells of what begins and ends in them: a dial tone after 2.6 s, the others with the second
    /// sound of their cadence, special information with its third frequency.
    pub fn push(&mut self, samples: &[i16], mut event: impl FnMut(SignalEvent)) {
        let mut rest = samples;
        while self.window.fill(&mut rest) {
            let sound = self.look();
            self.follow(sound, &mut event);
            self.window.slide();
        }
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.window.clear();
        self.forget();
        self.heard = None;
    }

    fn forget(&mut self) {
        (self.now, self.steps, self.on, self.special) = (Sound::Silence, 0, 0, 0);
        self.pairs = [(0, 0); 2];
    }

    fn look(&self) -> Sound {
        let total: f32 = self.window.samples().iter().zip(&self.hann).map(|(x, w)| (x * w) * (x * w)).sum();
        let level = (total / self.energy).sqrt();
        // Half of a window that a weak tone half fills is silence still.
        if level < WEAKEST {
            return Sound::Silence;
        }
        let dot = |table: &[f32]| self.window.samples().iter().zip(table).map(|(x, t)| x * t).sum::<f32>();
        let power = |(cos, sin): &(Vec<f32>, Vec<f32>)| self.per_bin * (dot(cos).powi(2) + dot(sin).powi(2));
        let (band, special) = self.probes.split_at(self.probes.len().min(BAND.count()));
        if band.iter().map(power).sum::<f32>() >= PURE * total {
            return Sound::Tone;
        }
        let pure = |bins: &[_]| bins.iter().map(power).sum::<f32>() >= PURE * total;
        special.chunks(3).position(pure).map_or(Sound::Other, Sound::Special)
    }

    fn follow(&mut self, sound: Sound, event: &mut impl FnMut(SignalEvent)) {
        if let Some((_, steps)) = &mut self.heard {
            *steps += 1;
        }
        // The edges of a tone spread for a step.
        if sound == Sound::Other && self.now != Sound::Other && self.steps > 0 {
            let was = std::mem::replace(&mut self.now, Sound::Other);
            self.close(was);
            self.steps = 1;
            return;
        }
        if sound == self.now {
            self.steps = self.steps.saturating_add(1);
        } else {
            let was = std::mem::replace(&mut self.now, sound);
            self.close(was);
            self.steps = 1;
        }
        let tone = self.tone();
        match (self.heard, tone) {
            (None, Some(tone)) => {
                event(SignalEvent::Began(Signal::Progress(tone)));
                self.heard = Some((tone, 0));
            }
            (Some((heard, steps)), _) if self.is_over(heard) => {
                let signal = Signal::Progress(heard);
                event(SignalEvent::Ended { signal, ms: steps * STEP_MS });
                self.heard = None;
                self.forget();
            }
            _ => {}
        }
    }

    /// A sound ends.
    fn close(&mut self, was: Sound) {
        match was {
            Sound::Tone => self.on = self.steps,
            Sound::Silence if self.on > 0 => {
                self.pairs = [(self.on, self.steps), self.pairs[0]];
                self.on = 0;
            }
            // One step of it is an edge.
            Sound::Other if self.steps > 2 => {
                (self.on, self.special) = (0, 0);
                self.pairs = [(0, 0); 2];
            }
            Sound::Special(part) if (13..=20).contains(&self.steps) => {
                self.special = if part == self.special { part + 1 } else { usize::from(part == 0) };
            }
            _ => {}
        }
    }

    /// What the cadence means by now.
    fn tone(&self) -> Option<ProgressTone> {
        if self.now == Sound::Special(2) && self.special == 2 && self.steps >= 10 {
            return Some(ProgressTone::SpecialInformation);
        }
        if self.now != Sound::Tone {
            return None;
        }
        if self.steps >= DIAL_STEPS {
            return Some(ProgressTone::Dial);
        }
        let [(on, off), (on2, off2)] = self.pairs;
        let even = |a: u32, b: u32| a.abs_diff(b) <= 4;
        if on > 0 && on2 > 0 && even(on, off) && even(on2, off2) && even(on, on2) {
            match on {
                8..=16 => return Some(ProgressTone::Congestion),
                17..=32 => return Some(ProgressTone::Busy),
                _ => {}
            }
        }
        // A long sound and a longer silence, or Britain's two short ones and a long silence.
        let long = (35..=125).contains(&on) && (80..=270).contains(&off);
        let twice = (15..=25).contains(&on)
            && (80..=130).contains(&off)
            && (15..=25).contains(&on2)
            && (7..=13).contains(&off2);
        (self.steps >= 5 && (long || twice)).then_some(ProgressTone::Ringing)
    }

    fn is_over(&self, heard: ProgressTone) -> bool {
        match self.now {
            Sound::Other => self.steps > 5,
            Sound::Silence => {
                let most = match heard {
                    ProgressTone::Dial => 5,
                    ProgressTone::Busy | ProgressTone::Congestion => 60,
                    ProgressTone::SpecialInformation => 75,
                    ProgressTone::Ringing | ProgressTone::CallWaiting => END_STEPS,
                };
                self.steps > most
            }
            Sound::Tone => {
                self.steps > DIAL_STEPS && heard != ProgressTone::Dial
                    || heard == ProgressTone::SpecialInformation
            }
            Sound::Special(_) => heard != ProgressTone::SpecialInformation && self.steps > 5,
        }
    }
}
