//! What goes in and what comes back: one packet and its fate, one pull and what it was made of.
//! Not here: counts over the whole stream (`stats.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PacketKind {
    /// The codec's sound.
    #[default]
    Sound,
    /// The same, as a copy that a younger packet carried (RFC 2198): sequence number and timestamp are those of the
    /// packet that it is a copy of. It fills a hole, or is of no use.
    Redundant,
    /// What the sender's silence sounds like (RFC 3389): until the next packet of sound nothing is missing.
    ComfortNoise,
}

/// One RTP packet of the stream, on its way in.
#[derive(Debug, Clone, Copy)]
pub struct PlayoutPacket<'a> {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, in ticks of the codec's clock rate.
    pub timestamp: u32,
    /// What the payload is.
    pub kind: PacketKind,
    /// RTP marker: the first packet after silence.
    pub marker: bool,
    /// The codec's octets.
    pub payload: &'a [u8],
    /// When it arrived: nanoseconds of the clock that [`Playout::pull`](crate::Playout::pull) is told, the kernel's
    /// time stamp if there is one.
    pub arrival_ns: u64,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insert {
    /// It waits to be played.
    Queued,
    /// Its time has passed: discarded.
    Late,
    /// The same packet is here or was: discarded.
    Duplicate,
    /// It is a redundant copy of a packet that is here, or was, or would come too late: not needed.
    Spare,
    /// There is no room; this packet, or older ones, were discarded.
    Overflow,
    /// The payload holds no sound (empty, or not this codec's), or is larger than the store's slots: discarded.
    Malformed,
    /// The stream jumped: what waited was discarded, and playout starts anew with this packet, which waits.
    Reset(ResetReason),
}

/// Why the stream was taken to have started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// The sequence number is far from the last one.
    Sequence,
    /// The timestamp is far from what sequence and time make likely.
    Timestamp,
}

/// What one pull was made of. `decoded + concealed + noise + silence` is its length; stretching shows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pulled {
    /// Samples from packets (stretched or not).
    pub decoded: u32,
    /// Samples made up for packets that were lost or late.
    pub concealed: u32,
    /// Samples of comfort noise: the sender is silent.
    pub noise: u32,
    /// Samples of silence: nothing has arrived yet, or nothing for long.
    pub silence: u32,
    /// Samples that preemptive expansion inserted in this pull.
    pub expanded: u32,
    /// Samples that acceleration removed in this pull.
    pub accelerated: u32,
    /// RTP timestamp of the first sample of the pull, once playout has begun.
    pub timestamp: Option<u32>,
}
