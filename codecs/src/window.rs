//! The last samples of a sound, looked at every so often.
//! In: samples as they come. Out: a window of them, each time that it has moved on by a step.
//! Not here: what is looked for (`dtmf_detector.rs`, `progress.rs`).
//! RT: no allocation, lock, syscall, log or panic (except in [`Window::new`]).

/// A window that moves by steps over a sound.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Oldest first.
    samples: Vec<f32>,
    step: usize,
    /// How many samples of the last step are there.
    filled: usize,
}

impl Window {
    /// `length` samples of silence; `step` is at most that many, and at least one.
    pub(crate) fn new(length: usize, step: usize) -> Window {
        Window { samples: vec![0.0; length], step, filled: 0 }
    }

    /// Takes samples from the front of `rest` until a step is complete; `false` if they end before. A step that was
    /// looked at is followed by [`slide`](Self::slide).
    pub(crate) fn fill(&mut self, rest: &mut &[i16]) -> bool {
        let start = self.samples.len() - self.step + self.filled;
        let (now, later) = rest.split_at(rest.len().min(self.step - self.filled));
        for (to, from) in self.samples.iter_mut().skip(start).zip(now) {
            *to = f32::from(*from);
        }
        self.filled += now.len();
        *rest = later;
        self.filled == self.step
    }

    /// Makes room for the next step.
    pub(crate) fn slide(&mut self) {
        self.samples.copy_within(self.step.., 0);
        self.filled = 0;
    }

    /// The samples, oldest first.
    pub(crate) fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Silence, as at first.
    pub(crate) fn clear(&mut self) {
        self.samples.fill(0.0);
        self.filled = 0;
    }
}
