//! The sound itself: what was heard lately, then what is decoded and waits, in one stretch of memory.
//! In: decoded or concealed samples at the end. Out: samples to be heard from the middle, which becomes history.
//! Not here: what to do with it (`decision.rs`), how (`ops/`).
//! RT: no allocation, lock, syscall, log or panic (except in [`Sound::new`]).

/// History, then future. Slices instead of a ring, so that operations see plain samples.
#[derive(Debug)]
pub(crate) struct Sound {
    samples: Vec<i16>,
    /// Where the future begins.
    play: usize,
    /// Where it ends.
    end: usize,
    /// History that is always kept, in samples; before the first packet it is silence.
    history: usize,
}

impl Sound {
    /// Room for `future` samples after `history` ones.
    pub(crate) fn new(history: usize, future: usize) -> Sound {
        // Twice the history, so that it moves seldom.
        Sound { samples: vec![0; 2 * history + future], play: history, end: history, history }
    }

    /// Decoded samples that wait.
    pub(crate) fn future(&self) -> &[i16] {
        self.samples.get(self.play..self.end).unwrap_or_default()
    }

    pub(crate) fn future_len(&self) -> usize {
        self.end - self.play
    }

    /// The last samples that were heard, oldest first.
    pub(crate) fn history(&self) -> &[i16] {
        self.samples.get(self.play - self.history..self.play).unwrap_or_default()
    }

    /// History and future in one, and where the future begins.
    pub(crate) fn both(&self) -> (&[i16], usize) {
        let from = self.play - self.history;
        (self.samples.get(from..self.end).unwrap_or_default(), self.history)
    }

    /// The future, to be changed in place.
    pub(crate) fn future_mut(&mut self) -> &mut [i16] {
        self.samples.get_mut(self.play..self.end).unwrap_or_default()
    }

    /// Room for `count` samples behind the future; empty if there is not that much. They count once committed.
    pub(crate) fn space(&mut self, count: usize) -> &mut [i16] {
        if self.end + count > self.samples.len() && self.play > self.history {
            let from = self.play - self.history;
            self.samples.copy_within(from..self.end, 0);
            self.play -= from;
            self.end -= from;
        }
        self.samples.get_mut(self.end..self.end + count).unwrap_or_default()
    }

    /// Makes `count` samples of the space part of the future.
    pub(crate) fn commit(&mut self, count: usize) {
        self.end = (self.end + count).min(self.samples.len());
    }

    /// Hears the next samples: copies them to `out`, as many as there are; returns how many.
    pub(crate) fn play(&mut self, out: &mut [i16]) -> usize {
        let count = self.future_len().min(out.len());
        for (to, from) in out.iter_mut().zip(self.future()) {
            *to = *from;
        }
        self.hear(count);
        count
    }

    /// Makes history of the next `count` samples.
    pub(crate) fn hear(&mut self, count: usize) {
        self.play = (self.play + count).min(self.end);
    }

    /// Takes `count` samples out of the future from `at` on.
    pub(crate) fn remove(&mut self, at: usize, count: usize) {
        let from = self.play + at + count;
        if from <= self.end {
            self.samples.copy_within(from..self.end, self.play + at);
            self.end -= count;
        }
    }

    /// Opens a hole of `count` samples in the future at `at`; `false` if there is no room.
    pub(crate) fn open(&mut self, at: usize, count: usize) -> bool {
        if at > self.future_len() || self.space(count).len() != count {
            return false;
        }
        let from = self.play + at;
        self.samples.copy_within(from..self.end, from + count);
        self.end += count;
        true
    }

    /// Discards the future.
    pub(crate) fn cut(&mut self) {
        self.end = self.play;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_becomes_history_however_long_it_goes_on() {
        let mut sound = Sound::new(10, 20);
        let mut next = 0;
        for round in 0..100 {
            let count = 5 + round % 11;
            for sample in sound.space(count) {
                next += 1;
                *sample = next;
            }
            sound.commit(count);
            let mut out = [0; 20];
            let heard = sound.play(&mut out[..count]);
            assert_eq!(heard, count);
            assert_eq!(out[count - 1], next);
            assert_eq!(sound.history().len(), 10);
            assert_eq!(sound.history()[9], next);
        }
    }

    #[test]
    fn samples_are_removed_and_holes_are_opened_in_the_future_only() {
        let mut sound = Sound::new(4, 16);
        sound.space(6).copy_from_slice(&[1, 2, 3, 4, 5, 6]);
        sound.commit(6);
        sound.remove(1, 2);
        assert_eq!(sound.future(), [1, 4, 5, 6]);
        assert!(sound.open(1, 1));
        assert_eq!(sound.future(), [1, 4, 4, 5, 6]);
        assert!(!sound.open(1, 100) && sound.space(1_000).is_empty());
        sound.cut();
        assert_eq!(sound.future_len(), 0);
    }
}
