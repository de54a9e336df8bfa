//! Feeds a clip to the sending half: reads ahead into a ring, off the real-time path.
//! In: samples from a reader (a file, a buffer, a closure). Out: a source, and how far it is.
//! Not here: file formats and rates (`offhook-msp`), the real-time end (`rt/clip.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ringbuf::HeapRb;
use ringbuf::traits::{Observer, Producer, Split};

use crate::config::MAX_RING;
use crate::rt::clip::{ClipSource, ClipState};

/// Where a clip's samples come from. May block and allocate.
pub trait SampleReader {
    /// Writes the next samples to the front of `out` and returns how many; 0 is the end.
    fn read(&mut self, out: &mut [i16]) -> usize;
}

impl<F: FnMut(&mut [i16]) -> usize> SampleReader for F {
    fn read(&mut self, out: &mut [i16]) -> usize {
        self(out)
    }
}

/// The control end of a clip. To be pumped more often than its ring lasts.
pub struct ClipFeeder {
    reader: Box<dyn SampleReader + Send>,
    ring: ringbuf::HeapProd<i16>,
    state: Arc<ClipState>,
    buffer: Box<[i16]>,
    /// What of `buffer` is not in the ring yet.
    ready: std::ops::Range<usize>,
}

/// What one pump did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// The ring is full again, after this many samples.
    Full(usize),
    /// The reader has ended; every sample is in the ring.
    Ended,
}

/// How far a clip is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipMeters {
    /// Capture time of sample 0, nanoseconds, once it was taken.
    pub first_sample_ns: Option<u64>,
    /// Samples taken so far.
    pub samples: u64,
    /// Samples of silence that were sent because the feeder was late.
    pub underrun_samples: u64,
    /// Whether the last sample was taken.
    pub is_over: bool,
}

impl ClipFeeder {
    /// A clip read from `reader`, at the engine's rate, through a ring of `capacity` samples (half a second is usual, 2²⁶ the most).
    /// The ring is filled before this returns.
    pub fn new(reader: Box<dyn SampleReader + Send>, capacity: usize) -> (ClipFeeder, ClipSource) {
        let (producer, consumer) = HeapRb::new(capacity.clamp(1, MAX_RING)).split();
        let state = Arc::new(ClipState {
            first_ns: AtomicU64::new(u64::MAX),
            taken: AtomicU64::new(0),
            starved: AtomicU64::new(0),
            is_fed: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let source = ClipSource { ring: consumer, state: Arc::clone(&state) };
        let buffer = vec![0; capacity.clamp(1, 1_024)].into();
        let mut feeder = ClipFeeder { reader, ring: producer, state, buffer, ready: 0..0 };
        feeder.pump();
        (feeder, source)
    }

    /// Reads until the ring is full or the reader ends.
    pub fn pump(&mut self) -> Fed {
        let mut fed = 0;
        if self.state.is_fed.load(Ordering::Relaxed) {
            return Fed::Ended;
        }
        loop {
            if self.ready.is_empty() {
                if self.ring.is_full() {
                    return Fed::Full(fed);
                }
                let read = self.reader.read(&mut self.buffer).min(self.buffer.len());
                if read == 0 {
                    self.state.is_fed.store(true, Ordering::Release);
                    return Fed::Ended;
                }
                self.ready = 0..read;
            }
            let pushed = self.ring.push_slice(self.buffer.get(self.ready.clone()).unwrap_or_default());
            self.ready.start += pushed;
            fed += pushed;
            if pushed == 0 {
                return Fed::Full(fed);
            }
        }
    }

    /// How far the clip is.
    pub fn meters(&self) -> ClipMeters {
        let first_ns = self.state.first_ns.load(Ordering::Acquire);
        ClipMeters {
            first_sample_ns: (first_ns != u64::MAX).then_some(first_ns),
            samples: self.state.taken.load(Ordering::Acquire),
            underrun_samples: self.state.starved.load(Ordering::Relaxed),
            is_over: self.state.is_over.load(Ordering::Acquire),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::node::Source;

    fn count_to(end: i16) -> Box<dyn SampleReader + Send> {
        let mut next = 0;
        Box::new(move |out: &mut [i16]| {
            let n = out.len().min(usize::try_from(end - next).unwrap());
            for sample in &mut out[..n] {
                *sample = next;
                next += 1;
            }
            n
        })
    }

    #[test]
    fn a_clip_arrives_whole_and_tells_when_it_began_and_ended() {
        let (mut feeder, mut source) = ClipFeeder::new(count_to(1_000), 300);
        assert_eq!(feeder.meters().first_sample_ns, None);
        let mut heard = Vec::new();
        for block in 0..20 {
            let mut out = [0; 64];
            let n = source.fill(500 + block, &mut out);
            heard.extend_from_slice(&out[..n]);
            feeder.pump();
        }
        assert_eq!(heard, (0..1_000).collect::<Vec<i16>>());
        let meters = feeder.meters();
        assert_eq!(
            meters,
            ClipMeters { first_sample_ns: Some(500), samples: 1_000, underrun_samples: 0, is_over: true }
        );
        assert_eq!(feeder.pump(), Fed::Ended);
    }

    #[test]
    fn a_late_feeder_is_silence_and_counted_but_nothing_is_lost() {
        let (mut feeder, mut source) = ClipFeeder::new(count_to(150), 100);
        let mut out = [0; 120];
        assert_eq!(source.fill(0, &mut out), 100);
        assert_eq!(feeder.meters().underrun_samples, 20);
        assert!(!feeder.meters().is_over);
        assert_eq!(feeder.pump(), Fed::Ended);
        assert_eq!(source.fill(1, &mut out), 50);
        assert_eq!(out[0], 100);
        assert!(feeder.meters().is_over);
        assert_eq!(feeder.meters().underrun_samples, 20);
    }
}
