//! The real-time end of a clip: takes samples from the ring that control feeds.
//! In: samples in a ring. Out: blocks; how far it is, by atomics.
//! Not here: where the samples come from (`control/clip.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ringbuf::HeapCons;
use ringbuf::traits::{Consumer, Observer};

use crate::rt::node::Source;

/// What both ends of a clip know.
#[derive(Debug)]
pub(crate) struct ClipState {
    /// `captured_ns` of the block that held sample 0; `u64::MAX` until then.
    pub(crate) first_ns: AtomicU64,
    /// Samples taken.
    pub(crate) taken: AtomicU64,
    /// Samples of silence because the ring was empty before the clip's end.
    pub(crate) starved: AtomicU64,
    /// Control has put in the last sample.
    pub(crate) is_fed: AtomicBool,
    /// The last sample was taken.
    pub(crate) is_over: AtomicBool,
}

/// A clip as the sending half hears it. Made by [`ClipFeeder::new`](crate::ClipFeeder::new).
pub struct ClipSource {
    pub(crate) ring: HeapCons<i16>,
    pub(crate) state: Arc<ClipState>,
}

impl Source for ClipSource {
    fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize {
        // Read first: what was put in before the flag is in the ring now.
        let is_fed = self.state.is_fed.load(Ordering::Acquire);
        let taken = self.ring.pop_slice(out);
        if taken > 0 {
            let _ = self.state.first_ns.compare_exchange(
                u64::MAX,
                captured_ns,
                Ordering::Release,
                Ordering::Relaxed,
            );
            self.state.taken.fetch_add(taken as u64, Ordering::Release);
        }
        if taken < out.len() && !is_fed {
            self.state.starved.fetch_add((out.len() - taken) as u64, Ordering::Relaxed);
        }
        if is_fed && self.ring.is_empty() {
            self.state.is_over.store(true, Ordering::Release);
        }
        taken
    }
}
