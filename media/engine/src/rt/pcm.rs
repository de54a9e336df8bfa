//! The application's own sound: what it says is a source, what it hears is a sink.
//! In: samples that the application wrote; blocks of playout. Out: blocks for the peer; blocks with their time.
//!
//! | who stalls | what happens |
//! |---|---|
//! | the application does not write | the peer hears silence, faded in and out; counted |
//! | the application writes too much | the writer is told how much was taken: nothing is lost |
//! | the application does not read | the newest blocks are dropped whole and counted; times tell the gap |
//! | the engine stands still | nothing is taken; nothing comes |
//!
//! Not here: the application's ends (`control/pcm.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use std::sync::Arc;

use crate::board::{Board, Pen, Words};
use crate::rt::blocks::BlockWriter;
use crate::rt::elastic::ElasticReader;
use crate::rt::node::{Sink, Source};

/// When a sample was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// Samples taken before.
    pub(crate) sample: u64,
    /// When the next one was captured, nanoseconds.
    pub(crate) captured_ns: u64,
    /// Whether any was taken.
    pub(crate) is_known: bool,
}

impl Words for Position {
    fn put(&self, pen: &mut impl Pen) {
        self.sample.put(pen);
        self.captured_ns.put(pen);
        self.is_known.put(pen);
    }
    fn take(pen: &mut impl Pen) -> Position {
        let (sample, captured_ns, is_known) = (u64::take(pen), u64::take(pen), bool::take(pen));
        Position { sample, captured_ns, is_known }
    }
}

/// What the application says, as the sending half hears it. Made by [`pcm_source`](crate::pcm_source).
pub struct PcmSource {
    pub(crate) ring: ElasticReader,
    pub(crate) position: Arc<Board<3>>,
}

impl Source for PcmSource {
    fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize {
        let before = self.ring.taken();
        let filled = self.ring.fill(out);
        if self.ring.taken() > before {
            self.position.publish(&Position { sample: before, captured_ns, is_known: true });
        }
        filled
    }
}

/// What the application hears: a sink for the peer's sound, or a tap at the speaker or the microphone. Made by
/// [`pcm_sink`](crate::pcm_sink).
pub struct PcmSink {
    pub(crate) ring: BlockWriter<i16>,
}

impl Sink for PcmSink {
    fn write(&mut self, played_ns: u64, block: &[i16]) {
        // A block that finds no room is counted.
        let _ = self.ring.write(played_ns, block);
    }
}
