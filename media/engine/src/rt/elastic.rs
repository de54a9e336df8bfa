//! A ring of samples between two clocks: waits a bounded while, never longer.
//! In: samples at one thread's pace. Out: samples at another's; what was missing is silence, what was too much is gone.
//!
//! ```text
//! writer ─▶ ring ─▶ reader: takes what it needs ┬─ too little: what is there, then silence (a gap), counted
//!                                               └─ more than the bound stays: the oldest goes, counted
//! ```
//!
//! An end that comes seldom and then takes or brings much at once (a sound card of long periods, in several blocks) lets
//! that much wait beyond the bound, as long as it does so again and again; once is a stall.
//!
//! Two threads that tick one after the other at equal rates leave nothing waiting. A writer that is out of step costs
//! one gap, and its period waits from then on: the ring finds its own delay. Every gap, drop and new beginning is
//! joined without a click (`seam.rs`). A reader that stands still makes the writer run into the end of the ring; all
//! that waited then is stale and goes when it reads again.
//! Not here: rates (`resampled.rs`).
//! RT: no allocation, lock, syscall, log or panic. ([`elastic`] allocates and is called by control.)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::config::MAX_RING;
use crate::rt::node::{Sink, Source};
use crate::rt::seam::Seam;

/// Reads after which bursts are looked for anew.
const BURST_READS: u32 = 64;

/// The end that writes.
pub(crate) struct ElasticWriter {
    ring: HeapProd<i16>,
    counts: Arc<ElasticCounts>,
}

/// The end that reads.
pub(crate) struct ElasticReader {
    ring: HeapCons<i16>,
    counts: Arc<ElasticCounts>,
    max_wait: usize,
    bursts: Bursts,
    seam: Seam,
    is_dry: bool,
}

/// What comes between two reads, of the last ones the second most: what came once only was a stall.
#[derive(Debug, Default)]
struct Bursts {
    /// The most that is believed.
    longest: usize,
    written: u64,
    reads: u32,
    most: usize,
    second: usize,
    /// `second` of the reads before these.
    before: usize,
}

impl Bursts {
    fn note(&mut self, written: u64) -> usize {
        let came =
            usize::try_from(written.wrapping_sub(self.written)).unwrap_or(usize::MAX).min(self.longest);
        self.written = written;
        if came > self.most {
            self.second = std::mem::replace(&mut self.most, came);
        } else {
            self.second = self.second.max(came);
        }
        self.reads += 1;
        if self.reads >= BURST_READS {
            self.before = std::mem::take(&mut self.second);
            (self.most, self.reads) = (0, 0);
        }
        self.second.max(self.before)
    }
}

/// What both ends know.
#[derive(Debug, Default)]
pub(crate) struct ElasticCounts {
    /// Samples written, the dropped ones not.
    pub(crate) written: AtomicU64,
    /// Samples read.
    pub(crate) taken: AtomicU64,
    /// Samples dropped by either end.
    pub(crate) dropped: AtomicU64,
    /// Times that sound was followed by a lack of samples.
    pub(crate) gaps: AtomicU64,
    /// Samples of silence in gaps, since there was sound first.
    pub(crate) starved: AtomicU64,
    /// The writer met the ring's end.
    is_stale: AtomicBool,
}

/// Both ends. At most `max_wait` samples stay behind after a block of at most `max_block` was taken.
pub(crate) fn elastic(max_wait: usize, max_block: usize, rate: u32) -> (ElasticWriter, ElasticReader) {
    elastic_for_bursts(max_wait, max_block, 0, rate)
}

/// Like [`elastic`], and at most `longest_burst` samples stay if that much comes or goes at once again and again.
pub(crate) fn elastic_for_bursts(
    max_wait: usize,
    max_block: usize,
    longest_burst: usize,
    rate: u32,
) -> (ElasticWriter, ElasticReader) {
    let bursts = Bursts { longest: longest_burst, ..Bursts::default() };
    let max_block = max_block.max(longest_burst);
    // Room for the bound, a block being taken and one that came meanwhile.
    let capacity = max_wait.saturating_add(max_block.saturating_mul(2)).clamp(1, MAX_RING);
    let (producer, consumer) = HeapRb::new(capacity).split();
    let counts = Arc::new(ElasticCounts::default());
    (
        ElasticWriter { ring: producer, counts: Arc::clone(&counts) },
        ElasticReader { ring: consumer, counts, max_wait, bursts, seam: Seam::new(rate), is_dry: true },
    )
}

impl ElasticWriter {
    /// Puts samples in, as many as there is room for; how many.
    pub(crate) fn write(&mut self, block: &[i16]) -> usize {
        let kept = self.ring.push_slice(block);
        self.counts.written.fetch_add(kept as u64, Ordering::Relaxed);
        if kept < block.len() {
            self.counts.dropped.fetch_add((block.len() - kept) as u64, Ordering::Relaxed);
            self.counts.is_stale.store(true, Ordering::Relaxed);
        }
        kept
    }

    /// Puts samples in, as many as there is room for; how many. The rest is the caller's still, and nothing is stale.
    pub(crate) fn offer(&mut self, block: &[i16]) -> usize {
        let kept = self.ring.push_slice(block);
        self.counts.written.fetch_add(kept as u64, Ordering::Relaxed);
        kept
    }

    pub(crate) fn occupied(&self) -> usize {
        self.ring.occupied_len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.ring.capacity().get()
    }

    pub(crate) fn counts(&self) -> &Arc<ElasticCounts> {
        &self.counts
    }

    /// Whether the other end is still there.
    pub(crate) fn is_read(&self) -> bool {
        self.ring.read_is_held()
    }
}

impl ElasticReader {
    /// Fills `out`; how many samples of it are sound, its fading included. The rest is silence.
    pub(crate) fn fill(&mut self, out: &mut [i16]) -> usize {
        let burst = self.bursts.note(self.counts.written.load(Ordering::Relaxed));
        let occupied = self.ring.occupied_len();
        let surplus = if self.counts.is_stale.swap(false, Ordering::Relaxed) {
            occupied
        } else {
            occupied.saturating_sub(out.len().saturating_add(self.max_wait.max(burst)))
        };
        if surplus > 0 {
            let dropped = self.ring.skip(surplus);
            self.counts.dropped.fetch_add(dropped as u64, Ordering::Relaxed);
            self.seam.cut();
        }
        let taken = self.ring.pop_slice(out);
        if taken > 0 {
            self.counts.taken.fetch_add(taken as u64, Ordering::Relaxed);
            if std::mem::take(&mut self.is_dry) {
                self.seam.cut();
            }
            self.seam.join(out.get_mut(..taken).unwrap_or_default());
        }
        if taken == out.len() {
            return taken;
        }
        let missing = out.len() - taken;
        // A writer that has not begun, or has gone, lacks nothing.
        if self.counts.taken.load(Ordering::Relaxed) > 0 && self.ring.write_is_held() {
            self.counts.starved.fetch_add(missing as u64, Ordering::Relaxed);
            if !self.is_dry {
                self.counts.gaps.fetch_add(1, Ordering::Relaxed);
            }
        }
        if !std::mem::replace(&mut self.is_dry, true) {
            self.seam.cut();
        }
        let rest = out.get_mut(taken..).unwrap_or_default();
        rest.fill(0);
        if self.seam.is_silent() && taken == 0 {
            return 0;
        }
        self.seam.join(rest);
        out.len()
    }

    #[cfg(test)]
    fn occupied(&self) -> usize {
        self.ring.occupied_len()
    }

    /// Samples read so far.
    pub(crate) fn taken(&self) -> u64 {
        self.counts.taken.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    fn counts(&self) -> &Arc<ElasticCounts> {
        &self.counts
    }
}

impl Sink for ElasticWriter {
    fn write(&mut self, _played_ns: u64, block: &[i16]) {
        ElasticWriter::write(self, block);
    }
}

impl Source for ElasticReader {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        ElasticReader::fill(self, out)
    }
}

#[cfg(test)]
mod tests {
    use assert_no_alloc::assert_no_alloc;
    use proptest::prelude::*;

    use super::*;

    fn load(count: &AtomicU64) -> u64 {
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn in_step_nothing_waits_and_nothing_changes() {
        let (mut writer, mut reader) = elastic(160, 80, 8_000);
        for n in 0..100i16 {
            let block: [i16; 80] =
                std::array::from_fn(|k| if n == 0 && k == 0 { 0 } else { n * 7 - k as i16 });
            let mut out = [1; 80];
            assert_no_alloc(|| {
                assert_eq!(writer.write(&block), 80);
                assert_eq!(reader.fill(&mut out), 80);
            });
            assert_eq!(out, block);
            assert_eq!(reader.occupied(), 0);
        }
        let counts = reader.counts();
        assert_eq!((load(&counts.gaps), load(&counts.dropped), load(&counts.taken)), (0, 0, 8_000));
    }

    #[test]
    fn a_writer_that_stops_fades_out_and_one_that_returns_fades_in() {
        let (mut writer, mut reader) = elastic(80, 80, 8_000);
        let mut heard = Vec::new();
        for n in 0..12 {
            if !(4..8).contains(&n) {
                writer.write(&[20_000; 80]);
            }
            let mut out = [1; 80];
            reader.fill(&mut out);
            heard.extend(out);
        }
        assert!(heard.windows(2).all(|w| (i32::from(w[1]) - i32::from(w[0])).abs() <= 501), "{heard:?}");
        assert_eq!((heard[300], heard[500], heard[900]), (20_000, 0, 20_000));
        assert_eq!((load(&reader.counts().gaps), load(&reader.counts().starved)), (1, 320));
        drop(writer);
        for _ in 0..3 {
            reader.fill(&mut [0; 80]);
        }
        assert_eq!(load(&reader.counts().gaps), 1, "one that has gone lacks nothing");
    }

    #[test]
    fn a_reader_that_stood_still_begins_with_what_is_new() {
        let (mut writer, mut reader) = elastic(160, 80, 8_000);
        for _ in 0..50 {
            writer.write(&[9_000; 80]);
        }
        assert_eq!(reader.fill(&mut [0; 80]), 0, "all of it is stale");
        writer.write(&[0; 80]);
        let mut out = [1; 80];
        assert_eq!(reader.fill(&mut out), 80);
        assert_eq!(out, [0; 80]);
        assert_eq!(load(&reader.counts().dropped), 50 * 80);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever the paces: order is kept, the wait is bounded, and every sample is accounted for.
        #[test]
        fn every_sample_is_taken_dropped_or_waiting(
            max_wait in 0usize..300,
            steps in prop::collection::vec((any::<bool>(), 1usize..120), 1..200),
        ) {
            let (mut writer, mut reader) = elastic(max_wait, 120, 8_000);
            let mut offered = 0u64;
            for (is_write, len) in steps {
                if is_write {
                    offered += len as u64;
                    writer.write(&[1_000; 120][..len]);
                } else {
                    let mut out = [0; 120];
                    assert_no_alloc(|| reader.fill(&mut out[..len]));
                    prop_assert!(reader.occupied() <= max_wait);
                    prop_assert!(out.iter().all(|x| (0..=1_000).contains(x)));
                }
                let counts = reader.counts();
                let accounted = load(&counts.taken) + load(&counts.dropped) + reader.occupied() as u64;
                prop_assert_eq!(accounted, offered);
            }
        }
    }
}
