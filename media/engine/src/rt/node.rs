//! What a processor mixes from and fans out to.
//! In and out: blocks of samples at the engine's rate, any length up to `EngineConfig::max_block`.
//! Not here: the nodes themselves (one file each), gains (`gain.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// Something that can be heard by the peer. Built by control, run by the sending half.
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
