//! Tones: one or two sines, switched on and off by a cadence, or once.
//! In: a [`Cadence`]. Out: blocks of samples, of any length, continuous in phase across them.
//! Not here: what DTMF digits sound like (`dtmf.rs`), detection, who hears it (`media/engine`).
//! RT: no allocation, lock, syscall, log or panic.

use std::f64::consts::TAU;

/// Rise and fall of a switched tone, in milliseconds: no clicks.
const RAMP_MS: u32 = 2;

/// One or two sines at one level each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    /// Frequencies in Hz; 0 is absent.
    pub hz: [f32; 2],
    /// Peak amplitude of each sine, dB below full scale: −13 is usual for call progress.
    pub level_db: f32,
    /// How much louder than that the second one is, dB: DTMF's twist.
    pub twist_db: f32,
}

impl Tone {
    /// No sound.
    pub const SILENCE: Tone = Tone { hz: [0.0, 0.0], level_db: 0.0, twist_db: 0.0 };

    /// One sine.
    pub const fn sine(hz: f32, level_db: f32) -> Tone {
        Tone { hz: [hz, 0.0], level_db, twist_db: 0.0 }
    }

    /// Two sines.
    pub const fn dual(low_hz: f32, high_hz: f32, level_db: f32) -> Tone {
        Tone { hz: [low_hz, high_hz], level_db, twist_db: 0.0 }
    }

    /// The same with the second sine so many dB louder than the first.
    #[must_use]
    pub const fn twisted(self, twist_db: f32) -> Tone {
        Tone { twist_db, ..self }
    }
}

/// A tone and the silence that follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// What sounds.
    pub tone: Tone,
    /// How long, milliseconds; 0 with no silence after it: for ever.
    pub on_ms: u32,
    /// Silence after it, milliseconds.
    pub off_ms: u32,
}

/// Segments in turn, once or over and over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cadence {
    /// The segments, in order.
    pub segments: &'static [Segment],
    /// Whether the first follows the last.
    pub repeat: bool,
}

const fn for_ever(tone: Tone) -> Segment {
    Segment { tone, on_ms: 0, off_ms: 0 }
}

const fn on_off(tone: Tone, on_ms: u32, off_ms: u32) -> Segment {
    Segment { tone, on_ms, off_ms }
}

impl Cadence {
    /// European dial tone (ITU-T E.180): 425 Hz.
    pub const DIAL: Cadence = repeated(&[for_ever(Tone::sine(425.0, -13.0))]);
    /// European ringing tone: 425 Hz, 1 s on, 4 s off.
    #[doc(alias = "ringback")]
    pub const RINGING: Cadence = repeated(&[on_off(Tone::sine(425.0, -13.0), 1_000, 4_000)]);
    /// European busy tone: 425 Hz, half a second on and off.
    pub const BUSY: Cadence = repeated(&[on_off(Tone::sine(425.0, -13.0), 500, 500)]);
    /// European congestion tone: 425 Hz, a quarter of a second on and off.
    pub const CONGESTION: Cadence = repeated(&[on_off(Tone::sine(425.0, -13.0), 250, 250)]);
    /// North American dial tone: 350 + 440 Hz.
    pub const DIAL_US: Cadence = repeated(&[for_ever(Tone::dual(350.0, 440.0, -13.0))]);
    /// North American ringing tone: 440 + 480 Hz, 2 s on, 4 s off.
    pub const RINGING_US: Cadence = repeated(&[on_off(Tone::dual(440.0, 480.0, -19.0), 2_000, 4_000)]);
    /// North American busy tone: 480 + 620 Hz, half a second on and off.
    pub const BUSY_US: Cadence = repeated(&[on_off(Tone::dual(480.0, 620.0, -24.0), 500, 500)]);
    /// North American reorder (congestion) tone: 480 + 620 Hz, a quarter of a second on and off.
    pub const CONGESTION_US: Cadence = repeated(&[on_off(Tone::dual(480.0, 620.0, -24.0), 250, 250)]);
    /// Call waiting tone in the European manner (ITU-T E.180): 425 Hz, two bursts of 200 ms every five seconds.
    pub const CALL_WAITING: Cadence =
        repeated(&[on_off(Tone::sine(425.0, -13.0), 200, 600), on_off(Tone::sine(425.0, -13.0), 200, 4_000)]);
    /// North American call waiting tone: 440 Hz, 300 ms every ten seconds.
    pub const CALL_WAITING_US: Cadence = repeated(&[on_off(Tone::sine(440.0, -13.0), 300, 9_700)]);
    /// British ringing tone: 400 + 450 Hz, twice 400 ms every three seconds.
    pub const RINGING_GB: Cadence = repeated(&[
        on_off(Tone::dual(400.0, 450.0, -19.0), 400, 200),
        on_off(Tone::dual(400.0, 450.0, -19.0), 400, 2_000),
    ]);
    /// British busy tone: 400 Hz, 375 ms on and off.
    pub const BUSY_GB: Cadence = repeated(&[on_off(Tone::sine(400.0, -19.0), 375, 375)]);
    /// British congestion tone: 400 Hz, 400 ms and 225 ms in turn.
    pub const CONGESTION_GB: Cadence =
        repeated(&[on_off(Tone::sine(400.0, -19.0), 400, 350), on_off(Tone::sine(400.0, -19.0), 225, 525)]);
    /// British call waiting tone: 400 Hz, 100 ms every two to five seconds.
    pub const CALL_WAITING_GB: Cadence = repeated(&[on_off(Tone::sine(400.0, -19.0), 100, 2_500)]);
    /// French dial tone: 440 Hz.
    pub const DIAL_FR: Cadence = repeated(&[for_ever(Tone::sine(440.0, -13.0))]);
    /// French ringing tone: 440 Hz, 1.5 s on, 3.5 s off.
    pub const RINGING_FR: Cadence = repeated(&[on_off(Tone::sine(440.0, -13.0), 1_500, 3_500)]);
    /// French busy tone: 440 Hz, half a second on and off.
    pub const BUSY_FR: Cadence = repeated(&[on_off(Tone::sine(440.0, -13.0), 500, 500)]);
    /// French congestion tone: 440 Hz, a quarter of a second on and off.
    pub const CONGESTION_FR: Cadence = repeated(&[on_off(Tone::sine(440.0, -13.0), 250, 250)]);
    /// Japanese dial tone: 400 Hz.
    pub const DIAL_JP: Cadence = repeated(&[for_ever(Tone::sine(400.0, -13.0))]);
    /// Japanese ringing tone: 400 Hz beaten by 16 Hz, 1 s on, 2 s off.
    pub const RINGING_JP: Cadence = repeated(&[on_off(Tone::dual(384.0, 416.0, -19.0), 1_000, 2_000)]);
    /// Japanese busy and congestion tone: 400 Hz, half a second on and off.
    pub const BUSY_JP: Cadence = repeated(&[on_off(Tone::sine(400.0, -13.0), 500, 500)]);
    /// Special information tone (ITU-T E.180): 950, 1400 and 1800 Hz for 330 ms each, then a second of silence.
    pub const SPECIAL_INFORMATION: Cadence = repeated(&[
        on_off(Tone::sine(950.0, -13.0), 330, 0),
        on_off(Tone::sine(1_400.0, -13.0), 330, 0),
        on_off(Tone::sine(1_800.0, -13.0), 330, 1_000),
    ]);
    /// Every cadence above, by name.
    pub const ALL: &'static [(&'static str, Cadence)] = &[
        ("dial", Cadence::DIAL),
        ("ringing", Cadence::RINGING),
        ("busy", Cadence::BUSY),
        ("congestion", Cadence::CONGESTION),
        ("dial-us", Cadence::DIAL_US),
        ("ringing-us", Cadence::RINGING_US),
        ("busy-us", Cadence::BUSY_US),
        ("congestion-us", Cadence::CONGESTION_US),
        ("call-waiting", Cadence::CALL_WAITING),
        ("special-information", Cadence::SPECIAL_INFORMATION),
        ("call-waiting-us", Cadence::CALL_WAITING_US),
        ("ringing-gb", Cadence::RINGING_GB),
        ("busy-gb", Cadence::BUSY_GB),
        ("congestion-gb", Cadence::CONGESTION_GB),
        ("call-waiting-gb", Cadence::CALL_WAITING_GB),
        ("dial-fr", Cadence::DIAL_FR),
        ("ringing-fr", Cadence::RINGING_FR),
        ("busy-fr", Cadence::BUSY_FR),
        ("congestion-fr", Cadence::CONGESTION_FR),
        ("dial-jp", Cadence::DIAL_JP),
        ("ringing-jp", Cadence::RINGING_JP),
        ("busy-jp", Cadence::BUSY_JP),
    ];
    /// Digital silence.
    pub const SILENCE: Cadence = repeated(&[for_ever(Tone::SILENCE)]);
}

const fn repeated(segments: &'static [Segment]) -> Cadence {
    Cadence { segments, repeat: true }
}

/// Sings cadences at one sample rate.
#[derive(Debug, Clone)]
pub struct ToneGenerator {
    rate: u32,
    plan: Plan,
    oscillators: [Oscillator; 2],
    /// Amplitude of each sine, in sample units.
    amplitudes: [f64; 2],
    /// Place in the segment, in samples.
    elapsed: u64,
}

#[derive(Debug, Clone, Copy)]
enum Plan {
    Cadence(Cadence, usize),
    /// One tone, then silence, each for so many milliseconds.
    Once(u32, u32),
    /// One tone until told otherwise.
    Steady,
    Finished,
}

impl ToneGenerator {
    /// A generator at `sample_rate` Hz, silent until [`Self::start`].
    pub fn new(sample_rate: u32) -> ToneGenerator {
        ToneGenerator {
            rate: sample_rate.max(1),
            plan: Plan::Finished,
            oscillators: [Oscillator::default(); 2],
            amplitudes: [0.0; 2],
            elapsed: 0,
        }
    }

    /// Starts a cadence at its first segment. The phase of the sines goes on from where it was.
    pub fn start(&mut self, cadence: Cadence) {
        self.enter(cadence, 0);
    }

    /// Starts one tone, steady until told otherwise; a change of frequency keeps the phase.
    pub fn steady(&mut self, tone: Tone) {
        // Already past its rise if a steady tone sounds: a sweep has no gaps.
        if !matches!(self.plan, Plan::Steady) {
            self.elapsed = 0;
        }
        self.plan = Plan::Steady;
        self.tune(tone);
    }

    /// Sounds one tone and then keeps silence, each for so many milliseconds. It is finished after both.
    pub fn once(&mut self, tone: Tone, on_ms: u32, off_ms: u32) {
        self.plan = Plan::Once(on_ms, off_ms);
        self.elapsed = 0;
        self.tune(tone);
    }

    /// Falls silent at once.
    pub fn stop(&mut self) {
        self.plan = Plan::Finished;
    }

    /// Samples until it falls silent for good or begins something else: what [`Self::once`] still needs.
    pub fn left(&self) -> usize {
        match self.plan {
            Plan::Once(on_ms, off_ms) => {
                usize::try_from((self.samples(on_ms) + self.samples(off_ms)).saturating_sub(self.elapsed))
                    .unwrap_or(usize::MAX)
            }
            Plan::Finished => 0,
            Plan::Steady | Plan::Cadence(..) => usize::MAX,
        }
    }

    /// Whether a cadence that does not repeat is over, or nothing was started.
    pub fn is_finished(&self) -> bool {
        matches!(self.plan, Plan::Finished)
    }

    /// Writes the next samples over `out`.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.next();
        }
    }

    /// Adds the next samples to `out`, saturating.
    pub fn mix(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = sample.saturating_add(self.next());
        }
    }

    fn enter(&mut self, cadence: Cadence, index: usize) {
        let index = if index >= cadence.segments.len() && cadence.repeat { 0 } else { index };
        match cadence.segments.get(index) {
            Some(segment) => {
                self.plan = Plan::Cadence(cadence, index);
                self.tune(segment.tone);
            }
            None => self.plan = Plan::Finished,
        }
        self.elapsed = 0;
    }

    fn tune(&mut self, tone: Tone) {
        for (oscillator, hz) in self.oscillators.iter_mut().zip(tone.hz) {
            oscillator.tune(hz, self.rate);
        }
        let amplitude = |db: f32| 32_767.0 * 10f64.powf(f64::from(db) / 20.0);
        self.amplitudes = [amplitude(tone.level_db), amplitude(tone.level_db + tone.twist_db)];
    }

    fn samples(&self, ms: u32) -> u64 {
        u64::from(ms) * u64::from(self.rate) / 1_000
    }

    fn next(&mut self) -> i16 {
        let (on, off) = match self.plan {
            Plan::Finished => return 0,
            Plan::Steady => (u64::MAX, 0),
            Plan::Once(on_ms, off_ms) => (self.samples(on_ms), self.samples(off_ms)),
            Plan::Cadence(cadence, index) => match cadence.segments.get(index) {
                Some(Segment { on_ms: 0, off_ms: 0, .. }) => (u64::MAX, 0),
                Some(segment) => (self.samples(segment.on_ms), self.samples(segment.off_ms)),
                None => (0, 1),
            },
        };
        let ramp = self.samples(RAMP_MS).max(1);
        let edge = (self.elapsed + 1).min(on.saturating_sub(self.elapsed)).min(ramp);
        let [first, second] = &mut self.oscillators;
        let [low, high] = self.amplitudes;
        let sum = first.next() * low + second.next() * high;
        let sample = (sum * edge as f64 / ramp as f64).round() as i16;
        self.elapsed = self.elapsed.saturating_add(1);
        if self.elapsed >= on.saturating_add(off) {
            match self.plan {
                Plan::Cadence(cadence, index) => self.enter(cadence, index + 1),
                Plan::Once(..) => self.plan = Plan::Finished,
                Plan::Steady | Plan::Finished => {}
            }
        }
        sample
    }
}

/// A point that turns on the unit circle: one complex multiplication a sample.
#[derive(Debug, Clone, Copy)]
struct Oscillator {
    cos: f64,
    sin: f64,
    step_cos: f64,
    step_sin: f64,
    on: bool,
}

impl Default for Oscillator {
    fn default() -> Oscillator {
        Oscillator { cos: 1.0, sin: 0.0, step_cos: 1.0, step_sin: 0.0, on: false }
    }
}

impl Oscillator {
    fn tune(&mut self, hz: f32, rate: u32) {
        let step = TAU * f64::from(hz) / f64::from(rate);
        (self.step_sin, self.step_cos) = step.sin_cos();
        self.on = hz > 0.0 && hz.is_finite();
    }

    fn next(&mut self) -> f64 {
        if !self.on {
            return 0.0;
        }
        let now = self.sin;
        let (cos, sin) = (
            self.cos * self.step_cos - self.sin * self.step_sin,
            self.sin * self.step_cos + self.cos * self.step_sin,
        );
        // One step of Newton's method holds the radius at 1.
        let hold = 1.5 - 0.5 * (cos * cos + sin * sin);
        (self.cos, self.sin) = (cos * hold, sin * hold);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amplitude_at(samples: &[i16], rate: u32, hz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let (sin, cos) = (TAU * hz * n as f64 / f64::from(rate)).sin_cos();
            re += f64::from(*sample) * cos;
            im += f64::from(*sample) * sin;
        }
        2.0 * re.hypot(im) / samples.len() as f64
    }

    #[test]
    fn a_dual_tone_has_its_two_frequencies_at_their_level() {
        let mut generator = ToneGenerator::new(8_000);
        generator.start(Cadence::DIAL_US);
        let mut samples = vec![0; 8_000];
        generator.fill(&mut samples);
        generator.fill(&mut samples);
        let want = 32_767.0 * 10f64.powf(-13.0 / 20.0);
        for hz in [350.0, 440.0] {
            assert!((amplitude_at(&samples, 8_000, hz) / want - 1.0).abs() < 0.001, "{hz}");
        }
        assert!(amplitude_at(&samples, 8_000, 400.0) < 2.0);
    }

    #[test]
    fn phase_goes_on_over_blocks_and_changes_of_frequency() {
        let mut generator = ToneGenerator::new(8_000);
        generator.steady(Tone::sine(400.0, -6.0));
        let mut samples = vec![0; 2_000];
        let (first, second) = samples.split_at_mut(777);
        generator.fill(first);
        generator.steady(Tone::sine(410.0, -6.0));
        generator.fill(second);
        // The steepest step of 410 Hz at half of full scale.
        let steepest = (16_423.0 * TAU * 410.0 / 8_000.0).ceil() as i32 + 1;
        assert!(samples.windows(2).all(|w| (i32::from(w[1]) - i32::from(w[0])).abs() <= steepest));
    }

    #[test]
    fn a_busy_tone_is_on_and_off_for_half_a_second_each() {
        let mut generator = ToneGenerator::new(16_000);
        generator.start(Cadence::BUSY);
        let mut samples = vec![0; 32_000];
        for block in samples.chunks_mut(173) {
            generator.fill(block);
        }
        for (from, loud) in [(0, true), (8_000, false), (16_000, true), (24_000, false)] {
            let part = &samples[from + 100..from + 7_900];
            assert_eq!(part.iter().any(|x| x.unsigned_abs() > 5_000), loud, "{from}");
            assert!(loud || part.iter().all(|x| *x == 0));
        }
        assert!(!generator.is_finished());
    }

    #[test]
    fn a_cadence_that_does_not_repeat_ends() {
        static ONCE: [Segment; 2] = [
            Segment { tone: Tone::sine(950.0, -10.0), on_ms: 10, off_ms: 0 },
            Segment { tone: Tone::sine(1_400.0, -10.0), on_ms: 10, off_ms: 5 },
        ];
        let mut generator = ToneGenerator::new(8_000);
        generator.start(Cadence { segments: &ONCE, repeat: false });
        let mut samples = [0; 200];
        generator.fill(&mut samples);
        assert!(generator.is_finished());
        assert!(samples[160..].iter().all(|x| *x == 0));
    }

    #[test]
    fn mixing_adds_and_saturates() {
        let mut generator = ToneGenerator::new(8_000);
        generator.steady(Tone::sine(1_000.0, 0.0));
        let mut samples = [30_000; 160];
        generator.mix(&mut samples);
        assert!(samples.contains(&i16::MAX) && samples.iter().any(|x| *x < 0));
    }

    #[test]
    fn an_hour_of_tone_keeps_its_amplitude() {
        let mut oscillator = Oscillator::default();
        oscillator.tune(425.0, 8_000);
        for _ in 0..8_000 * 3_600 {
            oscillator.next();
        }
        assert!((oscillator.cos.hypot(oscillator.sin) - 1.0).abs() < 1e-9);
    }
}
