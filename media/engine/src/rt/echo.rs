//! The peer hears itself: what the receiving half plays becomes a source of the sending half.
//! In: blocks of playout. Out: the same samples, one block later at most if one thread drives both halves.
//!
//! The two ends may be driven by two callbacks. Samples that pile up beyond `max_wait_samples` are dropped, oldest
//! first, so that a stall does not stay in the echo as delay; nothing of it clicks (`elastic.rs`).
//! Not here: echo cancellation, which is its opposite.
//! RT: no allocation, lock, syscall, log or panic. ([`echo`] allocates and is called by control.)

use crate::rt::elastic::{ElasticReader, ElasticWriter, elastic_for_bursts};
use crate::rt::node::{Sink, Source};

/// The end that hears the peer.
pub struct EchoSink {
    ring: ElasticWriter,
}

/// The end that the peer hears.
pub struct EchoSource {
    ring: ElasticReader,
}

/// Both ends. At most `max_wait_samples` stay behind after a block was taken; three times as many if one of the two
/// callbacks comes as seldom, again and again.
pub fn echo(max_wait_samples: usize) -> (EchoSink, EchoSource) {
    // A rate only shapes the fades at gaps: 5 ms at 8 kHz, shorter above. Blocks are rarely longer than the wait.
    let burst = max_wait_samples.saturating_mul(3);
    let (writer, reader) = elastic_for_bursts(max_wait_samples, max_wait_samples, burst, 8_000);
    (EchoSink { ring: writer }, EchoSource { ring: reader })
}

impl Sink for EchoSink {
    fn write(&mut self, _played_ns: u64, block: &[i16]) {
        self.ring.write(block);
    }
}

impl Source for EchoSource {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        self.ring.fill(out)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn callbacks_of_a_tenth_of_a_second_on_either_side_lose_nothing_once_they_are_known() {
        for (writes, reads) in [(10, 1), (1, 10), (10, 10), (6, 3)] {
            let (mut sink, mut source) = echo(320);
            let mut lost = Vec::new();
            for tick in 0..1_000 {
                if tick % writes == 0 {
                    (0..writes).for_each(|_| sink.write(0, &[9; 80]));
                }
                if tick % reads == 0 {
                    for _ in 0..reads {
                        source.fill(0, &mut [0; 80]);
                    }
                }
                lost.push(sink.ring.counts().dropped.load(Ordering::Relaxed));
            }
            assert_eq!(lost[300], lost[999], "{writes}0 ms against {reads}0 ms");
            assert!(lost[999] <= 1_600, "{writes}0 ms against {reads}0 ms: {}", lost[999]);
        }
    }

    #[test]
    fn what_is_heard_comes_back_and_a_stall_does_not_stay_as_delay() {
        let (mut sink, mut source) = echo(160);
        let heard: Vec<i16> = (0..80).collect();
        let mut out = [0; 80];
        sink.write(0, &heard);
        assert_eq!(source.fill(0, &mut out), 80);
        assert_eq!(out.as_slice(), heard);
        assert_eq!(source.fill(0, &mut out), 80, "it fades");
        assert_eq!((out[0], out[40..].iter().all(|x| *x == 0)), (79, true));
        assert_eq!(source.fill(0, &mut out), 0);
        for block in 0..4 {
            sink.write(0, &[block; 80]);
        }
        assert_eq!(source.fill(0, &mut out), 80);
        assert_eq!(out[40..], [1; 40], "the oldest block is dropped, two stay");
    }
}
