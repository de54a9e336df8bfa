//! The input that a filter still needs: what both resamplers slide their rows over.
//! In: samples. Out: windows of them, as floats.
//! Not here: the rows (`resample.rs`, `asynchronous.rs`).
//! RT: no allocation, lock, syscall, log or panic. ([`History::new`] allocates.)

/// Input samples held beyond the filter's length, so that history moves seldom.
const SLACK: usize = 512;

/// Samples that were given and may still be in a window.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) samples: Vec<f32>,
    /// How many there are.
    pub(crate) filled: usize,
    /// Where the next window begins.
    pub(crate) start: usize,
}

impl History {
    /// Empty, with room for windows of `taps`.
    pub(crate) fn new(taps: usize) -> History {
        History { samples: vec![0.0; taps + SLACK], filled: 0, start: 0 }
    }

    /// Nothing but the silence that the first window of `taps` looks back on.
    pub(crate) fn reset(&mut self, taps: usize) {
        self.samples.fill(0.0);
        self.filled = taps - 1;
        self.start = 0;
    }

    /// Takes input, as much as fits; returns how much.
    pub(crate) fn fill(&mut self, input: &[i16]) -> usize {
        if self.filled + input.len() > self.samples.len() && self.start > 0 {
            let start = self.start.min(self.filled);
            self.samples.copy_within(start..self.filled, 0);
            self.filled -= start;
            self.start -= start;
        }
        let room = self.samples.get_mut(self.filled..).unwrap_or_default();
        let taken = room.len().min(input.len());
        for (to, from) in room.iter_mut().zip(input) {
            *to = f32::from(*from);
        }
        self.filled += taken;
        taken
    }
}
