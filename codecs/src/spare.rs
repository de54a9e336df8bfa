//! What a decoder made up beyond what was asked of it: frames are whole, pulls are not.
//! RT: no allocation, lock, syscall, log or panic.

/// Up to `N` samples that are to be heard first next time.
#[derive(Debug, Clone)]
pub(crate) struct Spare<const N: usize> {
    samples: [i16; N],
    /// Where those begin that are left; they end with the array.
    from: usize,
}

impl<const N: usize> Spare<N> {
    /// Nothing.
    pub(crate) const fn new() -> Spare<N> {
        Spare { samples: [0; N], from: N }
    }

    /// Drops what is left: what follows is real again.
    pub(crate) const fn clear(&mut self) {
        self.from = N;
    }

    /// Fills `out` from what is left, then with frames of `frame` samples (`N` at most) that `make` makes up, and keeps
    /// the rest of the last. `false` as soon as `make` is: what was written is then of no use.
    pub(crate) fn fill(
        &mut self,
        out: &mut [i16],
        frame: usize,
        mut make: impl FnMut(&mut [i16]) -> bool,
    ) -> bool {
        let left = self.samples.get(self.from..).unwrap_or_default();
        let ready = left.len().min(out.len());
        for (to, from) in out.iter_mut().zip(left) {
            *to = *from;
        }
        self.from += ready;
        let mut frames = out.get_mut(ready..).unwrap_or_default().chunks_exact_mut(frame.max(1));
        if !frames.by_ref().all(&mut make) {
            return false;
        }
        let tail = frames.into_remainder();
        if tail.is_empty() {
            return true;
        }
        let start = N.saturating_sub(frame);
        let Some(whole) = self.samples.get_mut(start..) else { return false };
        if !make(whole) {
            return false;
        }
        for (to, from) in tail.iter_mut().zip(whole) {
            *to = *from;
        }
        self.from = start + tail.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulls_of_any_length_hear_frames_in_one_piece() {
        let mut spare = Spare::<8>::new();
        let mut count = 0i16;
        let mut make = |frame: &mut [i16]| {
            assert_eq!(frame.len(), 5);
            frame.iter_mut().for_each(|sample| {
                *sample = count;
                count += 1;
            });
            true
        };
        let mut heard = Vec::new();
        for length in [3, 1, 0, 11, 5, 2, 9] {
            let mut out = vec![-1; length];
            assert!(spare.fill(&mut out, 5, &mut make));
            heard.extend(out);
        }
        assert_eq!(heard, (0..31).collect::<Vec<i16>>());
        spare.clear();
        let mut out = [0; 1];
        assert!(spare.fill(&mut out, 5, &mut make));
        assert_eq!(out, [35]);
        assert!(!spare.fill(&mut [0; 20], 5, |_| false));
    }
}
