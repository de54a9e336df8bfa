//! Where a stream is: the newest packet that came, the next to be played, and what is heard meanwhile.
//! In: arrivals. Out: whether a packet is new; the rest is kept for `playout.rs`.
//! Not here: what is done about it (`playout.rs`), the packets themselves (`store.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// Where a stream is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    /// Greatest extended sequence number that has arrived.
    pub(crate) newest: i64,
    /// Extended timestamp, in ticks, of the last packet that arrived; where unwrapping starts from.
    pub(crate) ticks: i64,
    /// Ticks of the first packet: place 0.
    pub(crate) origin: i64,
    /// Sequence number that would end a jump, if a packet has come from far away.
    pub(crate) suspect: Option<u16>,
    /// Packet to be decoded next, and the place of its first sample.
    pub(crate) next: i64,
    pub(crate) position: i64,
    /// Samples of the last packet decoded.
    pub(crate) packet: usize,
    pub(crate) phase: Phase,
    /// Samples of the waiting sound that the codec made up.
    pub(crate) made_ahead: usize,
    /// The concealment at hand is the codec's own.
    pub(crate) is_codecs: bool,
    /// When the delay was as it should be last, nanoseconds.
    pub(crate) easy_ns: i64,
    /// Samples to be heard until sound may be stretched again.
    pub(crate) rest: usize,
    /// Bit n: the packet n before the newest has arrived.
    pub(crate) seen: u128,
    /// Packets were dropped: the next does not follow what is heard before it.
    pub(crate) seam: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing has been played yet.
    Waiting,
    Playing,
    /// This many samples have been made up since the last true one.
    Concealing(usize),
    /// The same, faded to nothing.
    Muted(usize),
    /// This many samples of noise, since the sender said that it was silent.
    Noise(usize),
}

impl Stream {
    /// Notes the packet that lies `ahead` of the newest; `false` if it had come before.
    pub(crate) fn see(&mut self, ahead: i64) -> bool {
        let bits = i64::from(u128::BITS);
        if ahead > 0 {
            self.seen = if ahead < bits { self.seen << ahead | 1 } else { 1 };
            return true;
        }
        let bit = if -ahead < bits { 1 << -ahead } else { 0 };
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}
