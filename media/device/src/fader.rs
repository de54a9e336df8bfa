//! A seat's gain: changes are ramps of 5 ms, so that joining, leaving and muting do not click.
//! In: a factor from control. Out: blocks, scaled and saturated.
//! RT: no allocation, lock, syscall, log or panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How long a change takes, in seconds.
const RAMP_S: f32 = 0.005;
/// The largest factor: +30 dB.
const LARGEST: f32 = 32.0;

/// Control's hand on a fader.
#[derive(Debug, Default)]
pub(crate) struct Knob {
    /// Bits of the factor that is wanted, and of the one that the last block began with: a filter that follows has had
    /// a block to ring out by the time they are the same.
    target: AtomicU32,
    reached: AtomicU32,
}

impl Knob {
    /// From the next block on; below 0 and not a number is 0, above 32 is 32.
    pub(crate) fn turn(&self, factor: f32) {
        let factor = if factor.is_nan() { 0.0 } else { factor.clamp(0.0, LARGEST) };
        self.target.store(factor.to_bits(), Ordering::Release);
    }

    /// Whether the last block was all as is wanted.
    pub(crate) fn is_reached(&self) -> bool {
        self.target.load(Ordering::Acquire) == self.reached.load(Ordering::Acquire)
    }
}

/// The fader itself.
#[derive(Debug)]
pub(crate) struct Fader {
    knob: Arc<Knob>,
    now: f32,
    step: f32,
}

impl Fader {
    /// At zero; `rate` is that of the blocks, Hz.
    pub(crate) fn new(knob: Arc<Knob>, rate: u32) -> Fader {
        Fader { knob, now: 0.0, step: 1.0 / (rate.max(1) as f32 * RAMP_S) }
    }

    pub(crate) fn apply(&mut self, block: &mut [i16]) {
        self.knob.reached.store(self.now.to_bits(), Ordering::Release);
        let target = f32::from_bits(self.knob.target.load(Ordering::Acquire));
        if self.now != target || target != 1.0 {
            // A larger change is a steeper ramp, not a longer one.
            let step = self.step * target.max(self.now).max(1.0);
            for sample in block {
                self.now = if self.now < target {
                    (self.now + step).min(target)
                } else {
                    (self.now - step).max(target)
                };
                // `as` saturates.
                *sample = (f32::from(*sample) * self.now).round_ties_even() as i16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_takes_5_ms_and_unity_changes_nothing() {
        let knob = Arc::new(Knob::default());
        let mut fader = Fader::new(Arc::clone(&knob), 8_000);
        knob.turn(1.0);
        let mut block = [10_000i16; 80];
        fader.apply(&mut block);
        assert!(block.windows(2).all(|w| (w[1] - w[0]).abs() <= 251), "{block:?}");
        assert_eq!(block[41..], [10_000; 39]);
        assert!(!knob.is_reached(), "one more block");
        fader.apply(&mut block);
        assert!(knob.is_reached());
        knob.turn(f32::NAN);
        assert!(!knob.is_reached());
        let mut block = [i16::MIN; 80];
        fader.apply(&mut block);
        assert_eq!(block[41..], [0; 39]);
        knob.turn(1e9);
        let mut block = [i16::MIN; 80];
        fader.apply(&mut block);
        assert_eq!(block[79], i16::MIN, "saturated");
    }
}
