//! The real-time end of a recorder: puts what is heard into the ring that control drains.
//! In: blocks. Out: samples in a ring; how far it is, by atomics.
//!
//! A full ring loses samples, but never time: once there is room, as much silence goes in first as was lost.
//! Not here: where the samples go (`control/record.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringbuf::HeapProd;
use ringbuf::traits::{Observer, Producer};

use crate::rt::node::Sink;

/// What both ends of a recorder know.
#[derive(Debug)]
pub(crate) struct RecordState {
    /// `played_ns` of the block that held sample 0; `u64::MAX` until then.
    pub(crate) first_ns: AtomicU64,
    /// Samples heard, the lost ones included.
    pub(crate) heard: AtomicU64,
    /// Samples replaced by silence because the ring was full.
    pub(crate) lost: AtomicU64,
}

/// A recorder as the receiving half sees it. Made by [`Recorder::new`](crate::Recorder::new).
pub struct RecordSink {
    pub(crate) ring: HeapProd<i16>,
    pub(crate) state: Arc<RecordState>,
    /// Samples of silence still to be put in for what was lost.
    pub(crate) owed: u64,
}

impl Sink for RecordSink {
    fn write(&mut self, played_ns: u64, block: &[i16]) {
        if block.is_empty() {
            return;
        }
        let _ =
            self.state.first_ns.compare_exchange(u64::MAX, played_ns, Ordering::Release, Ordering::Relaxed);
        self.state.heard.fetch_add(block.len() as u64, Ordering::Relaxed);
        const SILENCE: [i16; 64] = [0; 64];
        while self.owed > 0 && !self.ring.is_full() {
            let piece = SILENCE.len().min(usize::try_from(self.owed).unwrap_or(usize::MAX));
            self.owed -= self.ring.push_slice(SILENCE.get(..piece).unwrap_or_default()) as u64;
        }
        // While silence is owed the ring is full: nothing can overtake it.
        let kept = self.ring.push_slice(block);
        let lost = (block.len() - kept) as u64;
        self.owed += lost;
        if lost > 0 {
            self.state.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }
}
