//! What can be heard by the peer, and what can hear the peer: the two kinds of node that a processor runs.
//! In and out: blocks of samples at the engine's rate, with their time; how loud each node is.
//! Not here: the nodes themselves (`clip.rs`, `pcm.rs`, `tone.rs`, …), terminals (`offhook-msp`).
//! RT: no allocation, lock, syscall, log or panic. Implementations keep to that.

use std::sync::atomic::{AtomicU64, Ordering};

use offhook_codecs::{Level, level::SILENCE_DBFS};

/// Something that the peer hears. Built by control, run by the sending half.
pub trait Source: Send {
    /// Writes the next samples to the front of `out` and returns how many; the rest counts as silence.
    ///
    /// `captured_ns` is the capture time of `out`'s first sample, nanoseconds. Called once a block, in order, while
    /// the half is started.
    fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize;
}

/// Something that hears the peer. Built by control, run by the receiving half.
pub trait Sink: Send {
    /// Takes the next samples of playout, the first of which is to be heard at `played_ns`, nanoseconds.
    ///
    /// Sinks hear the peer before the speaker's gain. Called once a block, in order, while the half is started.
    fn write(&mut self, played_ns: u64, block: &[i16]);
}

/// How loud one node is, after its gain: written in real time, read anywhere.
#[derive(Debug)]
pub(crate) struct NodeMeter(AtomicU64);

impl NodeMeter {
    pub(crate) fn new() -> NodeMeter {
        NodeMeter(AtomicU64::new(level_to_bits(Level::SILENCE)))
    }

    pub(crate) fn set(&self, level: Level) {
        self.0.store(level_to_bits(level), Ordering::Relaxed);
    }

    pub(crate) fn level(&self) -> Level {
        level_from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// A level in one word.
pub(crate) fn level_to_bits(level: Level) -> u64 {
    u64::from(level.rms_dbfs.to_bits()) << 32 | u64::from(level.peak_dbfs.to_bits())
}

/// The level of a word.
pub(crate) fn level_from_bits(word: u64) -> Level {
    Level { rms_dbfs: f32::from_bits((word >> 32) as u32), peak_dbfs: f32::from_bits(word as u32) }
}

/// A level after a gain in decibels.
pub(crate) fn amplified(level: Level, gain_db: f32) -> Level {
    let add = |dbfs: f32| {
        if dbfs <= SILENCE_DBFS { SILENCE_DBFS } else { (dbfs + gain_db).clamp(SILENCE_DBFS, 0.0) }
    };
    Level { rms_dbfs: add(level.rms_dbfs), peak_dbfs: add(level.peak_dbfs) }
}
