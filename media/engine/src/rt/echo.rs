//! The peer hears itself: what the receiving half plays becomes a source of the sending half.
//! In: blocks of playout. Out: the same samples, one block later at most if one thread drives both halves.
//!
//! The two ends may be driven by two callbacks. Samples that pile up beyond `max_wait_samples` are dropped, oldest
//! first, so that a stall does not stay in the echo as delay.
//! Not here: echo cancellation, which is its opposite.
//! RT: no allocation, lock, syscall, log or panic. ([`echo`] allocates and is called by control.)

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::rt::node::{Sink, Source};

/// The end that hears the peer.
pub struct EchoSink {
    ring: HeapProd<i16>,
}

/// The end that the peer hears.
pub struct EchoSource {
    ring: HeapCons<i16>,
    max_wait_samples: usize,
}

/// Both ends. At most `max_wait_samples` stay behind after a block was taken; the ring holds twice as many.
pub fn echo(max_wait_samples: usize) -> (EchoSink, EchoSource) {
    let (producer, consumer) = HeapRb::new(max_wait_samples.max(1) * 2).split();
    (EchoSink { ring: producer }, EchoSource { ring: consumer, max_wait_samples })
}

impl Sink for EchoSink {
    fn write(&mut self, _played_ns: u64, block: &[i16]) {
        self.ring.push_slice(block);
    }
}

impl Source for EchoSource {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        let surplus = self.ring.occupied_len().saturating_sub(out.len() + self.max_wait_samples);
        self.ring.skip(surplus);
        self.ring.pop_slice(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_comes_back_and_a_stall_does_not_stay_as_delay() {
        let (mut sink, mut source) = echo(160);
        let heard: Vec<i16> = (1..=80).collect();
        let mut out = [0; 80];
        sink.write(0, &heard);
        assert_eq!(source.fill(0, &mut out), 80);
        assert_eq!(out.as_slice(), heard);
        assert_eq!(source.fill(0, &mut out), 0);
        for block in 0..4 {
            sink.write(0, &[block; 80]);
        }
        assert_eq!(source.fill(0, &mut out), 80);
        assert_eq!(out, [1; 80], "the oldest block is dropped, two stay");
    }
}
