//! Gain without clicks: a change is a ramp of 5 ms; unity costs nothing.
//! In: blocks. Out: the same blocks, scaled and saturated, or added to an accumulator.
//! Not here: who is mixed with whom (`sources.rs`, `bus.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// Milliseconds that a change of gain takes.
pub(crate) const RAMP_MS: u32 = 5;
/// Unity, in Q16.
const ONE: i32 = 1 << 16;

/// An amplification: 0 (mute) to 32 (+30 dB), in steps of 2⁻¹⁶.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gain(i32);

impl Gain {
    /// No sound.
    pub const MUTE: Gain = Gain(0);
    /// The samples as they are.
    pub const UNITY: Gain = Gain(ONE);

    /// From decibels: 0 is unity; above +30 dB is +30 dB; not a number is mute.
    pub fn from_db(db: f32) -> Gain {
        Gain::from_factor(10f32.powf(db / 20.0))
    }

    /// From a factor: 1 is unity; below 0 is 0, above 32 is 32; not a number is mute.
    pub fn from_factor(factor: f32) -> Gain {
        Gain((factor.clamp(0.0, 32.0) * ONE as f32) as i32)
    }
}

impl Default for Gain {
    fn default() -> Gain {
        Gain::UNITY
    }
}

/// A gain on its way to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ramp {
    now: i32,
    target: i32,
    step: i32,
}

impl Ramp {
    /// Stands at `gain`.
    pub(crate) const fn new(gain: Gain) -> Ramp {
        Ramp { now: gain.0, target: gain.0, step: 0 }
    }

    /// Moves to `gain` within 5 ms at `rate` Hz.
    pub(crate) fn set(&mut self, gain: Gain, rate: u32) {
        let samples = (u64::from(rate) * u64::from(RAMP_MS) / 1_000).clamp(1, 1 << 15) as i32;
        let way = gain.0 - self.now;
        // At least one step a sample, so that the end is reached.
        self.step = if way == 0 { 0 } else { (way / samples).abs().max(1) };
        self.target = gain.0;
    }

    /// Whether it stands at unity.
    pub(crate) const fn is_unity(&self) -> bool {
        self.now == ONE && self.target == ONE
    }

    /// Whether it stands at mute.
    pub(crate) const fn is_mute(&self) -> bool {
        self.now == 0 && self.target == 0
    }

    /// Whether it is not on its way.
    pub(crate) const fn is_still(&self) -> bool {
        self.now == self.target
    }

    /// Where it stands or goes, in decibels.
    pub(crate) fn target_db(&self) -> f32 {
        20.0 * (self.target as f32 / ONE as f32).log10()
    }

    /// Scales `block` in place, saturating.
    pub(crate) fn apply(&mut self, block: &mut [i16]) {
        if self.is_unity() {
            return;
        }
        if self.is_mute() {
            block.fill(0);
            return;
        }
        for sample in block {
            *sample = saturate(self.scale(*sample));
        }
    }

    /// Adds `block`, scaled, to `sum`.
    pub(crate) fn add(&mut self, block: &[i16], sum: &mut [i32]) {
        if self.is_mute() {
            return;
        }
        if self.is_unity() {
            for (sum, sample) in sum.iter_mut().zip(block) {
                *sum = sum.saturating_add(i32::from(*sample));
            }
            return;
        }
        for (sum, sample) in sum.iter_mut().zip(block) {
            *sum = sum.saturating_add(self.scale(*sample));
        }
    }

    fn scale(&mut self, sample: i16) -> i32 {
        if self.now != self.target {
            self.now = if self.now < self.target {
                (self.now + self.step).min(self.target)
            } else {
                (self.now - self.step).max(self.target)
            };
        }
        // 32 × 65536 × 32768 needs 37 bits.
        ((i64::from(sample) * i64::from(self.now) + i64::from(ONE / 2)) >> 16) as i32
    }
}

/// A mixed sample as it leaves.
pub(crate) fn saturate(sample: i32) -> i16 {
    sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unity_leaves_every_sample_and_mute_leaves_none() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut block = all.clone();
        Ramp::new(Gain::UNITY).apply(&mut block);
        assert_eq!(block, all);
        let mut one = Ramp::new(Gain::from_db(0.0));
        assert!(one.is_unity());
        one.apply(&mut block);
        assert_eq!(block, all);
        Ramp::new(Gain::MUTE).apply(&mut block);
        assert!(block.iter().all(|x| *x == 0));
    }

    #[test]
    fn a_change_is_a_ramp_of_five_milliseconds_without_a_step() {
        let mut ramp = Ramp::new(Gain::UNITY);
        ramp.set(Gain::MUTE, 8_000);
        let mut block = [10_000i16; 80];
        ramp.apply(&mut block);
        assert!(block.windows(2).all(|w| (i32::from(w[0]) - i32::from(w[1])).abs() <= 251), "{block:?}");
        assert!(block[41..].iter().all(|x| *x == 0) && ramp.is_mute());
        ramp.set(Gain::UNITY, 8_000);
        let mut block = [10_000i16; 80];
        ramp.apply(&mut block);
        assert!(ramp.is_unity() && block[42..].iter().all(|x| *x == 10_000), "{block:?}");
    }

    #[test]
    fn loud_sums_saturate_and_do_not_wrap() {
        let mut sum = [0i32; 4];
        let mut ramp = Ramp::new(Gain::from_factor(1_000.0));
        for _ in 0..5_000 {
            ramp.add(&[i16::MAX, i16::MIN, 1, 0], &mut sum);
        }
        assert_eq!(sum.map(saturate), [i16::MAX, i16::MIN, i16::MAX, 0]);
        assert_eq!(Gain::from_factor(f32::NAN), Gain::MUTE);
    }
}
