//! Joins two pieces of sound that do not follow each other: the step between them is added and fades within 5 ms.
//! In: blocks, and where the sound was cut. Out: the same blocks without a step.
//!
//! Unlike a gain that rises from nothing, a seam changes no sample when there is no step: what begins at zero after
//! silence stays as it is, bit by bit.
//! Not here: changes of loudness (`gain.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use crate::config::ms_to_samples;
use crate::rt::gain::{RAMP_MS, saturate};

/// Keeps one stream of samples without steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seam {
    /// The last sample that went out.
    last: i16,
    /// The step at the cut, and how many samples it still has to fade.
    offset: i32,
    left: usize,
    length: usize,
    is_cut: bool,
}

impl Seam {
    /// After silence.
    pub(crate) fn new(rate: u32) -> Seam {
        // Bounded so that offset × left fits: 2^16 × 2^14.
        let length = ms_to_samples(RAMP_MS, rate).clamp(1, 1 << 14);
        Seam { last: 0, offset: 0, left: 0, length, is_cut: false }
    }

    /// The next sample does not follow the last one.
    pub(crate) fn cut(&mut self) {
        self.is_cut = true;
    }

    /// Passes a block, in place.
    pub(crate) fn join(&mut self, block: &mut [i16]) {
        let (Some(first), Some(last)) = (block.first().copied(), block.len().checked_sub(1)) else { return };
        if std::mem::take(&mut self.is_cut) {
            self.offset = i32::from(self.last) - i32::from(first);
            self.left = if self.offset == 0 { 0 } else { self.length };
        }
        if self.left > 0 {
            for sample in block.iter_mut().take(self.left) {
                let added = self.offset * self.left as i32 / self.length as i32;
                *sample = saturate(i32::from(*sample) + added);
                self.left -= 1;
            }
        }
        self.last = block.get(last).copied().unwrap_or(0);
    }

    /// Whether the last sample was zero and nothing fades: stopping here makes no step.
    pub(crate) fn is_silent(&self) -> bool {
        self.last == 0 && self.left == 0
    }

    /// Whether nothing is cut and nothing fades: blocks pass as they are.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_cut && self.left == 0
    }

    /// Nothing more is heard, from the last sample on.
    pub(crate) fn silence(&mut self) {
        (self.last, self.left) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steepest(samples: &[i16]) -> i32 {
        samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_cut_becomes_a_slope_of_five_milliseconds_whatever_the_blocks() {
        let mut seam = Seam::new(8_000);
        let mut sound = [[20_000i16; 16]; 8];
        seam.cut();
        sound.iter_mut().for_each(|block| seam.join(block));
        let flat: Vec<i16> = sound.concat();
        assert_eq!((flat[0], flat[40], flat[127]), (0, 20_000, 20_000));
        assert!(steepest(&flat) <= 501, "{flat:?}");
        let mut down = [-20_000i16; 64];
        seam.cut();
        seam.join(&mut down);
        assert_eq!((down[0], down[40]), (20_000, -20_000));
        assert!(steepest(&down) <= 1_001);
    }

    #[test]
    fn sound_that_begins_at_zero_is_not_touched() {
        let mut seam = Seam::new(8_000);
        let sound: Vec<i16> = (0..100).map(|n| n * 300).collect();
        let mut out = sound.clone();
        seam.cut();
        seam.join(&mut out);
        assert_eq!(out, sound);
        assert!(!seam.is_silent());
        seam.join(&mut []);
        seam.join(&mut [0]);
        assert!(seam.is_silent());
    }

    #[test]
    fn full_scale_cuts_in_a_row_saturate_and_do_not_wrap() {
        let mut seam = Seam::new(48_000);
        for n in 0..50 {
            let mut block = [if n % 2 == 0 { i16::MAX } else { i16::MIN }; 33];
            let before = seam.last;
            seam.cut();
            seam.join(&mut block);
            assert_eq!(block[0], before);
            assert!(steepest(&block) <= 65_535 / 240 + 1);
        }
    }
}
