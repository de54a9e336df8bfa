//! Takes what the receiving half hears out of a ring, off the real-time path.
//! In: samples, from a sink. Out: the same to whoever writes them down; how far it is.
//! Not here: file formats (`offhook-msp`), the real-time end (`rt/record.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringbuf::HeapRb;
use ringbuf::traits::{Consumer, Split};

use crate::config::MAX_RING;
use crate::rt::record::{RecordSink, RecordState};

/// The control end of a recording. To be drained more often than its ring lasts.
pub struct Recorder {
    ring: ringbuf::HeapCons<i16>,
    state: Arc<RecordState>,
    buffer: Box<[i16]>,
}

/// How far a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordMeters {
    /// When sample 0 was handed to the driver, nanoseconds, once there was one.
    pub first_sample_ns: Option<u64>,
    /// Samples heard so far.
    pub samples: u64,
    /// Samples replaced by silence because the recorder was not drained in time.
    pub overflow_samples: u64,
}

impl Recorder {
    /// A recording through a ring of `capacity` samples (two seconds are usual, for disks stall; 2²⁶ are the most).
    pub fn new(capacity: usize) -> (Recorder, RecordSink) {
        let (producer, consumer) = HeapRb::new(capacity.clamp(1, MAX_RING)).split();
        let state = Arc::new(RecordState {
            first_ns: AtomicU64::new(u64::MAX),
            heard: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let sink = RecordSink { ring: producer, state: Arc::clone(&state), owed: 0 };
        (Recorder { ring: consumer, state, buffer: vec![0; capacity.clamp(1, 1_024)].into() }, sink)
    }

    /// Hands everything that was heard since the last time to `write`, in order, in pieces; how many samples.
    pub fn drain(&mut self, write: &mut dyn FnMut(&[i16])) -> usize {
        let mut drained = 0;
        loop {
            let n = self.ring.pop_slice(&mut self.buffer);
            if n == 0 {
                return drained;
            }
            write(self.buffer.get(..n).unwrap_or_default());
            drained += n;
        }
    }

    /// How far the recording is.
    pub fn meters(&self) -> RecordMeters {
        let first_ns = self.state.first_ns.load(Ordering::Acquire);
        RecordMeters {
            first_sample_ns: (first_ns != u64::MAX).then_some(first_ns),
            samples: self.state.heard.load(Ordering::Relaxed),
            overflow_samples: self.state.lost.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::node::Sink;

    #[test]
    fn a_slow_disk_costs_samples_but_never_moves_the_rest_in_time() {
        let (mut recorder, mut sink) = Recorder::new(100);
        let mut written = Vec::new();
        for block in 0..4i16 {
            sink.write(700 + u64::from(block.unsigned_abs()), &[block + 1; 40]);
        }
        recorder.drain(&mut |samples| written.extend_from_slice(samples));
        for block in 4..8i16 {
            sink.write(0, &[block + 1; 40]);
            recorder.drain(&mut |samples| written.extend_from_slice(samples));
        }
        assert_eq!(written.len(), 320);
        for (n, sample) in written.iter().enumerate() {
            let expected = if (100..160).contains(&n) { 0 } else { n as i16 / 40 + 1 };
            assert_eq!(*sample, expected, "sample {n}");
        }
        let meters = recorder.meters();
        assert_eq!(meters, RecordMeters { first_sample_ns: Some(700), samples: 320, overflow_samples: 60 });
    }
}
